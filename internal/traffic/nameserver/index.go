package nameserver

import (
	"hash/maphash"
	"sync/atomic"
)

// index finds a name's entry with as few looks into cold memory as can be: one into the slots, one or two into the entry,
// where the name itself lies. It is immutable. A map finds the same with twice as many.
type index struct {
	seed  maphash.Seed
	slots []slot // a power of two, at most half full
}

type slot struct {
	hash  uint64
	entry *entry // nil: free
}

// inlineName is how many octets of a name lie in its entry; few names are longer.
const inlineName = 64

// entry is one name.
type entry struct {
	node   atomic.Pointer[Node]
	apex   bool
	static bool // a name server's glue: not of a profile
	inner  bool // an empty non-terminal: it has only names below it
	length uint8
	head   [inlineName]byte // of the name in wire form, lower case
	rest   string           // what of it does not fit into head
	counts [MaxAreas]counters
}

func newEntry(w []byte) *entry {
	e := &entry{length: uint8(len(w))}
	if n := copy(e.head[:], w); n < len(w) {
		e.rest = string(w[n:])
	}
	return e
}

func (e *entry) is(w []byte) bool {
	if int(e.length) != len(w) {
		return false
	}
	if len(w) <= inlineName {
		return string(e.head[:len(w)]) == string(w)
	}
	return string(e.head[:]) == string(w[:inlineName]) && e.rest == string(w[inlineName:])
}

func newIndex(names map[string]*entry) index {
	size := 8
	for size < 2*len(names) {
		size *= 2
	}
	x := index{seed: maphash.MakeSeed(), slots: make([]slot, size)}
	for w, e := range names {
		h := maphash.String(x.seed, w)
		i := h & uint64(size-1)
		for x.slots[i].entry != nil {
			i = (i + 1) & uint64(size-1)
		}
		x.slots[i] = slot{h, e}
	}
	return x
}

// find gives the entry of a name in wire form, lower case; nil where there is none.
func (x *index) find(w []byte) *entry {
	h := maphash.Bytes(x.seed, w)
	mask := uint64(len(x.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		s := &x.slots[i]
		if s.entry == nil {
			return nil
		}
		if s.hash == h && s.entry.is(w) {
			return s.entry
		}
	}
}

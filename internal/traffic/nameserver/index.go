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
const inlineName = 46

// entry is one name. A question reads its first cache line and one of its counters.
type entry struct {
	node   atomic.Pointer[Node]
	length uint8
	role   role
	head   [inlineName]byte // of the name in wire form, lower case
	_      [8]byte
	counts [MaxAreas]counters
	rest   string   // what of the name does not fit into head
	_      [48]byte // whole cache lines
}

// role is what a name is for.
type role uint8

const (
	ofProfile role = iota
	apex
	static // a name server's glue
	inner  // an empty non-terminal: it has only names below it
)

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

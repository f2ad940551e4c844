package geo

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"sort"
)

func (t *Table) locate4(a netip.Addr) (uint32, uint8) {
	b := a.As4()
	x := binary.BigEndian.Uint32(b[:])
	lo, hi := int(t.index[x>>16]), int(t.index[x>>16+1])
	for lo < hi { // the entries that begin within the /16: find the first one behind x
		if mid := (lo + hi) / 2; t.four[mid].first <= x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	// Entry 0 begins at address 0, so lo is at least 1.
	e := t.four[lo-1]
	host := 32
	if e.first > 0 {
		host = min(host, bits.Len32(x^(e.first-1))-1)
	}
	if lo < len(t.four) {
		host = min(host, bits.Len32(x^t.four[lo].first)-1)
	}
	return e.place, uint8(32 - host)
}

func (t *Table) locate6(a netip.Addr) (uint32, uint8) {
	b := a.As16()
	x := entry6{high: binary.BigEndian.Uint64(b[:8]), low: binary.BigEndian.Uint64(b[8:])}
	i := sort.Search(len(t.six), func(i int) bool { return x.before(t.six[i]) })
	e := t.six[i-1] // entry 0 begins at ::
	host := 128
	if e.high|e.low > 0 {
		host = min(host, x.differ(e.previous())-1)
	}
	if i < len(t.six) {
		host = min(host, x.differ(t.six[i])-1)
	}
	return e.place, uint8(128 - host)
}

func (e entry6) before(o entry6) bool {
	return e.high < o.high || e.high == o.high && e.low < o.low
}

// previous is the address before; e is not ::.
func (e entry6) previous() entry6 {
	low, borrow := bits.Sub64(e.low, 1, 0)
	return entry6{high: e.high - borrow, low: low}
}

// differ is the number of bits from the highest one that differs down.
func (e entry6) differ(o entry6) int {
	if h := e.high ^ o.high; h != 0 {
		return 64 + bits.Len64(h)
	}
	return bits.Len64(e.low ^ o.low)
}

// finish builds the index. four and six must be sorted and begin at the family's first address.
func (t *Table) finish() {
	t.index = make([]uint32, 1<<16+1)
	i := 0
	for block := range t.index {
		for i < len(t.four) && t.four[i].first>>16 < uint32(block) {
			i++
		}
		t.index[block] = uint32(i)
	}
	t.index[1<<16] = uint32(len(t.four))
}

// next is the address after; after the last one it is ::.
func (e entry6) next() entry6 {
	low, carry := bits.Add64(e.low, 1, 0)
	return entry6{high: e.high + carry, low: low}
}

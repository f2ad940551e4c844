package nameserver

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"

	"tandem"
)

// Ranges maps address ranges to kids of a node. Ranges do not overlap, but for the kid that takes the rest.
type Ranges struct {
	four, six []addrRange
	rest      int // kid for addresses outside of all; -1: none
}

type addrRange struct {
	first, last netip.Addr
	kid         int
}

// Range is one entry: first and last address, both within, of one family.
type Range struct {
	First, Last netip.Addr
	Kid         int
}

// NewRanges sorts and checks. rest is the kid for addresses in no range, -1 for none.
func NewRanges(in []Range, rest int) (*Ranges, error) {
	r := &Ranges{rest: rest}
	for _, x := range in {
		if x.First.Is4() != x.Last.Is4() || x.Last.Less(x.First) {
			return nil, &tandem.Error{Op: "compile subnets", Subject: x.First.String() + "-" + x.Last.String(), Kind: tandem.Invalid,
				Err: fmt.Errorf("the last address is before the first or of the other family"), Remedy: "give first <= last of one family"}
		}
		e := addrRange{x.First, x.Last, x.Kid}
		if x.First.Is4() {
			r.four = append(r.four, e)
		} else {
			r.six = append(r.six, e)
		}
	}
	for _, list := range [][]addrRange{r.four, r.six} {
		slices.SortFunc(list, func(a, b addrRange) int { return a.first.Compare(b.first) })
		for i := 1; i < len(list); i++ {
			if !list[i-1].last.Less(list[i].first) {
				return nil, &tandem.Error{Op: "compile subnets", Subject: list[i].first.String(), Kind: tandem.Invalid,
					Err: fmt.Errorf("it is in two ranges"), Remedy: "make the subnets of a profile disjoint"}
			}
		}
	}
	return r, nil
}

// find gives the kid for an address, -1 for none, and how many leading bits the finding depends on.
func (r *Ranges) find(a netip.Addr) (kid int, bits uint8) {
	list := r.six
	if a.Is4() {
		list = r.four
	}
	i := sort.Search(len(list), func(i int) bool { return a.Less(list[i].first) })
	// The gap or range around a: everything in it finds the same.
	var lo, hi netip.Addr
	if i > 0 {
		if !list[i-1].last.Less(a) {
			return list[i-1].kid, commonBits(a, list[i-1].first, list[i-1].last)
		}
		lo = list[i-1].last.Next()
	}
	if i < len(list) {
		hi = list[i].first.Prev()
	}
	return r.rest, commonBits(a, lo, hi)
}

// commonBits is the length of the shortest prefix around a that lies within lo and hi; an invalid bound is no bound.
func commonBits(a, lo, hi netip.Addr) uint8 {
	n := a.BitLen()
	for bits := 0; bits < n; bits++ {
		p, err := a.Prefix(bits)
		if err != nil {
			return uint8(n)
		}
		if (!lo.IsValid() || !p.Addr().Less(lo)) && (!hi.IsValid() || !hi.Less(LastOf(p))) {
			return uint8(bits)
		}
	}
	return uint8(n)
}

// LastOf is the last address of a prefix.
func LastOf(p netip.Prefix) netip.Addr {
	if p.Addr().Is4() {
		b := p.Addr().As4()
		fillHost(b[:], p.Bits())
		return netip.AddrFrom4(b)
	}
	b := p.Addr().As16()
	fillHost(b[:], p.Bits())
	return netip.AddrFrom16(b)
}

func fillHost(b []byte, bits int) {
	for i := range b {
		switch {
		case bits >= 8*(i+1):
		case bits <= 8*i:
			b[i] = 0xFF
		default:
			b[i] |= 0xFF >> (bits - 8*i)
		}
	}
}

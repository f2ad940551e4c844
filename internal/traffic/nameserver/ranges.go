package nameserver

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"

	"tandem"
)

// Ranges maps address ranges to kids of a node. Ranges do not overlap; one kid may take the rest.
type Ranges struct {
	starts []stretch     // sorted; the first is ::, so that every address has one at or before it
	four   []stretchFour // the same for IPv4 alone; the first is 0.0.0.0
}

// stretchFour is where a stretch of IPv4 addresses begins.
type stretchFour struct {
	at  uint32
	kid int32
}

// stretch is where a stretch of addresses with one kid begins. IPv4 addresses stand in their place within IPv6.
type stretch struct {
	at  number
	kid int
}

// number is an address as a number.
type number struct{ high, low uint64 }

// firstFour is where IPv4 addresses begin within IPv6, ::ffff:0.0.0.0.
var firstFour = number{0, 0xFFFF << 32}

// four gives the IPv4 address that a number stands for.
func (n number) four() (uint32, bool) { return uint32(n.low), n.high == 0 && n.low>>32 == 0xFFFF }

func numberOf(a netip.Addr) number {
	b := a.As16()
	return number{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (n number) less(o number) bool { return n.high < o.high || n.high == o.high && n.low < o.low }

// differ is how many bits remain from the highest one that differs down.
func (n number) differ(o number) int {
	if h := n.high ^ o.high; h != 0 {
		return 64 + bits.Len64(h)
	}
	return bits.Len64(n.low ^ o.low)
}

func (n number) add(d uint64) number {
	low, carry := bits.Add64(n.low, d, 0)
	return number{n.high + carry, low}
}

func (n number) previous() number {
	low, borrow := bits.Sub64(n.low, 1, 0)
	return number{n.high - borrow, low}
}

// Range is one entry: first and last address, both within, of one family.
type Range struct {
	First, Last netip.Addr
	Kid         int
}

// NewRanges sorts and checks. rest is the kid for addresses in no range, -1 for none.
func NewRanges(in []Range, rest int) (*Ranges, error) {
	bad := func(x Range, why, remedy string) (*Ranges, error) {
		return nil, &tandem.Error{Op: "compile subnets", Subject: x.First.String() + "-" + x.Last.String(), Kind: tandem.Invalid, Err: fmt.Errorf("%s", why), Remedy: remedy}
	}
	sorted := slices.Clone(in)
	slices.SortFunc(sorted, func(a, b Range) int { // by number, IPv4 within IPv6
		switch x, y := numberOf(a.First), numberOf(b.First); {
		case x.less(y):
			return -1
		case y.less(x):
			return 1
		}
		return 0
	})
	r := &Ranges{starts: []stretch{{number{}, rest}}}
	put := func(at number, kid int) {
		if last := &r.starts[len(r.starts)-1]; last.at == at {
			last.kid = kid
		} else {
			r.starts = append(r.starts, stretch{at, kid})
		}
	}
	for i, x := range sorted {
		if x.First.Is4() != x.Last.Is4() || x.Last.Less(x.First) {
			return bad(x, "the last address is before the first or of the other family", "give first <= last of one family")
		}
		if i > 0 && !numberOf(sorted[i-1].Last).less(numberOf(x.First)) {
			return bad(x, "its first address is in another range as well", "make the subnets of a profile disjoint")
		}
		put(numberOf(x.First), x.Kid)
		if end := numberOf(x.Last).add(1); end != (number{}) {
			put(end, rest)
		}
	}
	r.four = []stretchFour{{0, int32(rest)}}
	for _, s := range r.starts {
		four, within := s.at.four()
		switch last := &r.four[len(r.four)-1]; {
		case s.at.less(firstFour) || within && four == last.at:
			last.kid = int32(s.kid)
		case within:
			r.four = append(r.four, stretchFour{four, int32(s.kid)})
		}
	}
	return r, nil
}

// find gives the kid for an address, -1 for none, and how many leading bits the finding depends on.
func (r *Ranges) find(a netip.Addr) (kid int, scope uint8) {
	if a.Is4() {
		return r.findFour(a)
	}
	x := numberOf(a)
	lo, hi := 0, len(r.starts) // find the first start behind x
	for lo < hi {
		if mid := (lo + hi) / 2; r.starts[mid].at.less(x) || r.starts[mid].at == x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	s := r.starts[lo-1]
	host := 128
	if s.at != (number{}) {
		host = x.differ(s.at.previous()) - 1
	}
	if lo < len(r.starts) {
		host = min(host, x.differ(r.starts[lo].at)-1)
	}
	return s.kid, uint8(128 - host)
}

func (r *Ranges) findFour(a netip.Addr) (kid int, scope uint8) {
	b := a.As4()
	x := binary.BigEndian.Uint32(b[:])
	lo, hi := 0, len(r.four)
	for lo < hi {
		if mid := (lo + hi) / 2; r.four[mid].at <= x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	s := r.four[lo-1]
	host := 32
	if s.at > 0 {
		host = bits.Len32(x^(s.at-1)) - 1
	}
	if lo < len(r.four) {
		host = min(host, bits.Len32(x^r.four[lo].at)-1)
	}
	return int(s.kid), uint8(32 - host)
}

// LastOf is the last address of a prefix.
func LastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := range b {
		switch bits := p.Bits(); {
		case bits >= 8*(i+1):
		case bits <= 8*i:
			b[i] = 0xFF
		default:
			b[i] |= 0xFF >> (bits - 8*i)
		}
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

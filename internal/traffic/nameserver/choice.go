package nameserver

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
)

// choice is how a node chooses among its kids.
type choice struct {
	// few and sums are the kids and the running sums of their weights where there are no more than fewKids: at hand without
	// another look into memory.
	sums    [fewKids]uint32
	few     [fewKids]*Node
	kids    []*Node
	upTo    []uint32 // weighted: running sums of all
	locator Locator  // located
	byPlace []uint16 // located: the kid for each place, noKid where there is none
	ranges  Ranges   // ranged
}

const fewKids = 8

func newChoice(kids []*Node) *choice {
	c := &choice{kids: kids}
	copy(c.few[:], kids)
	return c
}

// with gives a copy that chooses among other kids in the places of the old ones.
func (c *choice) with(kids []*Node) *choice {
	out := *c
	out.kids = kids
	out.few = [fewKids]*Node{}
	copy(out.few[:], kids)
	return &out
}

func (c *choice) kid(i int) *Node {
	if i < fewKids {
		return c.few[i]
	}
	return c.kids[i]
}

// each gives the kids; none for a leaf.
func (n *Node) each() []*Node {
	if n.choice == nil {
		return nil
	}
	return n.choice.kids
}

// Weighted chooses among kids at random by weight. Weights and kids pair up; a weight of 0 is never chosen.
func Weighted(kids []*Node, weights []uint32) *Node {
	var chosen []*Node
	var upTo []uint32
	sum := uint32(0)
	for i, k := range kids {
		if weights[i] > 0 {
			sum += weights[i]
			chosen, upTo = append(chosen, k), append(upTo, sum)
		}
	}
	switch len(chosen) {
	case 0:
		return NoData()
	case 1:
		return chosen[0]
	}
	c := newChoice(chosen)
	c.upTo = upTo
	for i := range c.sums { // a sum that is never reached ends the search
		c.sums[i] = sum
	}
	copy(c.sums[:], upTo)
	return &Node{kind: kindWeighted, choice: c}
}

// Located chooses a kid by the client's place. byPlace gives an index into kids, or a negative number for no data; places
// beyond it count as unknown, place 0.
func Located(l Locator, kids []*Node, byPlace []int) *Node {
	c := newChoice(slices.Clone(kids))
	c.locator, c.byPlace = l, make([]uint16, len(byPlace))
	for i, k := range byPlace {
		c.byPlace[i] = noKid
		if k >= 0 && k < len(kids) {
			c.byPlace[i] = uint16(k)
		}
	}
	return &Node{kind: kindLocated, choice: c}
}

// Ranged chooses a kid by the range the client's address is in; outside of all, the name does not exist.
func Ranged(r *Ranges, kids []*Node) *Node {
	c := newChoice(slices.Clone(kids))
	c.ranges = *r
	return &Node{kind: kindRanged, choice: c}
}

// resolve walks to the leaf for a client. bits is how much of the address the choice depended on; nil means no data.
func (n *Node) resolve(client netip.Addr) (found *Node, bits uint8) {
	for n != nil {
		c := n.choice
		switch n.kind {
		case kindAbsent, kindLeaf:
			return n, bits
		case kindWeighted:
			n = c.draw()
		case kindLocated:
			place, b := c.locator.Locate(client)
			bits = max(bits, b)
			if int(place) >= len(c.byPlace) {
				place = 0
			}
			kid := uint16(noKid)
			if int(place) < len(c.byPlace) {
				kid = c.byPlace[place]
			}
			if kid == noKid {
				return nil, bits
			}
			n = c.kid(int(kid))
		case kindRanged:
			kid, b := c.ranges.find(client)
			bits = max(bits, b)
			if kid < 0 {
				return absent, bits
			}
			n = c.kid(kid)
		}
	}
	return nil, bits
}

// draw chooses by weight.
func (c *choice) draw() *Node {
	if len(c.upTo) > fewKids {
		x := rand.Uint32N(c.upTo[len(c.upTo)-1])
		return c.kids[sort.Search(len(c.upTo), func(i int) bool { return c.upTo[i] > x })]
	}
	x := rand.Uint32N(c.sums[fewKids-1])
	i := 0
	for _, upTo := range c.sums { // counted without a branch: which kid it is cannot be foretold
		if upTo <= x {
			i++
		}
	}
	return c.few[i&(fewKids-1)]
}

// hasAlias tells whether any leaf is a CNAME.
func (n *Node) hasAlias() bool {
	if n == nil {
		return false
	}
	return n.leaf.alias != nil || slices.ContainsFunc(n.each(), (*Node).hasAlias)
}

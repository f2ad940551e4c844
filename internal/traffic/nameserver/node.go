package nameserver

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sort"

	"tandem"
)

// Node is what a name answers: a leaf with records, or a choice between nodes. Nodes are immutable; a change of health
// makes a new tree.
type Node struct {
	kind    nodeKind
	leaf    leaf
	kids    []*Node
	upTo    []uint32 // weighted: running sums of the weights
	locator Locator  // located
	byPlace []uint16 // located: the kid for each place, noKid where there is none
	ranges  *Ranges  // ranged
	records []Record // of a leaf, for those who look at the tree
	ttl     uint32
}

type nodeKind uint8

const (
	kindAbsent nodeKind = iota // the name does not exist
	kindLeaf
	kindWeighted
	kindLocated
	kindRanged
)

// noKid marks a place that maps to no kid: such a client gets an answer without records.
const noKid = 0xFFFF

// Locator tells where an address is. Places are small numbers; 0 means unknown. bits is how much of the address the
// finding depends on: every address that shares so many leading bits is at the same place.
type Locator interface {
	Locate(a netip.Addr) (place uint32, bits uint8)
}

// Record is one resource record of a leaf: an address, or else the name of a CNAME.
type Record struct {
	Addr   netip.Addr
	Target string
}

// section is compiled records, and their signatures for those who ask for DNSSEC.
type section struct {
	wire     []byte
	count    uint16
	sig      []byte
	sigCount uint16
}

// compact gives a copy whose records, where they are few, lie right behind it in memory.
func (s *section) compact() *section {
	var c struct {
		section
		room [64]byte
	}
	c.section = *s
	if len(s.wire) <= len(c.room) {
		near := &c
		near.wire = near.room[:copy(near.room[:], s.wire):len(s.wire)]
		return &near.section
	}
	return &c.section
}

// leaf holds the section for each type of question; nil means no data.
type leaf struct {
	a, aaaa *section
	alias   *section // CNAME: answers every type
}

func (l *leaf) section(typ uint16) *section {
	switch {
	case l.alias != nil:
		return l.alias
	case typ == typeA:
		return l.a
	case typ == typeAAAA:
		return l.aaaa
	case typ == typeANY: // one set is enough (RFC 8482)
		if l.a != nil {
			return l.a
		}
		return l.aaaa
	}
	return nil
}

// Absent is a name that does not exist: a disabled profile.
func Absent() *Node { return &Node{kind: kindAbsent} }

// NoData is a name without records.
func NoData() *Node { return &Node{kind: kindLeaf} }

// Leaf answers records with a TTL in seconds. A name (Target) must stand alone.
func Leaf(ttl uint32, records ...Record) (*Node, error) {
	n := &Node{kind: kindLeaf, records: records, ttl: ttl}
	var a, aaaa section
	for _, r := range records {
		switch {
		case r.Addr.Is4() || r.Addr.Is4In6():
			four := r.Addr.Unmap().As4()
			a.wire = append(appendHead(a.wire, ownerPointer, typeA, ttl, 4), four[:]...)
			a.count++
		case r.Addr.IsValid():
			six := r.Addr.As16()
			aaaa.wire = append(appendHead(aaaa.wire, ownerPointer, typeAAAA, ttl, 16), six[:]...)
			aaaa.count++
		default:
			name, err := wireName(r.Target)
			if err != nil {
				return nil, err
			}
			if len(records) != 1 {
				return nil, &tandem.Error{Op: "compile answer", Subject: r.Target, Kind: tandem.Invalid,
					Err: fmt.Errorf("a CNAME cannot stand beside other records (RFC 1034 section 3.6.2)"), Remedy: "give endpoints by address where several are answered"}
			}
			n.leaf.alias = (&section{wire: append(appendHead(nil, ownerPointer, typeCNAME, ttl, len(name)), name...), count: 1}).compact()
		}
	}
	if a.count > 0 {
		n.leaf.a = a.compact()
	}
	if aaaa.count > 0 {
		n.leaf.aaaa = aaaa.compact()
	}
	return n, nil
}

// Weighted chooses among kids at random by weight. Weights and kids pair up; a weight of 0 is never chosen.
func Weighted(kids []*Node, weights []uint32) *Node {
	n := &Node{kind: kindWeighted}
	sum := uint32(0)
	for i, k := range kids {
		if weights[i] == 0 {
			continue
		}
		sum += weights[i]
		n.kids, n.upTo = append(n.kids, k), append(n.upTo, sum)
	}
	switch len(n.kids) {
	case 0:
		return NoData()
	case 1:
		return n.kids[0]
	}
	return n
}

// Located chooses a kid by the client's place. byPlace gives an index into kids, or a negative number for no data; places
// beyond it count as unknown, place 0.
func Located(l Locator, kids []*Node, byPlace []int) *Node {
	n := &Node{kind: kindLocated, kids: kids, locator: l, byPlace: make([]uint16, len(byPlace))}
	for i, k := range byPlace {
		n.byPlace[i] = noKid
		if k >= 0 && k < len(kids) {
			n.byPlace[i] = uint16(k)
		}
	}
	return n
}

// Ranged chooses a kid by the range the client's address is in; outside of all, the name does not exist.
func Ranged(r *Ranges, kids []*Node) *Node { return &Node{kind: kindRanged, kids: kids, ranges: r} }

// resolve walks to the leaf for a client. bits is how much of the address the choice depended on; nil means no data.
func (n *Node) resolve(client netip.Addr) (found *Node, bits uint8) {
	for n != nil {
		switch n.kind {
		case kindAbsent, kindLeaf:
			return n, bits
		case kindWeighted:
			x := rand.Uint32N(n.upTo[len(n.upTo)-1])
			i := 0
			if len(n.upTo) <= 8 {
				for n.upTo[i] <= x {
					i++
				}
			} else {
				i = sort.Search(len(n.upTo), func(i int) bool { return n.upTo[i] > x })
			}
			n = n.kids[i]
		case kindLocated:
			place, b := n.locator.Locate(client)
			bits = max(bits, b)
			if int(place) >= len(n.byPlace) {
				place = 0
			}
			kid := uint16(noKid)
			if int(place) < len(n.byPlace) {
				kid = n.byPlace[place]
			}
			if kid == noKid {
				return nil, bits
			}
			n = n.kids[kid]
		case kindRanged:
			kid, b := n.ranges.find(client)
			bits = max(bits, b)
			if kid < 0 {
				return absent, bits
			}
			n = n.kids[kid]
		}
	}
	return nil, bits
}

// hasAlias tells whether any leaf is a CNAME.
func (n *Node) hasAlias() bool {
	if n == nil {
		return false
	}
	for _, k := range n.kids {
		if k.hasAlias() {
			return true
		}
	}
	return n.leaf.alias != nil
}

// absent is shared by all choices that end nowhere; nothing writes to it.
var absent = Absent()

// Records of the leaf that a client would get now, for status pages and tests; exists is false for NXDOMAIN.
func (n *Node) Records(client netip.Addr) (records []Record, ttl uint32, exists bool) {
	found, _ := n.resolve(client)
	if found == nil {
		return nil, 0, true
	}
	return found.records, found.ttl, found.kind != kindAbsent
}

// soaRecord is the SOA of a zone with its owner pointer left to fill in at the first two octets.
func soaRecord(zone []byte, primary, mailbox []byte, serial, ttl, negative uint32) []byte {
	data := append(append([]byte(nil), primary...), mailbox...)
	for _, v := range []uint32{serial, 3600, 600, 86400, negative} {
		data = binary.BigEndian.AppendUint32(data, v)
	}
	return append(appendHead(nil, ownerPointer, typeSOA, min(ttl, negative), len(data)), data...)
}

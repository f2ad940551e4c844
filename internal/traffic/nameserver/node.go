package nameserver

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"tandem"
)

// Node is what a name answers: a leaf with records, or a choice between nodes. Nodes are immutable; a change of health
// makes a new tree. What answering a question reads lies close together in memory.
type Node struct {
	kind   nodeKind
	leaf   leaf
	choice *choice // of every kind but leaf and absent
	told   *told   // of a leaf, for those who look at the tree
}

// told is a leaf as it was made.
type told struct {
	records []Record
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
	wire, sig       []byte
	count, sigCount uint16
}

// compact gives a copy whose records, where they are few, lie right behind it in memory.
func (s *section) compact() *section {
	var c struct {
		section
		room [64]byte
	}
	near := &c
	near.section = *s
	if len(s.wire) <= len(near.room) {
		near.wire = near.room[:copy(near.room[:], s.wire):len(s.wire)]
	}
	return &near.section
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
	// A leaf of one address, the most common, is one piece of memory of two cache lines with its only section.
	var near = &struct {
		Node
		section
		room [24]byte
	}{}
	n := &near.Node
	n.kind, n.told = kindLeaf, &told{records, ttl}
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
	switch {
	case len(records) == 1 && a.count == 1:
		near.section = a
		near.wire = near.room[:copy(near.room[:], a.wire):len(a.wire)]
		n.leaf.a = &near.section
		return n, nil
	case a.count > 0:
		n.leaf.a = a.compact()
	}
	if aaaa.count > 0 {
		n.leaf.aaaa = aaaa.compact()
	}
	return n, nil
}

// absent is shared by all choices that end nowhere; nothing writes to it.
var absent = Absent()

// Records of the leaf that a client would get now, for status pages and tests; exists is false for NXDOMAIN.
func (n *Node) Records(client netip.Addr) (records []Record, ttl uint32, exists bool) {
	found, _ := n.resolve(client)
	if found == nil {
		return nil, 0, true
	}
	if found.told == nil {
		return nil, 0, found.kind != kindAbsent
	}
	return found.told.records, found.told.ttl, true
}

// soaRecord is the SOA of a zone with its owner pointer left to fill in at the first two octets.
func soaRecord(zone []byte, primary, mailbox []byte, serial, ttl, negative uint32) []byte {
	data := append(append([]byte(nil), primary...), mailbox...)
	for _, v := range []uint32{serial, 3600, 600, 86400, negative} {
		data = binary.BigEndian.AppendUint32(data, v)
	}
	return append(appendHead(nil, ownerPointer, typeSOA, min(ttl, negative), len(data)), data...)
}

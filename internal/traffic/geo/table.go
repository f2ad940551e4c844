package geo

import (
	"errors"
	"net/netip"

	"tandem"
)

// Place is one answer of a Table.
type Place struct {
	Country, State string // ISO 3166-1 code and the second part of ISO 3166-2; empty where not known
	At             Point
	Located        bool // At is known
}

// Chain gives the place's codes in the hierarchy, narrowest first, down to WORLD.
func (p Place) Chain() []string { return Chain(p.Country, p.State) }

// Table maps addresses to places: sorted starts of ranges, with an index by the first 16 bits. It is immutable. The empty
// table knows nothing: every address is at place 0, the unknown one.
type Table struct {
	places []Place
	four   []entry4
	index  []uint32 // by the first 16 bits of an IPv4 address: how many entries begin below
	six    []entry6
}

type entry4 struct {
	first uint32
	place uint32
}

type entry6 struct {
	high, low uint64
	place     uint32
}

// Unknown is a table that knows no address.
func Unknown() *Table { return &Table{places: make([]Place, 1)} }

// Places are all places; number 0 is the unknown one.
func (t *Table) Places() []Place { return t.places }

// Locate gives the place of an address and how many of its leading bits say so.
func (t *Table) Locate(a netip.Addr) (place uint32, bits uint8) {
	if a.Is4() {
		if len(t.four) == 0 {
			return 0, 0
		}
		return t.locate4(a)
	}
	if len(t.six) == 0 {
		return 0, 0
	}
	return t.locate6(a)
}

// Entry is one prefix of a table.
type Entry struct {
	Prefix netip.Prefix
	Place  Place
}

// NewTable builds a table from entries that do not overlap, in any order.
func NewTable(entries []Entry) (*Table, error) {
	b := newBuilder()
	for i, e := range entries {
		for _, o := range entries[:i] {
			if e.Prefix.Overlaps(o.Prefix) {
				return nil, &tandem.Error{Op: "build geographic table", Subject: e.Prefix.String(), Kind: tandem.Invalid, Err: errors.New("it overlaps " + o.Prefix.String()), Remedy: "give prefixes that are apart"}
			}
		}
		b.span(e.Prefix, b.number(e.Place))
	}
	return b.close(), nil
}

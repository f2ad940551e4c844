package geo

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"slices"

	"github.com/oschwald/maxminddb-golang/v2"

	"tandem"
)

// record is what is read of a database entry: the shapes of MaxMind's country and city databases, and the flat one of
// the free country databases.
type record struct {
	Country struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	Subdivisions []struct {
		Code string `maxminddb:"iso_code"`
	} `maxminddb:"subdivisions"`
	Location struct {
		Lat *float64 `maxminddb:"latitude"`
		Lon *float64 `maxminddb:"longitude"`
	} `maxminddb:"location"`
	Flat string `maxminddb:"country_code"`
}

// Load compiles a database of the MaxMind format into a table. Coordinates are rounded to whole degrees: a continent is
// chosen by them, not a street.
func Load(path string) (*Table, error) {
	bad := func(kind tandem.Kind, err error) (*Table, error) {
		return nil, &tandem.Error{Op: "load geographic database", Subject: path, Kind: kind, Err: err, Remedy: "give a file of the MaxMind format (.mmdb) with countries or cities"}
	}
	db, err := maxminddb.Open(path)
	if err != nil {
		return bad(tandem.Invalid, err)
	}
	defer db.Close()
	b := newBuilder()
	for result := range db.Networks() {
		if err := result.Err(); err != nil {
			return bad(tandem.Corrupt, err)
		}
		if err := b.add(result); err != nil {
			return bad(tandem.Corrupt, err)
		}
	}
	if len(b.table.places) == 1 {
		return bad(tandem.Invalid, errors.New("it names no country and no coordinates"))
	}
	return b.close(), nil
}

type builder struct {
	table    *Table
	ids      map[Place]uint32
	byOffset map[uintptr]uint32 // the database shares records
	four     []span4
	six      []span6
}

type span4 struct {
	first, last uint32
	place       uint32
}

type span6 struct {
	first, last entry6
	place       uint32
}

func newBuilder() *builder {
	return &builder{table: Unknown(), ids: map[Place]uint32{{}: 0}, byOffset: map[uintptr]uint32{}}
}

func (b *builder) add(r maxminddb.Result) error {
	place, ok := b.byOffset[r.Offset()]
	if !ok {
		var rec record
		if err := r.Decode(&rec); err != nil {
			return err
		}
		place = b.place(rec)
		b.byOffset[r.Offset()] = place
	}
	b.span(r.Prefix(), place)
	return nil
}

// span takes one prefix in.
func (b *builder) span(p netip.Prefix, place uint32) {
	p = p.Masked()
	if p.Addr().Is4() {
		a := p.Addr().As4()
		first := binary.BigEndian.Uint32(a[:])
		b.four = append(b.four, span4{first, first | uint32(uint64(1)<<(32-p.Bits())-1), place})
		return
	}
	a := p.Addr().As16()
	first := entry6{high: binary.BigEndian.Uint64(a[:8]), low: binary.BigEndian.Uint64(a[8:])}
	last := first
	if p.Bits() < 64 {
		last.high |= math.MaxUint64 >> p.Bits()
		last.low = math.MaxUint64
	} else {
		last.low |= math.MaxUint64 >> (p.Bits() - 64)
	}
	b.six = append(b.six, span6{first, last, place})
}

// place numbers a record's place.
func (b *builder) place(rec record) uint32 {
	p := Place{Country: cmp.Or(rec.Country.Code, rec.Flat)}
	if len(rec.Subdivisions) > 0 {
		p.State = rec.Subdivisions[0].Code
	}
	if rec.Location.Lat != nil && rec.Location.Lon != nil {
		p.At, p.Located = Point{math.Round(*rec.Location.Lat), math.Round(*rec.Location.Lon)}, true
	} else if at, ok := Centre(p.Chain()[0]); ok {
		p.At, p.Located = at, true
	}
	return b.number(p)
}

func (b *builder) number(p Place) uint32 {
	id, ok := b.ids[p]
	if !ok {
		id = uint32(len(b.table.places))
		b.ids[p] = id
		b.table.places = append(b.table.places, p)
	}
	return id
}

// close sorts the spans into starts, with the unknown place in the gaps, and gives the finished table.
func (b *builder) close() *Table {
	t := b.table
	slices.SortFunc(b.four, func(a, c span4) int { return cmp.Compare(a.first, c.first) })
	next := uint64(0)
	put4 := func(first uint64, place uint32) {
		if n := len(t.four); n == 0 || t.four[n-1].place != place {
			t.four = append(t.four, entry4{uint32(first), place})
		}
	}
	for _, s := range b.four {
		if uint64(s.first) > next {
			put4(next, 0)
		}
		put4(uint64(s.first), s.place)
		next = uint64(s.last) + 1
	}
	if next < 1<<32 {
		put4(next, 0)
	}
	slices.SortFunc(b.six, func(a, c span6) int {
		return cmp.Or(cmp.Compare(a.first.high, c.first.high), cmp.Compare(a.first.low, c.first.low))
	})
	var after entry6
	ended := false // the last span reached the end of the family
	put6 := func(first entry6, place uint32) {
		if n := len(t.six); n == 0 || t.six[n-1].place != place {
			t.six = append(t.six, entry6{first.high, first.low, place})
		}
	}
	for _, s := range b.six {
		if after.before(s.first) {
			put6(after, 0)
		}
		put6(s.first, s.place)
		if after = s.last.next(); after.high|after.low == 0 {
			ended = true
		}
	}
	if !ended {
		put6(after, 0)
	}
	t.finish()
	return t
}

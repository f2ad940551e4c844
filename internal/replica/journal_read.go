package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/snapshot"
	"tandem/internal/store"
)

// Point is a moment of a service's history. Revision and Time: one of the two.
type Point struct {
	Epoch    tandem.Epoch    // zero: the newest in the journal
	Revision tandem.Revision // the state as of it
	Time     time.Time       // the last state that was not committed after it, by the source's wall clock
}

// Base is what a journal is applied to: a snapshot's documents, as a store has them.
type Base struct {
	Generation tandem.Generation
	Revision   tandem.Revision
	Time       time.Time // when it was taken, by the clock of the source's region
	Documents  map[string][]byte
}

// Contents is a service at a point.
type Contents struct {
	Position
	Time      time.Time         // of the last entry that was applied; zero: the base alone
	Documents map[string][]byte // by key, as a store has them
	Segments  int               // that were applied
}

// maxContents bounds what a restore holds in memory, in bytes of keys and values.
const maxContents = 2 << 30

// At gives the service at the point, from the base or from a full entry in the journal, whichever is later; base may be nil.
// It verifies every segment from the journal's end back to there. NotFound: the journal does not reach the point, or does
// not reach back to the base; Corrupt names the segment.
func (j *Journal) At(ctx context.Context, p Point, base *Base) (Contents, error) {
	chain, err := j.chain(ctx, p, base, false)
	if err != nil {
		return Contents{}, err
	}
	out := Contents{Documents: map[string][]byte{}}
	out.Epoch = chain.epoch
	if !chain.fromJournal {
		out.Generation, out.Revision = base.Generation, base.Revision
		for k, v := range base.Documents {
			out.Documents[k] = v
		}
	}
	r := &replay{j: j, p: p, out: &out}
	for _, s := range slices.Backward(chain.segments) { // the chain was walked from its end
		again, err := j.read(ctx, s.name, r.apply)
		if errors.Is(err, errPastPoint) {
			break
		}
		if err != nil {
			return Contents{}, err
		}
		if again.sha256 != s.sha256 {
			return Contents{}, j.broken(s.name, errors.New("it changed while it was read"))
		}
		out.Segments++
	}
	if p.Revision > chain.last {
		return Contents{}, j.beyond(p, chain.last)
	}
	if out.Generation == 0 || r.lost && p.Revision != out.Revision {
		return Contents{}, j.beyond(p, chain.last)
	}
	if p.Revision > 0 {
		out.Revision = p.Revision
	}
	return out, nil
}

func (j *Journal) beyond(p Point, last tandem.Revision) error {
	return &tandem.Error{Op: "restore to a point", Subject: fmt.Sprintf("%s revision %d %s", j.Prefix, p.Revision, stamp(p.Time)), Kind: tandem.NotFound,
		Err: fmt.Errorf("the journal, which ends at revision %d, does not have the history there", last), Remedy: "choose a point that the journal covers, or an older snapshot"}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (j *Journal) broken(n SegmentName, err error) error {
	return &tandem.Error{Op: "read journal", Subject: j.Prefix + "/" + n.String(), Kind: tandem.Corrupt, Err: err, Remedy: "take another copy of the segment, or restore from a snapshot after it"}
}

// replay applies entries up to a point.
type replay struct {
	j    *Journal
	p    Point
	out  *Contents
	size int
	lost bool // the history between what was applied and the entry after the point
}

var errPastPoint = errors.New("the point is reached")

func (r *replay) apply(e Entry) error {
	if r.p.Revision > 0 && e.Revision > r.p.Revision || !r.p.Time.IsZero() && e.Time.After(r.p.Time) {
		r.lost = e.Kind == EntryFull && e.After == 0
		return errPastPoint
	}
	if e.Kind != EntryFull && e.Revision <= r.out.Revision {
		return nil // the snapshot has it
	}
	if e.Kind == EntryFull {
		clear(r.out.Documents)
		r.size = 0
		for d, err := range e.Documents {
			if err == nil {
				err = r.put(d)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, c := range e.Changes {
		if c.Deleted {
			delete(r.out.Documents, c.Key)
		} else if err := r.put(c.Document); err != nil {
			return err
		}
	}
	r.out.Position, r.out.Time = e.Position, e.Time
	return nil
}

func (r *replay) put(d store.Document) error {
	value, err := r.j.seal(d.Key, d.Value)
	if err != nil {
		return err
	}
	if r.size += len(d.Key) + len(value); r.size > maxContents {
		return &tandem.Error{Op: "replay journal", Subject: d.Key, Kind: tandem.TooLarge, Err: errors.New("the contents have more than 2 GiB"), Remedy: "restore from a later snapshot"}
	}
	r.out.Documents[d.Key] = value
	return nil
}

// chain is a verified run of segments, the newest first.
type chain struct {
	epoch       tandem.Epoch
	last        tandem.Revision // of the whole epoch's chain
	segments    []segment
	fromJournal bool // the oldest is a base that serves
}

// chain walks from the end of the epoch's history back to what serves the point; whole: to where the epoch begins, or to
// the last base that a retention has left.
func (j *Journal) chain(ctx context.Context, p Point, base *Base, whole bool) (chain, error) {
	all, err := j.Segments(ctx)
	if err != nil {
		return chain{}, err
	}
	var tip SegmentName
	for _, n := range all {
		if (p.Epoch == 0 || n.Epoch == p.Epoch) && (tip.Last == 0 || n.after(tip)) {
			tip = n
		}
	}
	if tip.Last == 0 {
		return chain{}, &tandem.Error{Op: "read journal", Subject: j.Prefix, Kind: tandem.NotFound, Err: errors.New("it has no segments of the epoch"), Remedy: "restore from a snapshot alone"}
	}
	out := chain{epoch: tip.Epoch, last: tip.Last}
	want := ""
	for name := tip; ; {
		served := false // by this segment, at its first entry
		s, err := j.read(ctx, name, func(e Entry) error {
			served = served || e.Kind == EntryFull && (p.Revision == 0 || e.Revision <= p.Revision) && (p.Time.IsZero() || !e.Time.After(p.Time))
			return nil
		})
		if err != nil {
			return out, err
		}
		if want != "" && s.sha256 != want {
			return out, j.broken(name, errors.New("its SHA-256 is not what the next segment says"))
		}
		if n := len(out.segments); n > 0 && out.segments[n-1].header.After > 0 && out.segments[n-1].header.After != s.name.Last {
			return out, j.broken(out.segments[n-1].name, fmt.Errorf("it continues revision %d and follows a segment that ends at %d", out.segments[n-1].header.After, s.name.Last))
		}
		out.segments = append(out.segments, s)
		if whole && s.base {
			served = s.header.Previous == nil || !slices.ContainsFunc(all, func(n SegmentName) bool { return n.Epoch == tip.Epoch && n.String() == s.header.Previous.Name })
		} else if whole {
			served = false
		}
		switch {
		case served:
			out.fromJournal = true
			return out, nil
		case base != nil && !s.base && s.header.After <= base.Revision && base.covers(p):
			if s.header.Generation != base.Generation && s.name.First <= base.Revision {
				return out, j.broken(name, fmt.Errorf("it is of generation %d, and the snapshot of revision %d is of generation %d", s.header.Generation, base.Revision, base.Generation))
			}
			return out, nil
		case s.header.Previous == nil:
			return out, j.beyond(p, out.last)
		case whole && s.header.After > 0 && trimmed(all, s):
			return out, nil
		}
		previous, err := ParseSegmentName(s.header.Previous.Name)
		if err != nil {
			return out, err
		}
		if previous.Epoch != out.epoch {
			return out, j.beyond(p, out.last)
		}
		if !previous.before(name) {
			return out, j.broken(name, errors.New("the segment before it is not an earlier one"))
		}
		name, want = previous, s.header.Previous.SHA256
	}
}

// trimmed tells whether a segment is the oldest that is left of its epoch: what was before it was deleted, and a snapshot takes
// its place. A segment that is missing has older ones before it.
func trimmed(all []SegmentName, s segment) bool {
	return !slices.ContainsFunc(all, func(n SegmentName) bool { return n.Epoch == s.name.Epoch && n.Last < s.name.First })
}

// covers tells whether the base may serve a point: it is not after it.
func (b *Base) covers(p Point) bool {
	return (p.Revision == 0 || b.Revision <= p.Revision) && (p.Time.IsZero() || !b.Time.After(p.Time))
}

// before tells whether n ends before m begins; so that a chain has an end.
func (n SegmentName) before(m SegmentName) bool { return n.Epoch < m.Epoch || n.Last < m.First }

// Verified is what Verify has proven.
type Verified struct {
	Segments, Entries int
	Bytes             int64 // in the vault
	From, To          Position
	Needs             tandem.Revision // a snapshot of this revision or later is needed to begin with; zero: a full entry is there
	Forks             []SegmentName   // whole segments of the epoch that the chain does not use: another writer's at the same time
}

// Verify reads every byte of an epoch's history (zero: the newest epoch) from its end back to its first segment, and checks
// all that a restore would. Where a retention has deleted the oldest segments, it ends at the oldest base that is left.
func (j *Journal) Verify(ctx context.Context, e tandem.Epoch) (Verified, error) {
	all, err := j.Segments(ctx)
	if err != nil {
		return Verified{}, err
	}
	c, err := j.chain(ctx, Point{Epoch: e}, nil, true)
	if err != nil {
		return Verified{}, err
	}
	out := Verified{Segments: len(c.segments)}
	if !c.fromJournal {
		out.Needs = c.segments[len(c.segments)-1].header.After
	}
	used := map[SegmentName]bool{}
	for _, s := range c.segments {
		out.Entries += s.entries
		out.Bytes += s.bytes
		used[s.name] = true
	}
	first, last := c.segments[len(c.segments)-1].name, c.segments[0].name
	out.From = Position{first.Epoch, first.Generation, first.First}
	out.To = Position{last.Epoch, last.Generation, last.Last}
	for _, n := range all {
		if n.Epoch == c.epoch && !used[n] {
			if _, err := j.read(ctx, n, func(Entry) error { return nil }); err != nil {
				return out, err
			}
			out.Forks = append(out.Forks, n)
		}
	}
	return out, nil
}

// Resources gives the service's resources at a point: a snapshot (m and all; all nil: none, the journal begins with what it
// needs) and the journal after it. The journal's Sealer must be the one of the deployment.
func (j *Journal) Resources(ctx context.Context, p Point, table *apim.Table, m snapshot.Manifest, all []snapshot.Resource) ([]snapshot.Resource, Contents, error) {
	var base *Base
	var service []snapshot.Resource
	if all != nil {
		base = &Base{Generation: m.Generation, Revision: m.Revision, Time: m.Created, Documents: map[string][]byte{}}
		im, err := newImporter(table, j.Sealer, all)
		if err != nil {
			return nil, Contents{}, err
		}
		for _, r := range all {
			if r.Path == "" {
				service = append(service, r)
				continue
			}
			writes, err := im.writes(r)
			if err != nil {
				return nil, Contents{}, err
			}
			for _, w := range writes {
				base.Documents[w.Key] = w.Value
			}
		}
	}
	c, err := j.At(ctx, p, base)
	if err != nil {
		return nil, Contents{}, err
	}
	docs := make([]store.Document, 0, len(c.Documents))
	for key, value := range c.Documents {
		docs = append(docs, store.Document{Key: key, Value: value})
	}
	out, err := resources(docs, table, j.Sealer)
	return append(service, out...), c, err
}

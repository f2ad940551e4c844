package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"tandem"
	"tandem/internal/store"
)

// frames is an entry as it is sent.
func framesOf(t testing.TB, entries ...Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, e := range entries {
		if err := writeEntry(&b, e); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// FuzzFrames: whatever arrives is refused as corrupt, or is exactly what a writer writes of what was read.
func FuzzFrames(f *testing.F) {
	f.Add(framesOf(f, commitEntry(5, 9, change("a", "1"), deletion("b"))))
	f.Add(framesOf(f, fullEntry(7, numbered(3, "x")...), Entry{Kind: EntryBeat, Position: Position{Generation: 1, Revision: 9}, After: 7, Time: noon, Mark: 5, Age: 6, Newest: 11}))
	f.Add(framesOf(f, fullEntry(7)))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		next := func() (frameKind, []byte, error) { return readFrame(r) }
		for {
			from := len(in) - r.Len()
			k, payload, err := next()
			if err == io.EOF {
				return
			}
			var e Entry
			if err == nil {
				e, err = readEntry(k, payload, next)
			}
			var docs []store.Document
			if err == nil && e.Documents != nil {
				for d, bad := range e.Documents {
					if bad != nil {
						err = bad
						break
					}
					docs = append(docs, d)
				}
				e.Documents = fullEntry(1, docs...).Documents
			}
			if err != nil {
				if tandem.KindOf(err) != tandem.Corrupt {
					t.Fatalf("the error is %v", err)
				}
				return
			}
			if e.Kind == EntryFull {
				continue // its documents may be spread over frames in many ways
			}
			if got := framesOf(t, e); !bytes.Equal(got, in[from:len(in)-r.Len()]) {
				t.Fatalf("read and written again, %x is %x", in[from:len(in)-r.Len()], got)
			}
		}
	})
}

// FuzzSegment: the frames of a segment are read without harm, whatever they are.
func FuzzSegment(f *testing.F) {
	name := SegmentName{0, 1, 6, 9}
	header, err := segmentHeader{journalFormat, journalVersion, "s", 0, 1, 5, &segmentLink{"x", "y"}}.encode()
	if err != nil {
		f.Fatal(err)
	}
	whole := append(appendFrame(nil, frameHello, header), framesOf(f, commitEntry(5, 9, change("a", "1")))...)
	sum := sha256.Sum256(whole)
	end := append(binary.AppendUvarint(binary.AppendUvarint(nil, 1), 9), sum[:]...)
	whole = appendFrame(whole, frameEnd, end)
	if err := (&segment{name: name}).frames(bytes.NewReader(whole), "s", func(Entry) error { return nil }); err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, in []byte) {
		s := &segment{name: name}
		err := s.frames(bytes.NewReader(in), "s", func(Entry) error { return nil })
		if k := tandem.KindOf(err); err != nil && k != tandem.Corrupt && k != tandem.Unsupported {
			t.Fatalf("the error is %v", err)
		}
	})
}

// FuzzSegmentName: a name is read only in the form that is written.
func FuzzSegmentName(f *testing.F) {
	f.Add(SegmentName{1, 2, 3, 4}.String())
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := ParseSegmentName(s); err == nil && n.String() != s {
			t.Fatalf("%q is read as %q", s, n)
		}
	})
}

// FuzzCounters: read and written again, a set of counters is the same.
func FuzzCounters(f *testing.F) {
	f.Add(appendCounters(nil, []Counter{{Key: CounterKey("k"), Current: 1, Before: 2, Elapsed: 3}}))
	f.Fuzz(func(t *testing.T, in []byte) {
		d := &decoder{b: in}
		all := d.counters()
		if err := d.end(); err == nil && !bytes.Equal(appendCounters(nil, all), in) {
			t.Fatalf("%x is %x", in, appendCounters(nil, all))
		}
	})
}

// TestSegmentRules: frames that are sound and in the wrong place are refused.
func TestSegmentRules(t *testing.T) {
	head := func(after tandem.Revision) []byte {
		h, err := segmentHeader{journalFormat, journalVersion, "s", 0, 1, after, nil}.encode()
		if err != nil {
			t.Fatal(err)
		}
		return appendFrame(nil, frameHello, h)
	}
	end := func(entries, last uint64, b []byte) []byte {
		sum := sha256.Sum256(b)
		return appendFrame(b, frameEnd, append(binary.AppendUvarint(binary.AppendUvarint(nil, entries), last), sum[:]...))
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	one, two := framesOf(t, commitEntry(5, 7, change("a", "1"))), framesOf(t, commitEntry(7, 9, change("a", "2")))
	for name, c := range map[string]struct {
		frames []byte
		name   SegmentName
		ok     bool
	}{
		"sound":                     {end(2, 9, join(head(5), one, two)), SegmentName{0, 1, 6, 9}, true},
		"a base":                    {end(1, 9, join(head(0), framesOf(t, fullEntry(9, doc("a", "1"))))), SegmentName{0, 1, 9, 9}, true},
		"no entries":                {end(0, 5, head(5)), SegmentName{0, 1, 6, 5}, false},
		"no header":                 {end(1, 7, one), SegmentName{0, 1, 6, 7}, false},
		"an entry is missing":       {end(1, 9, join(head(5), two)), SegmentName{0, 1, 6, 9}, false},
		"entries in another order":  {end(2, 7, join(head(7), two, one)), SegmentName{0, 1, 8, 7}, false},
		"a full among commits":      {end(2, 9, join(head(5), one, framesOf(t, fullEntry(9)))), SegmentName{0, 1, 6, 9}, false},
		"a commit after a full":     {end(2, 9, join(head(0), framesOf(t, fullEntry(7)), two)), SegmentName{0, 1, 7, 9}, false},
		"another number of entries": {end(3, 9, join(head(5), one, two)), SegmentName{0, 1, 6, 9}, false},
		"a name that says more":     {end(2, 9, join(head(5), one, two)), SegmentName{0, 1, 6, 10}, false},
		"a name of another epoch":   {end(2, 9, join(head(5), one, two)), SegmentName{1, 1, 6, 9}, false},
		"no end":                    {join(head(5), one, two), SegmentName{0, 1, 6, 9}, false},
		"readings of the clock":     {end(1, 7, join(head(5), framesOf(t, Entry{Kind: EntryBeat, Position: Position{Generation: 1, Revision: 7}, After: 5, Time: noon, Age: 1}))), SegmentName{0, 1, 6, 7}, false},
	} {
		err := (&segment{name: c.name}).frames(bytes.NewReader(c.frames), "s", func(Entry) error { return nil })
		if c.ok != (err == nil) || err != nil && !errors.Is(err, tandem.Corrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package replica

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/vault"
)

// JournalWriterConfig describes a JournalWriter.
type JournalWriterConfig struct {
	Journal  *Journal
	Source   *Source
	Clock    tandem.Clock
	Log      *slog.Logger
	Interval time.Duration // a commit waits for others at most so long; zero: half a second
	Bytes    int           // a segment is put once its entries have so many; zero: 1 MiB
}

// JournalWriter puts a source's history into the vault.
type JournalWriter struct {
	JournalWriterConfig
	meter *lagMeter
}

// NewJournalWriter makes a writer.
func NewJournalWriter(c JournalWriterConfig) *JournalWriter {
	if c.Interval <= 0 {
		c.Interval = 500 * time.Millisecond
	}
	if c.Bytes <= 0 {
		c.Bytes = 1 << 20
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &JournalWriter{JournalWriterConfig: c, meter: newLagMeter(c.Clock)}
}

// Lag is how far the journal is behind the source.
func (w *JournalWriter) Lag() Lag { return w.meter.lag() }

// Run writes until ctx ends, which is its error, or another epoch has taken over (Precondition). What fails it tries again.
func (w *JournalWriter) Run(ctx context.Context) error {
	pause := firstPause
	for {
		progress, err := w.once(ctx)
		w.meter.attach(false)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errOldEpoch):
			return err
		}
		if progress {
			pause = firstPause
		}
		w.Log.Warn("the journal cannot be written; it is tried again", "service", w.Journal.Service, "after", pause, "error", err)
		if err := w.Clock.Sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, lastPause)
	}
}

var errOldEpoch = errors.New("a newer epoch writes the journal")

// writing is one run over the source, from the journal's end.
type writing struct {
	*JournalWriter
	at       Position // all up to it is in the journal
	previous *segmentLink
	progress bool

	mu      sync.Mutex // of what is pending: entries come on one goroutine, the interval ends on another
	frames  []byte
	count   uint64
	pending []Entry // without their changes
	due     time.Time
}

func (w *JournalWriter) once(ctx context.Context) (bool, error) {
	tip, previous, err := w.Journal.tip(ctx)
	if err != nil {
		return false, err
	}
	now, err := w.Source.Space.Head(ctx)
	if err != nil {
		return false, err
	}
	if tip.Epoch > now.Epoch {
		return false, &tandem.Error{Op: "write journal", Subject: w.Journal.Prefix, Kind: tandem.Precondition, Err: fmt.Errorf("%w: %d, this service has %d", errOldEpoch, tip.Epoch, now.Epoch), Remedy: "stop writing: the service was replaced"}
	}
	g := &writing{JournalWriter: w, at: Position{tip.Epoch, tip.Generation, tip.Last}, previous: previous}
	ctx, cancel := context.WithCancelCause(ctx)
	var timer sync.WaitGroup
	timer.Go(func() { cancel(g.flushInTime(ctx)) })
	w.meter.attach(true)
	err = w.Source.Follow(ctx, g.at, w.meter.reading, func(e Entry) error { return g.take(ctx, e) })
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	cancel(err)
	timer.Wait()
	return g.progress, err
}

// flushInTime puts what has waited long enough.
func (g *writing) flushInTime(ctx context.Context) error {
	for {
		if err := g.Clock.Sleep(ctx, g.Interval/4); err != nil {
			return err
		}
		g.mu.Lock()
		var err error
		if len(g.pending) > 0 && !g.Clock.Now().Before(g.due) {
			err = g.flush(ctx)
		}
		g.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// take adds an entry to the segment that is being made.
func (g *writing) take(ctx context.Context, e Entry) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.meter.heard(e)
	if n := len(g.pending); n > 0 && (e.Kind == EntryFull || e.Epoch != g.pending[0].Epoch || e.Generation != g.pending[0].Generation) {
		if err := g.flush(ctx); err != nil {
			return err
		}
	}
	last := g.at.Revision
	if n := len(g.pending); n > 0 {
		last = g.pending[n-1].Revision
	}
	switch {
	case e.Kind == EntryFull:
		return g.full(ctx, e)
	case e.Kind == EntryBeat && len(g.pending) == 0: // there is nothing to write
		g.meter.done(e)
		return nil
	}
	written := e
	written.After = last // beats between were not written: nothing changed in them
	written.Newest, written.Age, written.Mark = 0, 0, 0
	written.Changes = nil
	for _, c := range e.Changes {
		if !c.Deleted {
			var err error
			if c.Value, err = g.Journal.open(c.Document); err != nil {
				return err
			}
		}
		written.Changes = append(written.Changes, c)
	}
	var frames bytes.Buffer
	if err := writeEntry(&frames, written); err != nil {
		return err
	}
	if len(g.pending) == 0 {
		g.due = g.Clock.Now().Add(g.Interval)
	}
	g.frames, g.count = append(g.frames, frames.Bytes()...), g.count+1
	e.Changes = nil
	g.pending = append(g.pending, e)
	if len(g.frames) >= g.Bytes {
		return g.flush(ctx)
	}
	return nil
}

// flush puts the pending entries as one segment.
func (g *writing) flush(ctx context.Context) error {
	last := g.pending[len(g.pending)-1]
	name := SegmentName{last.Epoch, last.Generation, g.at.Revision + 1, last.Revision}
	frames, count := g.frames, g.count
	err := g.put(ctx, name, g.at.Revision, func(w *segmentWriter) error {
		w.entries = count
		_, err := w.Write(frames)
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range g.pending {
		g.meter.done(e)
	}
	g.at, g.frames, g.count, g.pending = last.Position, nil, 0, nil
	return nil
}

// full puts a full entry as a segment of its own, while it is read.
func (g *writing) full(ctx context.Context, e Entry) error {
	name := SegmentName{e.Epoch, e.Generation, e.Revision, e.Revision}
	written := e
	if e.After > 0 {
		written.After = g.at.Revision // beats between were not written
	}
	written.Newest, written.Age, written.Mark = 0, 0, 0
	written.Documents = func(yield func(store.Document, error) bool) {
		for d, err := range e.Documents {
			if err == nil {
				d.Value, err = g.Journal.open(d)
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
	err := g.put(ctx, name, written.After, func(w *segmentWriter) error {
		w.entries = 1
		return writeEntry(w, written)
	})
	if err != nil {
		return err
	}
	g.at = e.Position
	g.meter.done(e)
	return nil
}

// put writes one segment and links the next to it.
func (g *writing) put(ctx context.Context, name SegmentName, after tandem.Revision, body func(*segmentWriter) error) error {
	j := g.Journal
	header, err := segmentHeader{journalFormat, journalVersion, j.Service, name.Epoch, name.Generation, after, g.previous}.encode()
	if err != nil {
		return err
	}
	r, pipe := io.Pipe()
	sum := sha256.New()
	var sealing sync.WaitGroup
	sealing.Go(func() {
		_ = pipe.CloseWithError(func() error {
			w, err := newSegmentWriter(io.MultiWriter(pipe, sum), j.Recipients)
			if err != nil {
				return err
			}
			if _, err = w.Write(appendFrame(nil, frameHello, header)); err == nil {
				err = body(w)
			}
			if err != nil {
				return errors.Join(err, w.zstd.Close()) // age stays open: the blob never looks whole
			}
			return w.end(name.Last)
		}())
	})
	_, err = j.Vault.Put(ctx, j.Prefix+"/"+name.String(), r, vault.PutOptions{IfAbsent: true})
	_ = r.CloseWithError(io.ErrClosedPipe) // a vault that failed early did not read to the end
	sealing.Wait()
	if err != nil {
		return err
	}
	g.previous = &segmentLink{name.String(), hex.EncodeToString(sum.Sum(nil))}
	g.progress = true
	return nil
}

// Segments are the names in the vault, in their order.
func (j *Journal) Segments(ctx context.Context) ([]SegmentName, error) {
	var out []SegmentName
	for info, err := range j.Vault.List(ctx, j.Prefix+"/") {
		if err != nil {
			return nil, err
		}
		n, err := ParseSegmentName(strings.TrimPrefix(info.Name, j.Prefix+"/"))
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b SegmentName) int { return compareText(a.String(), b.String()) })
	return out, nil
}

// tip finds where the journal ends, and what a next segment is linked to; zero and nil for an empty journal.
func (j *Journal) tip(ctx context.Context) (SegmentName, *segmentLink, error) {
	all, err := j.Segments(ctx)
	if err != nil || len(all) == 0 {
		return SegmentName{}, nil, err
	}
	tip := all[0]
	for _, n := range all {
		if n.after(tip) {
			tip = n
		}
	}
	r, _, err := j.Vault.Get(ctx, j.Prefix+"/"+tip.String(), vault.Range{})
	if err != nil {
		return tip, nil, err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, r)
	return tip, &segmentLink{tip.String(), hex.EncodeToString(sum.Sum(nil))}, errors.Join(err, r.Close())
}

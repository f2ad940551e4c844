package auditlog

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tandem"
	"tandem/internal/arm"
)

// Config says where a log lies and how much it keeps. Dir, Node, Clock and Log are needed.
type Config struct {
	Dir   string // of this log alone; it is made where it is absent
	Node  string
	Clock tandem.Clock
	Log   *slog.Logger
	// SegmentBytes is when a segment ends, in bytes; zero: 8 MiB. A segment ends with its day (UTC) too.
	SegmentBytes int64
	// MaxBytes bounds all segments together; zero: 512 MiB. The oldest go first.
	MaxBytes int64
	// MaxAge is how long entries are kept at least, while MaxBytes allows it; zero: 90 days, as Azure's.
	MaxAge time.Duration
	// SyncEvery is how long an entry may wait for its fsync; zero: one second. An entry is in the operating system's hands
	// before the caller has its answer, so the end of the process loses none; a power cut loses those of this time.
	SyncEvery time.Duration
}

// Log implements arm.Auditor. Its methods may be called from many goroutines.
type Log struct {
	Config
	stop    context.CancelFunc
	syncing sync.WaitGroup

	mu       sync.Mutex
	segments []segment // the oldest first; the last one is written
	file     *os.File
	dirty    bool
	failing  bool // the last write failed; it was told
	next     uint64
	lost     uint64
	closed   bool
}

var _ arm.Auditor = (*Log)(nil)

// Open opens the log of a folder. A line that a crash cut off is removed: its call had no answer.
func Open(c Config) (*Log, error) {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 8 << 20
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 512 << 20
	}
	if c.MaxAge == 0 {
		c.MaxAge = 90 * 24 * time.Hour
	}
	if c.SyncEvery == 0 {
		c.SyncEvery = time.Second
	}
	l := &Log{Config: c, next: 1}
	if err := l.open(); err != nil {
		return nil, &tandem.Error{Op: "open audit log", Subject: c.Dir, Kind: kindOr(err, tandem.Unavailable), Err: err, Remedy: "make the folder writable for this process alone"}
	}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.syncing.Go(func() {
		for c.Clock.Sleep(ctx, c.SyncEvery) == nil {
			l.sync()
		}
	})
	return l, nil
}

func (l *Log) open() error {
	if err := os.MkdirAll(l.Dir, 0o700); err != nil {
		return err
	}
	var err error
	if l.segments, err = readSegments(l.Dir); err != nil {
		return err
	}
	if n := len(l.segments); n > 0 {
		last := &l.segments[n-1]
		if l.next, err = last.repair(); err != nil {
			return err
		}
		l.file, err = os.OpenFile(last.path, os.O_WRONLY|os.O_APPEND, 0o600)
	}
	if err == nil {
		l.forget()
	}
	return err
}

// Audit implements arm.Auditor. Where the log cannot be written the call goes on, and the loss is counted and logged: a full
// disk must not keep a recovery from being carried out.
func (l *Log) Audit(_ context.Context, r arm.AuditRecord) {
	if !Keeps(r) {
		return
	}
	e := entryOf(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Node, e.Sequence = l.Node, l.next
	err := l.append(e)
	if err == nil {
		l.next++
		l.failing = false
		return
	}
	l.lost++
	if !l.failing {
		l.Log.Error("the audit log cannot be written; calls go on without being recorded", "folder", l.Dir, "error", err)
	}
	l.failing = true
}

// Lost is how many calls could not be recorded since the log was opened.
func (l *Log) Lost() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

func (l *Log) append(e Entry) error {
	if l.closed {
		return tandem.Closed
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if err := l.room(e.Time); err != nil {
		return err
	}
	last := &l.segments[len(l.segments)-1]
	n, err := l.file.Write(line)
	if err != nil {
		if n > 0 { // half a line would spoil the next one
			err = errors.Join(err, l.file.Truncate(last.size))
		}
		return err
	}
	last.size += int64(n)
	l.dirty = true
	return nil
}

// room ends the segment where it is full or of another day, and makes the next one.
func (l *Log) room(now time.Time) error {
	if n := len(l.segments); n > 0 {
		last := l.segments[n-1]
		if last.size == 0 || last.size < l.SegmentBytes && last.first.Format(time.DateOnly) == now.Format(time.DateOnly) {
			if last.size == 0 {
				l.segments[n-1].first = now
			}
			return nil
		}
	}
	s := segment{path: filepath.Join(l.Dir, segmentName(l.next)), first: now}
	f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if l.file != nil {
		err = errors.Join(l.file.Sync(), l.file.Close())
	}
	l.file, l.segments = f, append(l.segments, s)
	l.forget()
	return errors.Join(err, syncDir(l.Dir))
}

// forget deletes segments that are too old or too many. The one being written stays.
func (l *Log) forget() {
	total := int64(0)
	for _, s := range l.segments {
		total += s.size
	}
	old := l.Clock.Now().Add(-l.MaxAge)
	for len(l.segments) > 1 && (total > l.MaxBytes || l.segments[1].first.Before(old)) {
		if err := os.Remove(l.segments[0].path); err != nil && !errors.Is(err, os.ErrNotExist) {
			l.Log.Warn("an old segment of the audit log cannot be deleted; it is tried again with the next segment", "segment", l.segments[0].path, "error", err)
			return
		}
		total -= l.segments[0].size
		l.segments = l.segments[1:]
	}
}

func (l *Log) sync() {
	l.mu.Lock()
	f, dirty := l.file, l.dirty
	l.dirty = false
	l.mu.Unlock()
	if !dirty {
		return
	}
	if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) { // a segment that ended was synced then
		l.Log.Error("the audit log cannot be synced to its disk", "folder", l.Dir, "error", err)
	}
}

// Close syncs and ends the log.
func (l *Log) Close() error {
	l.stop()
	l.syncing.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if l.file == nil {
		return nil
	}
	return errors.Join(l.file.Sync(), l.file.Close())
}

// Export writes the entries of a time, the oldest first, as JSON lines. Zero times are open ends.
func (l *Log) Export(ctx context.Context, w io.Writer, from, to time.Time) error {
	out := bufio.NewWriter(w)
	for _, s := range l.within(from, to) {
		lines, err := s.lines()
		if err != nil {
			return err
		}
		for i, line := range lines {
			e, err := s.decode(line, i)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return errors.Join(err, out.Flush())
			}
			if !from.IsZero() && e.Time.Before(from) || !to.IsZero() && e.Time.After(to) {
				continue
			}
			if _, err := out.Write(append(bytes.Clone(line), '\n')); err != nil {
				return fmt.Errorf("write the export of the audit log: %w", err)
			}
		}
	}
	return out.Flush()
}

func kindOr(err error, kind tandem.Kind) tandem.Kind {
	if k := tandem.KindOf(err); k != "" {
		return k
	}
	return kind
}

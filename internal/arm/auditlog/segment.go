package auditlog

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tandem"
)

// clockSlack is how far back the clock of a node is expected to be set: entries are looked for this far beyond the segments
// whose times say that they are there.
const clockSlack = 10 * time.Minute

// segment is one file of the log.
type segment struct {
	path  string
	first time.Time // of its first entry; while it is empty, of none
	size  int64     // of whole lines
}

// segmentName names a segment by the sequence of its first entry, so that names sort as entries do.
func segmentName(first uint64) string { return fmt.Sprintf("audit-%020d.jsonl", first) }

func readSegments(dir string) ([]segment, error) {
	names, err := filepath.Glob(filepath.Join(dir, "audit-*.jsonl"))
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	out := make([]segment, len(names))
	for i, name := range names {
		out[i] = segment{path: name}
		if err := out[i].look(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// look reads the size and the first entry's time.
func (s *segment) look() error {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	s.size = info.Size()
	line, err := bufio.NewReader(f).ReadBytes('\n')
	if errors.Is(err, io.EOF) { // no whole line: repair settles it
		s.first = info.ModTime().UTC()
		return nil
	}
	if err != nil {
		return err
	}
	e, err := s.decode(line, 0)
	s.first = e.Time
	return err
}

// repair cuts a line off that has no end, and gives the sequence of the entry that comes next.
func (s *segment) repair() (uint64, error) {
	raw, err := os.ReadFile(s.path)
	if err != nil {
		return 0, err
	}
	whole := bytes.LastIndexByte(raw, '\n') + 1
	if whole < len(raw) {
		if err := os.Truncate(s.path, int64(whole)); err != nil {
			return 0, err
		}
	}
	s.size = int64(whole)
	if whole == 0 {
		var first uint64
		if _, err := fmt.Sscanf(filepath.Base(s.path), "audit-%d.jsonl", &first); err != nil {
			return 0, &tandem.Error{Op: "read audit log", Subject: s.path, Kind: tandem.Corrupt, Err: err, Remedy: "move the file out of the folder"}
		}
		return first, nil
	}
	lines := bytes.Split(raw[:whole-1], []byte{'\n'})
	e, err := s.decode(lines[len(lines)-1], len(lines)-1)
	return e.Sequence + 1, err
}

// lines reads the whole lines of the segment.
func (s segment) lines() ([][]byte, error) {
	raw, err := os.ReadFile(s.path)
	if err != nil {
		return nil, err
	}
	raw = raw[:min(int64(len(raw)), s.size)] // what is being written is not looked at
	if len(raw) == 0 {
		return nil, nil
	}
	return bytes.Split(bytes.TrimSuffix(raw, []byte{'\n'}), []byte{'\n'}), nil
}

func (s segment) decode(line []byte, at int) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil || e.Sequence == 0 {
		return e, &tandem.Error{Op: "read audit log", Subject: fmt.Sprintf("%s, line %d", s.path, at+1), Kind: tandem.Corrupt, Err: err,
			Remedy: "keep the file as it is for whoever looks into it, and move it out of the folder"}
	}
	return e, nil
}

// within gives the segments that may have entries of a time.
func (l *Log) within(from, to time.Time) []segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []segment
	for i, s := range l.segments {
		if !to.IsZero() && s.first.After(to.Add(clockSlack)) {
			continue
		}
		if i+1 < len(l.segments) && !from.IsZero() && l.segments[i+1].first.Before(from.Add(-clockSlack)) {
			continue
		}
		out = append(out, s)
	}
	return out
}

// Entries gives the entries of a time, the newest first. Zero times are open ends. It ends after the first error.
func (l *Log) Entries(ctx context.Context, from, to time.Time) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, s := range slices.Backward(l.within(from, to)) {
			lines, err := s.lines()
			if errors.Is(err, fs.ErrNotExist) { // forgotten meanwhile
				return
			}
			for i, line := range slices.Backward(lines) {
				e, bad := s.decode(line, i)
				if err = errors.Join(bad, ctx.Err()); err != nil {
					break
				}
				if (from.IsZero() || !e.Time.Before(from)) && (to.IsZero() || !e.Time.After(to)) && !yield(e, nil) {
					return
				}
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

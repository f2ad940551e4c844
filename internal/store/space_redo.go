package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sort"
	"strings"

	"tandem"
)

// redoWrite is one put or deletion of a redo log.
type redoWrite struct {
	key     string
	value   []byte
	deleted bool
}

// append encodes the write: the lengths of key and value as unsigned varints, that of the value plus one and zero for a
// deletion; then key and value.
func (w redoWrite) append(to []byte) []byte {
	to = binary.AppendUvarint(to, uint64(len(w.key)))
	n := uint64(0)
	if !w.deleted {
		n = uint64(len(w.value)) + 1
	}
	to = binary.AppendUvarint(to, n)
	return append(append(to, w.key...), w.value...)
}

var errRedo = errors.New("its bytes are not those of a redo log")

// decodePart is the inverse of append, over all writes of a part.
func decodePart(part []byte) ([]redoWrite, error) {
	var out []redoWrite
	for len(part) > 0 {
		k, n := binary.Uvarint(part)
		if n <= 0 {
			return nil, errRedo
		}
		part = part[n:]
		v, n := binary.Uvarint(part)
		if n <= 0 {
			return nil, errRedo
		}
		part = part[n:]
		w := redoWrite{deleted: v == 0}
		v = max(v, 1) - 1
		if k > uint64(len(part)) || v > uint64(len(part))-k {
			return nil, errRedo
		}
		w.key, w.value, part = string(part[:k]), part[k:k+v:k+v], part[k+v:]
		out = append(out, w)
	}
	return out, nil
}

// redoLog is the writes of a decided batch, in the order of their keys.
type redoLog []redoWrite

// knownRedo is the log that was read last.
type knownRedo struct {
	batch string
	log   redoLog
}

// redo reads the log that a head names, as of a revision; zero is now. NotFound: it is finished.
func (s *Space) redo(ctx context.Context, h Head, at tandem.Revision) (redoLog, error) {
	if known := s.lastRedo.Load(); known != nil && known.batch == h.Redo.Batch {
		return known.log, nil
	}
	var log redoLog
	for i := range h.Redo.Parts {
		d, err := s.store.Get(ctx, s.partKey(h.Redo.Batch, i), at)
		if tandem.KindOf(err) == tandem.NotFound && at == 0 {
			if now, gone := s.Head(ctx); gone != nil || now.Revision != h.Revision {
				return nil, errors.Join(err, gone)
			}
		}
		var part []redoWrite
		if err == nil {
			part, err = decodePart(d.Value)
		}
		if kind := tandem.KindOf(err); err != nil && (kind == "" || kind == tandem.NotFound) {
			err = &tandem.Error{Op: "read redo log", Subject: s.partKey(h.Redo.Batch, i), Kind: tandem.Corrupt, Err: err, Remedy: "restore the service from a backup"}
		}
		if err != nil {
			return nil, err
		}
		log = append(log, part...)
	}
	slices.SortFunc(log, func(a, b redoWrite) int { return cmp.Compare(a.key, b.key) })
	s.lastRedo.Store(&knownRedo{h.Redo.Batch, log})
	return log, nil
}

func (s *Space) isPart(key string) bool { return strings.HasPrefix(key, s.prefix+"/redo/") }

// from is where the keys begin that are not less than the key.
func (l redoLog) from(key string) int {
	return sort.Search(len(l), func(i int) bool { return l[i].key >= key })
}

func (l redoLog) find(key string) (redoWrite, bool) {
	if i := l.from(key); i < len(l) && l[i].key == key {
		return l[i], true
	}
	return redoWrite{}, false
}

// document is the write as readers see it: of the deciding commit.
func (w redoWrite) document(r tandem.Revision) Document {
	return Document{Key: w.key, Value: slices.Clone(w.value), Created: r, Revision: r}
}

// over lays the log over a listing of everything after o.After, and cuts the result to o.Limit. It gives their number before
// the cut too.
func (l redoLog) over(below []Document, prefix string, o ListOptions, r tandem.Revision) (out []Document, total int) {
	i := l.from(max(prefix, o.After))
	for i < len(l) && strings.HasPrefix(l[i].key, prefix) || len(below) > 0 {
		mine := i < len(l) && strings.HasPrefix(l[i].key, prefix)
		if mine && l[i].key == o.After {
			i++
			continue
		}
		if !mine || len(below) > 0 && below[0].Key < l[i].key {
			out, below = append(out, below[0]), below[1:]
			continue
		}
		if len(below) > 0 && below[0].Key == l[i].key {
			below = below[1:]
		}
		if !l[i].deleted {
			out = append(out, l[i].document(r))
		}
		i++
	}
	if o.Limit > 0 && len(out) > o.Limit {
		return out[:o.Limit], len(out)
	}
	return out, len(out)
}

// changes are the log as a watcher sees it.
func (l redoLog) changes(r tandem.Revision) []Change {
	out := make([]Change, len(l))
	for i, w := range l {
		if out[i] = (Change{Document: w.document(r), Deleted: w.deleted}); w.deleted {
			out[i].Value, out[i].Created = nil, 0
		}
	}
	return out
}

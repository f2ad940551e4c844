package replica

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/vault"
)

// segmentWriter seals frames into a segment.
type segmentWriter struct {
	age     io.WriteCloser
	zstd    *zstd.Encoder
	sum     hash.Hash // of the frames
	entries uint64
}

func newSegmentWriter(w io.Writer, to []age.Recipient) (*segmentWriter, error) {
	sealed, err := age.Encrypt(w, to...)
	if err != nil {
		return nil, &tandem.Error{Op: "encrypt journal", Kind: tandem.Invalid, Err: err, Remedy: "give at least one recipient"}
	}
	z, err := zstd.NewWriter(sealed, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(4<<20))
	return &segmentWriter{age: sealed, zstd: z, sum: sha256.New()}, err
}

func (w *segmentWriter) Write(p []byte) (int, error) {
	w.sum.Write(p)
	return w.zstd.Write(p)
}

// end writes the end frame and closes the layers.
func (w *segmentWriter) end(last tandem.Revision) error {
	payload := binary.AppendUvarint(binary.AppendUvarint(nil, w.entries), uint64(last))
	_, err := w.zstd.Write(appendFrame(nil, frameEnd, w.sum.Sum(payload)))
	if err = errors.Join(err, w.zstd.Close()); err != nil {
		return err
	}
	return w.age.Close()
}

// segment is what a segment that was read to its end turned out to be.
type segment struct {
	name    SegmentName
	header  segmentHeader
	base    bool
	sha256  string
	entries int
	bytes   int64 // in the vault
}

// read reads a segment to its end and checks all of it; visit is called for every entry, and reads a full entry's documents
// or not.
func (j *Journal) read(ctx context.Context, name SegmentName, visit func(Entry) error) (segment, error) {
	full := j.Prefix + "/" + name.String()
	r, info, err := j.Vault.Get(ctx, full, vault.Range{})
	if err != nil {
		return segment{}, err
	}
	defer r.Close() //nolint:errcheck // it was read
	s, err := readSegment(vault.Reader(ctx, r), j.Service, name, j.Identities, visit)
	s.bytes = info.Size
	if err != nil {
		kind := tandem.KindOf(err)
		if kind == "" {
			kind = tandem.Corrupt
		}
		return s, &tandem.Error{Op: "read journal segment", Subject: full, Kind: kind, Err: err, Remedy: "take another copy of the segment, or restore from a snapshot after it"}
	}
	return s, nil
}

func readSegment(r io.Reader, service string, name SegmentName, identities []age.Identity, visit func(Entry) error) (segment, error) {
	s := segment{name: name}
	file := sha256.New()
	r = io.TeeReader(r, file)
	plain, err := age.Decrypt(r, identities...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return s, &tandem.Error{Op: "decrypt", Kind: tandem.Denied, Err: errors.New("none of the identities opens it, or its header is damaged"), Remedy: "use the vault's identity or the offline recovery key"}
	}
	if err != nil {
		return s, err
	}
	z, err := zstd.NewReader(plain, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return s, err
	}
	defer z.Close()
	if err := s.frames(z, service, visit); err != nil {
		return s, err
	}
	// What follows is nothing, in each layer.
	for _, layer := range []io.Reader{z, plain, r} {
		if n, err := io.Copy(io.Discard, layer); err != nil || n > 0 {
			return s, errors.Join(badFrame(errors.New("something follows the end")), err)
		}
	}
	s.sha256 = hex.EncodeToString(file.Sum(nil))
	return s, nil
}

// frames reads the innermost layer.
func (s *segment) frames(r io.Reader, service string, visit func(Entry) error) error {
	sum := sha256.New()
	next := func() (frameKind, []byte, error) {
		k, payload, err := readFrame(r)
		if err == io.EOF {
			err = cut(err)
		}
		if err == nil && k != frameEnd {
			sum.Write(appendFrame(nil, k, payload))
		}
		return k, payload, err
	}
	k, payload, err := next()
	if err != nil {
		return err
	}
	if k != frameHello {
		return badFrame(errors.New("it does not begin with a header"))
	}
	if s.header, err = decodeHeader(payload); err != nil {
		return err
	}
	h := s.header
	if h.Epoch != s.name.Epoch || h.Generation != s.name.Generation || h.Service != service {
		return badFrame(errors.New("its header is that of another segment"))
	}
	at := h.After
	for {
		if k, payload, err = next(); err != nil {
			return err
		}
		if k == frameEnd {
			return s.ends(payload, at, sum)
		}
		e, err := readEntry(k, payload, next)
		if err != nil {
			return err
		}
		if err := s.continues(e, at); err != nil {
			return err
		}
		at, s.entries = e.Revision, s.entries+1
		if e.Documents == nil {
			if err := visit(e); err != nil {
				return err
			}
			continue
		}
		if err := visitAll(e, visit); err != nil {
			return err
		}
	}
}

// visitAll reads what visit leaves of a full entry's documents.
func visitAll(e Entry, visit func(Entry) error) error {
	docs, whole := e.Documents, false
	e.Documents = func(yield func(store.Document, error) bool) {
		stopped := false
		docs(func(d store.Document, err error) bool {
			stopped = err != nil || !yield(d, err)
			return !stopped
		})
		whole = !stopped
	}
	if err := visit(e); err != nil {
		return err
	}
	if !whole {
		for _, err := range docs {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// continues checks an entry against what stands before it.
func (s *segment) continues(e Entry, at tandem.Revision) error {
	switch {
	case e.Epoch != s.name.Epoch || e.Generation != s.name.Generation || e.Newest != 0 || e.Age != 0 || e.Mark != 0:
		return badFrame(errors.New("an entry is not this segment's"))
	case s.base || e.Kind == EntryFull && s.entries > 0:
		return badFrame(errors.New("a full entry does not stand alone"))
	case e.After != at || at == 0 && e.Kind != EntryFull:
		return badFrame(fmt.Errorf("an entry continues revision %d in place of %d", e.After, at))
	case e.Kind == EntryFull:
		s.base = true
	}
	return nil
}

// ends checks the end frame, and the name.
func (s *segment) ends(payload []byte, last tandem.Revision, sum hash.Hash) error {
	d := &decoder{b: payload}
	entries, revision := d.uint(), tandem.Revision(d.number())
	first := s.header.After + 1
	if s.base {
		first = last
	}
	switch {
	case d.err != nil:
		return d.err
	case s.entries == 0 || entries != uint64(s.entries) || revision != last || !bytes.Equal(d.b, sum.Sum(nil)):
		return badFrame(errors.New("the end is not that of the entries before it"))
	case s.name.First != first || s.name.Last != last:
		return badFrame(fmt.Errorf("it covers the revisions %d to %d, and its name says others", first, last))
	}
	return nil
}

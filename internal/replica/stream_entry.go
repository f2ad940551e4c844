package replica

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"tandem"
	"tandem/internal/store"
)

// appendEntry writes what all entries have: the payload of a beat and of a full entry's first frame, the begin of a commit.
func appendEntry(b []byte, e Entry) []byte {
	for _, v := range []int64{int64(e.Epoch), int64(e.Generation), int64(e.After), int64(e.Revision), int64(e.Newest)} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	b = binary.AppendVarint(b, e.Time.UnixNano())
	b = binary.AppendUvarint(b, uint64(max(0, e.Age)))
	return binary.AppendUvarint(b, uint64(max(0, e.Mark)))
}

func (d *decoder) entry(k EntryKind) Entry {
	e := Entry{Kind: k}
	e.Epoch, e.Generation = tandem.Epoch(d.number()), tandem.Generation(d.number())
	e.After, e.Revision, e.Newest = tandem.Revision(d.number()), tandem.Revision(d.number()), tandem.Revision(d.number())
	e.Time = time.Unix(0, d.signed()).UTC()
	e.Age, e.Mark = time.Duration(d.number()), time.Duration(d.number())
	if d.err == nil && (e.Generation < 1 || e.Revision < 1 || e.After >= e.Revision) {
		d.fail("its position is impossible")
	}
	return e
}

// appendCommit writes the payload of a commit.
func appendCommit(b []byte, e Entry) []byte {
	b = appendEntry(b, e)
	b = binary.AppendUvarint(b, uint64(len(e.Changes)))
	for _, c := range e.Changes {
		b = appendChange(b, c)
	}
	return b
}

func appendChange(b []byte, c store.Change) []byte {
	if c.Deleted {
		return appendBytes(append(b, 1), []byte(c.Key))
	}
	return appendBytes(appendBytes(append(b, 0), []byte(c.Key)), c.Value)
}

func (d *decoder) change() store.Change {
	var c store.Change
	switch d.byte() {
	case 0:
	case 1:
		c.Deleted = true
	default:
		d.fail("a change is neither a put nor a delete")
	}
	c.Key = string(d.bytes())
	if d.err == nil && store.CheckKey(c.Key) != nil {
		d.fail("a key is not well formed")
	}
	if !c.Deleted {
		c.Value = d.bytes()
	}
	return c
}

// changes reads a count and as many changes, whose keys ascend.
func (d *decoder) changes() []store.Change {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail("a count reaches past its end")
		return nil
	}
	out := make([]store.Change, 0, min(n, 1024))
	for range n {
		c := d.change()
		if d.err == nil && len(out) > 0 && c.Key <= out[len(out)-1].Key {
			d.fail("its keys are not in order")
		}
		if d.err != nil {
			return nil
		}
		out = append(out, c)
	}
	return out
}

// documentsSize is about how many bytes of documents go into one frame.
const documentsSize = 128 << 10

// writeEntry writes an entry as frames.
func writeEntry(w io.Writer, e Entry) error {
	frame := func(k frameKind, payload []byte) error {
		if len(payload) >= maxFrame {
			return &tandem.Error{Op: "send entry", Subject: fmt.Sprintf("of revision %d", e.Revision), Kind: tandem.TooLarge,
				Err: fmt.Errorf("it has %d bytes", len(payload)), Remedy: "make the documents of this commit smaller"}
		}
		_, err := w.Write(appendFrame(nil, k, payload))
		return err
	}
	switch e.Kind {
	case EntryCommit:
		return frame(frameCommit, appendCommit(nil, e))
	case EntryBeat:
		return frame(frameBeat, appendEntry(nil, e))
	}
	if err := frame(frameFull, appendEntry(nil, e)); err != nil {
		return err
	}
	sum, total := sha256.New(), uint64(0)
	var b []byte
	n := uint64(0)
	flush := func() error {
		payload := append(binary.AppendUvarint(nil, n), b...)
		sum.Write(payload)
		total, n, b = total+n, 0, b[:0]
		return frame(frameDocuments, payload)
	}
	for d, err := range e.Documents {
		if err != nil {
			return err
		}
		if n > 0 && len(b)+len(d.Value) > documentsSize {
			if err := flush(); err != nil {
				return err
			}
		}
		b = appendChange(b, store.Change{Document: d})
		n++
	}
	if n > 0 {
		if err := flush(); err != nil {
			return err
		}
	}
	return frame(frameFullEnd, sum.Sum(binary.AppendUvarint(nil, total)))
}

// readEntry makes an entry of the frame that was read, and for a full one of the frames that next gives, while its
// Documents are read. An entry whose documents were not read to the end leaves the stream inside of it.
func readEntry(k frameKind, payload []byte, next func() (frameKind, []byte, error)) (Entry, error) {
	d := &decoder{b: payload}
	switch k {
	case frameCommit:
		e := d.entry(EntryCommit)
		e.Changes = d.changes()
		return e, d.end()
	case frameBeat:
		e := d.entry(EntryBeat)
		return e, d.end()
	case frameFull:
		e := d.entry(EntryFull)
		docs := &documentReader{next: next, sum: sha256.New()}
		e.Documents = docs.all
		return e, d.end()
	}
	return Entry{}, badFrame(fmt.Errorf("a frame of kind %d stands where an entry begins", k))
}

// documentReader reads the documents of a full entry.
type documentReader struct {
	next  func() (frameKind, []byte, error)
	sum   hash.Hash
	total uint64
	last  string
}

func (r *documentReader) all(yield func(store.Document, error) bool) {
	for {
		k, payload, err := r.next()
		if err == io.EOF {
			err = cut(err)
		}
		var docs []store.Change
		switch {
		case err != nil:
		case k == frameDocuments:
			docs, err = r.documents(payload)
		case k == frameFullEnd:
			if err = r.end(payload); err == nil {
				return
			}
		default:
			err = badFrame(fmt.Errorf("a frame of kind %d stands among documents", k))
		}
		if err != nil {
			yield(store.Document{}, err)
			return
		}
		for _, c := range docs {
			if !yield(c.Document, nil) {
				return
			}
		}
	}
}

func (r *documentReader) documents(payload []byte) ([]store.Change, error) {
	r.sum.Write(payload)
	d := &decoder{b: payload}
	docs := d.changes()
	if err := d.end(); err != nil {
		return nil, err
	}
	for _, c := range docs {
		if c.Deleted || r.last != "" && c.Key <= r.last {
			return nil, badFrame(errors.New("its documents are not in order"))
		}
		r.last = c.Key
	}
	r.total += uint64(len(docs))
	return docs, nil
}

func (r *documentReader) end(payload []byte) error {
	d := &decoder{b: payload}
	total := d.uint()
	if d.err == nil && (total != r.total || string(d.b) != string(r.sum.Sum(nil))) {
		d.fail("the documents are not those that were sent")
	}
	return d.err
}

package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"tandem"
)

// Sum is the SHA-256 of one document: the length of its key as 8 bytes big-endian, the key, the value.
type Sum [sha256.Size]byte

// SumOf computes the sum of a document.
func SumOf(key string, value []byte) Sum {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(key))))
	h.Write([]byte(key))
	h.Write(value)
	return Sum(h.Sum(nil))
}

// Digest is the SHA-256, in hexadecimal, of the sums of all documents in the order of their keys. Two sets of documents
// have the same digest if and only if they have the same keys and values.
func Digest(sums map[string]Sum) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		sum := sums[key]
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// stageWriter collects the documents of a stage into batches.
type stageWriter struct {
	stage *Stage
	head  Head // the newest known; every batch is conditional on it
	sums  map[string]Sum
	batch Batch
	bytes int
}

func (w *stageWriter) add(ctx context.Context, d Write) error {
	if err := CheckKey(d.Key); err != nil {
		return err
	}
	if _, twice := w.sums[d.Key]; twice {
		return &tandem.Error{Op: "stage", Subject: d.Key, Kind: tandem.Invalid, Err: errors.New("the document comes twice"),
			Remedy: "give each key once"}
	}
	s := w.stage.space
	full := Write{Key: s.documents(w.stage.Generation) + d.Key, Value: d.Value}
	size, limit := len(full.Key)+len(full.Value), MaxBytes-len(s.headKey())
	if size > limit {
		return &tandem.Error{Op: "stage", Subject: d.Key, Kind: tandem.TooLarge, Err: fmt.Errorf("it has %d bytes", len(d.Value)),
			Remedy: fmt.Sprintf("a document and its key have at most %d bytes", limit)}
	}
	if len(w.batch.Put) == SpaceMaxOps || w.bytes+size > limit {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.sums[d.Key] = SumOf(d.Key, d.Value)
	w.batch.Put = append(w.batch.Put, full)
	w.bytes += size
	return nil
}

// flush commits what is collected, if the stage is still the owner's.
func (w *stageWriter) flush(ctx context.Context) error {
	s := w.stage.space
	for len(w.batch.Put) > 0 {
		w.batch.If = []Condition{{Key: s.headKey(), Revision: w.head.Revision}}
		_, err := s.store.Commit(ctx, w.batch)
		if err == nil {
			break
		}
		if tandem.KindOf(err) != tandem.Precondition {
			return s.relative(err)
		}
		if w.head, err = s.Head(ctx); err != nil {
			return err
		}
		if err := w.stage.holds("stage", w.head); err != nil {
			return err
		}
	}
	w.batch, w.bytes = Batch{}, 0
	return nil
}

// verify reads the stage back from the store and compares it with what was given. It returns the digest of what it read.
func (w *stageWriter) verify(ctx context.Context) (string, error) {
	read := make(map[string]Sum, len(w.sums))
	corrupt := func(key string, why error) (string, error) {
		return "", &tandem.Error{Op: "verify stage", Subject: key, Kind: tandem.Corrupt, Err: why,
			Remedy: "check the store's disk, then stage again"}
	}
	for d, err := range w.stage.space.Documents(ctx, w.stage.Generation, 0) {
		if err != nil {
			return "", err
		}
		read[d.Key] = SumOf(d.Key, d.Value)
		if read[d.Key] != w.sums[d.Key] {
			return corrupt(d.Key, errors.New("it reads back with another SHA-256"))
		}
	}
	if len(read) != len(w.sums) {
		return corrupt(w.stage.space.prefix, fmt.Errorf("%d documents were written, %d read back", len(w.sums), len(read)))
	}
	return Digest(read), nil
}

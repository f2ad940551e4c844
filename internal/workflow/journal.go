package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/workflow/value"
)

// piece is how many bytes of a sealed record one document holds.
const piece = 384 << 10

// storeJournal keeps the records of one run in the store. Every write is conditional on the engine's fence: once another
// engine took over, none of this one's writes happens.
type storeJournal struct {
	c     *Config
	fence store.Condition
	place string
	run   string
}

func (j *storeJournal) key(rec string) string {
	return journalPrefix + j.run + "/" + url.PathEscape(rec)
}

// commit commits a batch under the fence and retries while the store is unavailable.
func (c *Config) commit(ctx context.Context, fence store.Condition, b store.Batch) (tandem.Revision, error) {
	if fence.Key != "" {
		b.If = append([]store.Condition{fence}, b.If...)
	}
	for delay := 50 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
		rev, err := c.Store.Commit(ctx, b)
		if err == nil || !errors.Is(err, tandem.Unavailable) {
			return rev, err
		}
		if c.Clock.Sleep(ctx, delay) != nil {
			return 0, err
		}
	}
}

// write implements journal. Small records of one call go in as few commits as fit.
func (j *storeJournal) write(ctx context.Context, records ...*Record) error {
	var batch store.Batch
	size := 0
	flush := func() error {
		if len(batch.Put) == 0 {
			return nil
		}
		_, err := j.c.commit(ctx, j.fence, batch)
		batch, size = store.Batch{}, 0
		return err
	}
	put := func(w store.Write) error {
		if n := len(w.Key) + len(w.Value); size+n > store.MaxBytes-4096 || len(batch.Put) > store.MaxOps-4 {
			if err := flush(); err != nil {
				return err
			}
		}
		batch.Put = append(batch.Put, w)
		size += len(w.Key) + len(w.Value)
		return nil
	}
	for _, rec := range records {
		key := j.key(rec.key())
		text, err := json.Marshal(encodeRecord(rec))
		if err != nil {
			return err
		}
		sealed, err := j.c.Sealer.Seal(text, []byte(key))
		if err != nil {
			return err
		}
		// The pieces go first and carry the record's number: the record itself, written last, names those that count.
		n := 0
		for ; len(sealed) > piece; n++ {
			if err := put(store.Write{Key: fmt.Sprintf("%s~%d.%03d", key, rec.Seq, n), Value: []byte(sealed[:piece])}); err != nil {
				return err
			}
			sealed = sealed[piece:]
		}
		if err := put(store.Write{Key: key, Value: fmt.Appendf(nil, "%d %d %s", rec.Seq, n, sealed)}); err != nil {
			return err
		}
	}
	return flush()
}

// readJournal reads all records of a run.
func (c *Config) readJournal(ctx context.Context, run string) ([]*Record, error) {
	docs := map[string][]byte{}
	var keys []string
	for after := ""; ; {
		l, err := c.Store.List(ctx, journalPrefix+run+"/", store.ListOptions{After: after, Limit: 500})
		if err != nil {
			return nil, err
		}
		for _, d := range l.Documents {
			docs[d.Key] = d.Value
			keys = append(keys, d.Key)
			after = d.Key
		}
		if !l.More {
			break
		}
	}
	var out []*Record
	for _, key := range keys {
		if strings.Contains(key, "~") {
			continue
		}
		corrupt := func(err error) error {
			return &tandem.Error{Op: "read journal", Subject: key, Kind: tandem.Corrupt, Err: err, Remedy: "cancel the run and resubmit it"}
		}
		seq, rest, _ := strings.Cut(string(docs[key]), " ")
		count, last, ok := strings.Cut(rest, " ")
		n := 0
		if _, err := fmt.Sscanf(count, "%d", &n); err != nil || !ok {
			return nil, corrupt(fmt.Errorf("its head cannot be read"))
		}
		var sealed strings.Builder
		for i := range n {
			p, there := docs[fmt.Sprintf("%s~%s.%03d", key, seq, i)]
			if !there {
				return nil, corrupt(fmt.Errorf("piece %d of %d is missing", i+1, n))
			}
			sealed.Write(p)
		}
		sealed.WriteString(last)
		text, err := c.Sealer.Open(sealed.String(), []byte(key))
		if err != nil {
			return nil, corrupt(err)
		}
		rec, err := decodeRecord(text)
		if err != nil {
			return nil, corrupt(err)
		}
		out = append(out, rec)
	}
	return out, nil
}

// wireRecord is a Record as it is kept: its values in our own JSON, which keeps order and digits.
type wireRecord struct {
	*plainRecord
	Inputs   json.RawMessage `json:"inputs,omitempty"`
	Outputs  json.RawMessage `json:"outputs,omitempty"`
	Tracked  json.RawMessage `json:"tracked,omitempty"`
	Progress json.RawMessage `json:"progress,omitempty"`
	Value    json.RawMessage `json:"value,omitempty"`
}

type plainRecord Record

func encodeRecord(r *Record) wireRecord {
	raw := func(v any) json.RawMessage {
		if v == nil {
			return nil
		}
		return value.Encode(v)
	}
	return wireRecord{(*plainRecord)(r), raw(r.Inputs), raw(r.Outputs), raw(r.Tracked), raw(r.Progress), raw(r.Value)}
}

func decodeRecord(text []byte) (*Record, error) {
	w := wireRecord{plainRecord: &plainRecord{}}
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, err
	}
	r := (*Record)(w.plainRecord)
	for _, f := range []struct {
		from json.RawMessage
		to   *any
	}{{w.Inputs, &r.Inputs}, {w.Outputs, &r.Outputs}, {w.Tracked, &r.Tracked}, {w.Progress, &r.Progress}, {w.Value, &r.Value}} {
		if len(f.from) == 0 {
			continue
		}
		v, err := value.Decode(f.from)
		if err != nil {
			return nil, err
		}
		*f.to = v
	}
	return r, nil
}

// respond implements journal.
func (j *storeJournal) respond(ctx context.Context, a *Answer) (bool, error) {
	key := answerKey(j.place, j.run)
	sealed, err := j.c.seal(key, value.New("status", int64(a.Status), "headers", a.Headers, "body", a.Body))
	if err != nil {
		return false, err
	}
	if len(sealed) > store.MaxBytes-8192 {
		return false, &tandem.Error{Op: "answer the caller of run", Subject: j.run, Kind: tandem.TooLarge, Remedy: "send a smaller body, at most 700 KiB"}
	}
	_, err = j.c.commit(ctx, j.fence, store.Batch{If: []store.Condition{{Key: key}}, Put: []store.Write{{Key: key, Value: []byte(sealed)}}})
	var e *tandem.Error
	if errors.Is(err, tandem.Precondition) && errors.As(err, &e) && e.Subject == key {
		return false, nil
	}
	return err == nil, err
}

// readAnswer opens what respond kept.
func (c *Config) readAnswer(key string, sealed []byte) (*Answer, error) {
	v, err := c.open(key, string(sealed))
	if err != nil {
		return nil, err
	}
	o, _ := v.(*value.Object)
	status, _ := o.Get("status")
	n, _ := status.(int64)
	body, _ := o.Get("body")
	return &Answer{Status: int(n), Headers: o.Object("headers"), Body: body}, nil
}

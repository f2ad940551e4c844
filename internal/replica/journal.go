package replica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/store"
	"tandem/internal/vault"
)

// Journal is the journal of one service in a vault, as docs/journal.md specifies it.
type Journal struct {
	Vault   vault.Vault
	Prefix  string // of all names, without a slash at its end: "journal/orders"
	Service string // the ARM id
	// Sealer opens the secrets of documents for the journal, where age alone protects them, and seals them again for a
	// store. Nil: documents go through as they are.
	Sealer     apim.Sealer
	Recipients []age.Recipient // for writing
	Identities []age.Identity  // for reading
}

// SegmentName is what a segment's name says.
type SegmentName struct {
	Epoch       tandem.Epoch
	Generation  tandem.Generation
	First, Last tandem.Revision
}

const segmentSuffix = ".tjs"

// String is the name without the journal's prefix.
func (n SegmentName) String() string {
	return fmt.Sprintf("%016d/%016d/%016d-%016d%s", n.Epoch, n.Generation, n.First, n.Last, segmentSuffix)
}

// ParseSegmentName reads what String gives.
func ParseSegmentName(s string) (SegmentName, error) {
	var n SegmentName
	bad := &tandem.Error{Op: "read name of journal segment", Subject: fmt.Sprintf("%q", s), Kind: tandem.Invalid, Remedy: "keep nothing but the journal below its prefix"}
	parts := strings.FieldsFunc(strings.TrimSuffix(s, segmentSuffix), func(r rune) bool { return r == '/' || r == '-' })
	if len(parts) != 4 {
		return n, bad
	}
	var v [4]int64
	for i, p := range parts {
		var err error
		if v[i], err = strconv.ParseInt(p, 10, 64); err != nil {
			return n, bad
		}
	}
	n = SegmentName{tandem.Epoch(v[0]), tandem.Generation(v[1]), tandem.Revision(v[2]), tandem.Revision(v[3])}
	if n.String() != s || n.Generation < 1 || n.First < 1 || n.First > n.Last || n.Epoch < 0 {
		return SegmentName{}, bad
	}
	return n, nil
}

// after tells whether n ends a longer history than o.
func (n SegmentName) after(o SegmentName) bool {
	switch {
	case n.Epoch != o.Epoch:
		return n.Epoch > o.Epoch
	case n.Last != o.Last:
		return n.Last > o.Last
	}
	return n.String() > o.String()
}

// segmentHeader is the payload of a segment's first frame.
type segmentHeader struct {
	Format     string            `json:"format"`
	Version    int               `json:"version"`
	Service    string            `json:"service"`
	Epoch      tandem.Epoch      `json:"epoch"`
	Generation tandem.Generation `json:"generation"`
	After      tandem.Revision   `json:"after"`
	Previous   *segmentLink      `json:"previous"`
}

// segmentLink names a segment by its content.
type segmentLink struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

const (
	journalFormat  = "tandem-journal"
	journalVersion = 1
)

func (h segmentHeader) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(h)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func decodeHeader(b []byte) (segmentHeader, error) {
	var h segmentHeader
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil {
		return h, badFrame(errors.New("the header is not what a segment has"))
	}
	if h.Format != journalFormat {
		return h, badFrame(errors.New("the header is not a journal's"))
	}
	if h.Version != journalVersion {
		return h, &tandem.Error{Op: "read journal", Kind: tandem.Unsupported, Err: fmt.Errorf("it has version %d of the format, this is a reader of version %d", h.Version, journalVersion), Remedy: "use a newer Tandem"}
	}
	if again, err := h.encode(); err != nil || !bytes.Equal(again, b) {
		return h, badFrame(errors.New("the header is not in canonical form"))
	}
	return h, nil
}

// openDocument is a document of a store as the journal has it: with its secrets in the open.
type openDocument struct {
	IDs        []string                   `json:"ids"`
	Properties map[string]any             `json:"properties"`
	Secrets    map[string]json.RawMessage `json:"secrets"`
}

// open opens the secrets of a document.
func (j *Journal) open(d store.Document) ([]byte, error) {
	if j.Sealer == nil || !bytes.Contains(d.Value, []byte(`"sealed"`)) {
		return d.Value, nil
	}
	doc, err := apim.Decode(d.Key, d)
	if err != nil {
		return nil, err
	}
	if len(doc.Sealed) == 0 {
		return d.Value, nil
	}
	out := openDocument{IDs: doc.IDs, Properties: doc.Properties, Secrets: map[string]json.RawMessage{}}
	for name := range doc.Sealed {
		v, err := doc.OpenSecret(j.Sealer, name)
		if err != nil {
			return nil, err
		}
		if out.Secrets[name], err = json.Marshal(v); err != nil {
			return nil, fmt.Errorf("the secret %s of %s has no JSON form", name, d.Key)
		}
	}
	return json.Marshal(out)
}

// seal makes of the journal's form the store's.
func (j *Journal) seal(key string, value []byte) ([]byte, error) {
	if j.Sealer == nil || !bytes.Contains(value, []byte(`"secrets"`)) {
		return value, nil
	}
	var in struct {
		Secrets map[string]json.RawMessage `json:"secrets"`
	}
	doc, err := apim.Decode(key, store.Document{Key: key, Value: value})
	if err == nil {
		err = json.Unmarshal(value, &in)
	}
	if err != nil {
		return nil, err
	}
	if len(in.Secrets) == 0 {
		return value, nil
	}
	for name, v := range in.Secrets {
		if err := doc.SealSecret(j.Sealer, name, v); err != nil {
			return nil, err
		}
	}
	w, err := doc.Write()
	return w.Value, err
}

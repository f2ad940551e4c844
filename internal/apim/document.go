package apim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tandem"
	"tandem/internal/store"
)

// Document is one resource of a service as it rests in the store. Keys are the kind's type and the ids, in lower case:
// "apis.operations/echo;rev=1/get"; so a collection is one run of keys. The revisions of an API are documents of their
// own, "apis/echo;rev=1"; "apiroots/echo" says which one is current.
type Document struct {
	// IDs are the names from the path in the case they were created with, the last one being the resource's own.
	IDs []string `json:"ids"`
	// Properties in Azure's case, without secrets.
	Properties map[string]any `json:"properties"`
	// Sealed are the secret properties by dotted name (law 7).
	Sealed map[string]string `json:"sealed,omitempty"`

	Type     string          `json:"-"`
	Key      string          `json:"-"`
	Revision tandem.Revision `json:"-"`
}

// RootType is the type of the internal documents that name an API's current revision.
const RootType = "apiroots"

// Key makes the key of a resource.
func Key(typ string, ids []string) string {
	return strings.ToLower(typ + "/" + strings.Join(ids, "/"))
}

// collectionPrefix is what the keys of a collection begin with.
func collectionPrefix(typ string, parents []string) string {
	if len(parents) == 0 {
		return strings.ToLower(typ) + "/"
	}
	return Key(typ, parents) + "/"
}

// Decode reads a document as the store holds it; key is relative to the service's space.
func Decode(key string, d store.Document) (*Document, error) {
	var doc Document
	dec := json.NewDecoder(bytes.NewReader(d.Value))
	dec.UseNumber() // nothing is rounded on the way through
	if err := dec.Decode(&doc); err != nil {
		return nil, &tandem.Error{Op: "read document", Subject: key, Kind: tandem.Corrupt, Err: err, Remedy: "restore the service from its last backup"}
	}
	doc.Key, doc.Revision = key, d.Revision
	doc.Type, _, _ = strings.Cut(key, "/")
	return &doc, nil
}

// Name is the resource's own name.
func (d *Document) Name() string { return d.IDs[len(d.IDs)-1] }

// Path is the resource's path below the service as it is stored, "apis/echo;rev=1/operations/get".
func (d *Document) Path(k *Kind) string {
	lits := strings.Split(k.typ, ".")
	var b strings.Builder
	for i, l := range lits {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(l + "/" + d.IDs[i])
	}
	return b.String()
}

func (d *Document) encode() ([]byte, error) {
	if d.Properties == nil {
		d.Properties = map[string]any{}
	}
	return json.Marshal(d)
}

// String reads a string property by dotted name; "" where it is absent or of another type.
func (d *Document) String(name string) string { s, _ := lookup(d.Properties, name).(string); return s }

// Bool reads a boolean property; fallback where it is absent.
func (d *Document) Bool(name string, fallback bool) bool {
	if b, ok := lookup(d.Properties, name).(bool); ok {
		return b
	}
	return fallback
}

// Value reads any property by dotted name; nil where it is absent.
func (d *Document) Value(name string) any { return lookup(d.Properties, name) }

func lookup(m map[string]any, name string) any {
	for {
		head, rest, more := strings.Cut(name, ".")
		v, ok := m[head]
		if !ok {
			return nil
		}
		if !more {
			return v
		}
		if m, ok = v.(map[string]any); !ok {
			return nil
		}
		name = rest
	}
}

func remove(m map[string]any, name string) {
	head, rest, more := strings.Cut(name, ".")
	if !more {
		delete(m, head)
		return
	}
	if inner, ok := m[head].(map[string]any); ok {
		remove(inner, rest)
	}
}

func place(m map[string]any, name string, v any) {
	head, rest, more := strings.Cut(name, ".")
	if !more {
		m[head] = v
		return
	}
	inner, ok := m[head].(map[string]any)
	if !ok {
		inner = map[string]any{}
		m[head] = inner
	}
	place(inner, rest, v)
}

// Sealer seals secrets; package keys has the real one. The context binds a sealed value to its place.
type Sealer interface {
	Seal(plaintext, context []byte) (string, error)
	Open(sealed string, context []byte) ([]byte, error)
}

func secretContext(key, property string) []byte { return []byte("apim\x00" + key + "\x00" + property) }

// OpenSecret unseals one secret property; nil where the document has none of that name. Values that were not strings come
// back as they were (maps, numbers).
func (d *Document) OpenSecret(s Sealer, property string) (any, error) {
	sealed, ok := d.Sealed[property]
	if !ok {
		return nil, nil
	}
	plain, err := s.Open(sealed, secretContext(d.Key, property))
	if err != nil {
		return nil, &tandem.Error{Op: "unseal", Subject: property + " of " + d.Key, Kind: tandem.Corrupt, Err: err, Remedy: "check that this region has the master key the secret was sealed with"}
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, &tandem.Error{Op: "unseal", Subject: property + " of " + d.Key, Kind: tandem.Corrupt, Err: fmt.Errorf("the content is not JSON")}
	}
	return v, nil
}

// OpenSecretString is OpenSecret for text.
func (d *Document) OpenSecretString(s Sealer, property string) (string, error) {
	v, err := d.OpenSecret(s, property)
	text, _ := v.(string)
	return text, err
}

// seal moves the kind's secret properties out of Properties and seals them; secrets that were not sent stay as old had
// them.
func (d *Document) seal(s Sealer, k *Kind, old *Document, secret func(property string) bool) error {
	for _, name := range k.Secrets {
		v := lookup(d.Properties, name)
		if !secret(name) {
			continue
		}
		if v == nil {
			kind, ok := k.Rules.(showing)
			visible := ok && slices.Contains(kind.shown(), name) // who writes what he saw without it takes it away
			if old != nil && old.Sealed[name] != "" && !visible {
				if d.Sealed == nil {
					d.Sealed = map[string]string{}
				}
				d.Sealed[name] = old.Sealed[name]
			}
			remove(d.Properties, name)
			continue
		}
		if err := d.SealSecret(s, name, v); err != nil {
			return err
		}
		remove(d.Properties, name)
	}
	return nil
}

// showing is a kind whose GET shows some of its secrets.
type showing interface{ shown() []string }

// reveal opens the secrets that a GET shows and puts them among props.
func (d *Document) reveal(s Sealer, rules any, props map[string]any) error {
	kind, ok := rules.(showing)
	if !ok {
		return nil
	}
	for _, name := range kind.shown() {
		v, err := d.OpenSecret(s, name)
		if err != nil {
			return err
		}
		if v != nil {
			place(props, name, v)
		}
	}
	return nil
}

// SealSecret sets one secret property.
func (d *Document) SealSecret(s Sealer, property string, value any) error {
	plain, err := json.Marshal(value)
	if err != nil {
		return err
	}
	sealed, err := s.Seal(plain, secretContext(d.Key, property))
	if err != nil {
		return &tandem.Error{Op: "seal", Subject: property + " of " + d.Key, Err: err}
	}
	if d.Sealed == nil {
		d.Sealed = map[string]string{}
	}
	d.Sealed[property] = sealed
	return nil
}

// Write is the document as a batch writes it.
func (d *Document) Write() (store.Write, error) {
	value, err := d.encode()
	return store.Write{Key: d.Key, Value: value}, err
}

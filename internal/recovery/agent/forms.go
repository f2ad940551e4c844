package agent

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/failover"
	"tandem/internal/store"
)

// forms turns documents into what a merge compares and a person may see: canonical JSON, where each secret is a word that is
// the same for the same secret of one property, and tells nothing else of it (law 7).
type forms struct {
	sealer apim.Sealer
	seen   map[string][][sha256.Size]byte // by key and property: the secrets met so far
}

func newForms(s apim.Sealer) *forms { return &forms{sealer: s, seen: map[string][][sha256.Size]byte{}} }

// form is a document without its secrets.
type form struct {
	IDs        []string          `json:"ids"`
	Properties map[string]any    `json:"properties"`
	Secrets    map[string]string `json:"secrets,omitempty"`
}

// of gives a document's form. One that cannot be read is compared byte by byte.
func (f *forms) of(d store.Document) failover.Document {
	doc, err := apim.Decode(d.Key, d)
	if err != nil {
		return failover.Document{Body: fmt.Sprintf("(cannot be read: %x)", sha256.Sum256(d.Value))}
	}
	out := form{IDs: doc.IDs, Properties: doc.Properties}
	for name, sealed := range doc.Sealed {
		plain := []byte("sealed\x00" + sealed) // where it cannot be opened
		if v, err := doc.OpenSecret(f.sealer, name); err == nil {
			if text, err := json.Marshal(v); err == nil {
				plain = text
			}
		}
		if out.Secrets == nil {
			out.Secrets = map[string]string{}
		}
		out.Secrets[name] = f.word(d.Key+"\x00"+name, sha256.Sum256(plain))
	}
	body, err := json.Marshal(out)
	if err != nil {
		return failover.Document{Body: fmt.Sprintf("(cannot be read: %x)", sha256.Sum256(d.Value))}
	}
	return failover.Document{Body: string(body)}
}

func (f *forms) word(place string, sum [sha256.Size]byte) string {
	known := f.seen[place]
	for i, k := range known {
		if k == sum {
			return fmt.Sprintf("(secret %d)", i+1)
		}
	}
	f.seen[place] = append(known, sum)
	return fmt.Sprintf("(secret %d)", len(known)+1)
}

// all gives the forms of a set of documents. What is not as in base was written in the epoch.
func (f *forms) all(documents map[string]store.Document, base failover.Documents, epoch tandem.Epoch) failover.Documents {
	out := make(failover.Documents, len(documents))
	for key, d := range documents {
		v := f.of(d)
		if b, ok := base[key]; !ok || b.Body != v.Body {
			v.Epoch = epoch
		}
		out[key] = v
	}
	for key := range base {
		if _, ok := documents[key]; !ok {
			out[key] = failover.Document{Gone: true, Epoch: epoch}
		}
	}
	return out
}

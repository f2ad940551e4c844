package apim

import (
	"strings"
	"testing"

	"tandem/internal/store"
)

// TestBackendCredentialsRestSealed: what a GET shows of a backend's credentials lies sealed in the store (law 7), a PATCH
// keeps what it does not name, and a PUT without them takes them away.
func TestBackendCredentialsRestSealed(t *testing.T) {
	k := NewTable().ByType("backends")
	s := &Service{Sealer: testSealer{}}
	doc := &Document{IDs: []string{"b"}, Key: "backends/b", Type: "backends", Properties: map[string]any{"url": "https://b.example", "credentials": map[string]any{"header": map[string]any{"x-key": []any{"hunter2"}}}}}
	if err := doc.seal(s.Sealer, k, nil, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	w, err := doc.Write()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(w.Value), "hunter2") {
		t.Fatalf("the document rests as %s", w.Value)
	}
	stored, err := Decode(w.Key, store.Document{Key: w.Key, Value: w.Value})
	if err != nil {
		t.Fatal(err)
	}
	props := clone(stored.Properties)
	if err := stored.reveal(s.Sealer, k.Rules, props); err != nil {
		t.Fatal(err)
	}
	if got, _ := lookup(props, "credentials.header.x-key").([]any); len(got) != 1 || got[0] != "hunter2" {
		t.Errorf("a GET shows %v", props)
	}
	again := &Document{IDs: doc.IDs, Key: doc.Key, Type: doc.Type, Properties: map[string]any{"url": "https://b.example"}}
	if err := again.seal(s.Sealer, k, stored, func(string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if again.Sealed["credentials"] != "" {
		t.Error("a PUT without credentials keeps them")
	}
}

// testSealer hides what it seals from a reader's eye.
type testSealer struct{}

func (testSealer) Seal(p, _ []byte) (string, error) {
	out := []byte(nil)
	for _, c := range p {
		out = append(out, c^0x2a)
	}
	return string(out), nil
}

func (s testSealer) Open(sealed string, c []byte) ([]byte, error) {
	out, err := s.Seal([]byte(sealed), c)
	return []byte(out), err
}

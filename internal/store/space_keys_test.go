package store

import (
	"encoding/json"
	"errors"
	"testing"

	"tandem"
)

func TestSpaceKeys(t *testing.T) {
	s := &Space{prefix: "services/a"}
	for _, c := range []struct {
		full string
		g    tandem.Generation
		key  string
	}{
		{s.documents(7) + "apis/echo", 7, "apis/echo"},
		{s.documents(7) + "g/0000000000000001/x", 7, "g/0000000000000001/x"},
		{s.headKey(), 0, ""},
		{"services/ab/g/0000000000000007/x", 0, ""},
		{"services/a/g/seven/x", 0, ""},
		{"services/a/g/0000000000000007", 0, ""},
		{"apis/echo", 0, ""},
	} {
		if g, key := s.split(c.full); g != c.g || key != c.key {
			t.Errorf("split %s: got %d, %q, want %d, %q", c.full, g, key, c.g, c.key)
		}
	}
}

func FuzzSpaceKeys(f *testing.F) {
	f.Add("services/a", int64(7), "apis/echo", "services/a/g/0000000000000007/apis/echo")
	f.Fuzz(func(t *testing.T, prefix string, g int64, key, other string) {
		s := &Space{prefix: prefix}
		if n := tandem.Generation(max(1, g)); g > 0 {
			if gotG, gotKey := s.split(s.documents(n) + key); gotG != n || gotKey != key {
				t.Errorf("written %d, %q, read %d, %q", n, key, gotG, gotKey)
			}
		}
		s.split(other) // shall not panic
	})
}

// FuzzHead reads any bytes as a head: it is Corrupt, or it survives being written and read again.
func FuzzHead(f *testing.F) {
	f.Add([]byte(`{"active":2,"newest":3,"kept":[1],"staged":{"generation":3,"verified":true},"lock":{"owner":"op-1"}}`))
	f.Add([]byte(`{"active":0}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		s := &Space{prefix: "a"}
		h, err := s.decode(Document{Key: s.headKey(), Value: value})
		if err != nil {
			if !errors.Is(err, tandem.Corrupt) {
				t.Errorf("got %v, want kind Corrupt", err)
			}
			return
		}
		first, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.decode(Document{Key: s.headKey(), Value: first})
		if err != nil {
			t.Fatal(err)
		}
		if second, err := json.Marshal(again); err != nil || string(second) != string(first) {
			t.Errorf("wrote %s, then %s, %v", first, second, err)
		}
	})
}

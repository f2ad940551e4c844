package store

import (
	"bytes"
	"testing"
)

// FuzzDecodePart: no bytes make it fail, and what it reads is written as the same bytes again where they are written as short
// as can be.
func FuzzDecodePart(f *testing.F) {
	f.Add([]byte{})
	f.Add(redoWrite{key: "a", value: []byte("1")}.append(redoWrite{key: "b", deleted: true}.append(nil)))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 'a'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 'a'})
	f.Fuzz(func(t *testing.T, part []byte) {
		writes, err := decodePart(part)
		if err != nil {
			return
		}
		var again []byte
		for _, w := range writes {
			again = w.append(again)
		}
		back, err := decodePart(again)
		if err != nil || len(back) != len(writes) || len(again) > len(part) {
			t.Fatalf("%x is written as %x, which reads as %v, %v", part, again, back, err)
		}
		for i, w := range back {
			if w.key != writes[i].key || w.deleted != writes[i].deleted || !bytes.Equal(w.value, writes[i].value) {
				t.Errorf("%x: %v became %v", part, writes[i], w)
			}
		}
	})
}

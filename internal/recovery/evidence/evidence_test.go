package evidence

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"tandem"
)

func key(b byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = b
	return ed25519.NewKeyFromSeed(seed)
}

func report(n uint64, previous string) Report {
	return Report{Group: "/g", Number: n, Previous: previous, Sealed: time.Unix(1, 0).UTC(), Run: "run-1", Kind: "failover", Status: "Succeeded",
		Summary: []string{"nothing was <lost>"}, Measures: []Measure{{"RPO", "0ms", "1s", "met"}}, Timeline: []Line{{time.Unix(1, 0).UTC(), 1, 5, "began </script>"}},
		Record: json.RawMessage(`{"id":"run-1"}`), Moments: json.RawMessage(`[]`)}
}

func TestEveryChangedByteIsFound(t *testing.T) {
	sealed, err := Seal(report(1, ""), key(1))
	if err != nil {
		t.Fatal(err)
	}
	page, err := HTML(sealed)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"JSON": sealed, "HTML": page} {
		r, _, err := Verify(file, key(1).Public().(ed25519.PublicKey))
		if err != nil || r.Run != "run-1" {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range file {
			for _, flip := range []byte{1, 0x20, 0x80} {
				changed := append([]byte(nil), file...)
				changed[i] ^= flip
				if _, _, err := Verify(changed, nil); !errors.Is(err, tandem.Corrupt) {
					t.Fatalf("%s: byte %d (%q) changed to %q and nobody saw: %v", name, i, file[i], changed[i], err)
				}
			}
		}
		for _, cut := range [][]byte{file[:len(file)-1], append(append([]byte(nil), file...), ' '), nil} {
			if _, _, err := Verify(cut, nil); err == nil {
				t.Fatalf("%s: a cut file was taken", name)
			}
		}
		if _, _, err := Verify(file, key(2).Public().(ed25519.PublicKey)); !errors.Is(err, tandem.Corrupt) {
			t.Fatalf("%s: another key's signature was taken", name)
		}
	}
}

func TestChain(t *testing.T) {
	var all [][]byte
	previous := ""
	for n := uint64(1); n <= 4; n++ {
		sealed, err := Seal(report(n, previous), key(1))
		if err != nil {
			t.Fatal(err)
		}
		all, previous = append(all, sealed), Digest(sealed)
	}
	if err := Chain(all, nil); err != nil {
		t.Fatal(err)
	}
	if err := Chain([][]byte{all[0], all[2], all[3]}, nil); !errors.Is(err, tandem.Corrupt) {
		t.Fatalf("a report was taken out: %v", err)
	}
	forged, err := Seal(report(2, Digest(all[0])), key(2))
	if err != nil {
		t.Fatal(err)
	}
	if err := Chain([][]byte{all[0], forged}, nil); !errors.Is(err, tandem.Corrupt) {
		t.Fatalf("another key went on with the chain: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	sealed, err := Seal(report(1, ""), key(1))
	if err != nil {
		f.Fatal(err)
	}
	page, err := HTML(sealed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add(page)
	f.Fuzz(func(t *testing.T, file []byte) {
		if r, k, err := Verify(file, nil); err == nil && (r == nil || len(k) != ed25519.PublicKeySize) {
			t.Fatal("a report without a key was taken")
		}
	})
}

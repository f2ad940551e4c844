package snapshot

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"testing"

	"tandem"
)

func TestSignature(t *testing.T) {
	ctx := context.Background()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	data := write(t, testIdentity(t), sample())
	sig, err := Sign(ctx, bytes.NewReader(data), private)
	if err != nil {
		t.Fatal(err)
	}
	by, err := CheckSignature(ctx, bytes.NewReader(data), sig, other, public)
	if err != nil || !by.Equal(public) {
		t.Fatalf("by %x, %v", by, err)
	}
	if _, err := CheckSignature(ctx, bytes.NewReader(data), sig, other); !errors.Is(err, tandem.Denied) {
		t.Errorf("a key that is not trusted: %v", err)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		bit := rnd.IntN(len(sig) * 8)
		bad := bytes.Clone(sig)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := CheckSignature(ctx, bytes.NewReader(data), bad, public); err == nil {
			t.Fatalf("bit %d of the signature", bit)
		}
		bit = rnd.IntN(len(data) * 8)
		badData := bytes.Clone(data)
		badData[bit/8] ^= 1 << (bit % 8)
		if _, err := CheckSignature(ctx, bytes.NewReader(badData), sig, public); !errors.Is(err, tandem.Corrupt) {
			t.Fatalf("bit %d of the snapshot: %v", bit, err)
		}
	}
	if _, err := Sign(ctx, bytes.NewReader(data), private[:10]); !errors.Is(err, tandem.Invalid) {
		t.Errorf("a key that is none: %v", err)
	}
}

func FuzzCheckSignature(f *testing.F) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		f.Fatal(err)
	}
	good, err := Sign(context.Background(), bytes.NewReader([]byte("data")), private)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(signatureHeader + "\n\n\n\n"))
	f.Fuzz(func(t *testing.T, sig []byte) {
		if _, err := CheckSignature(context.Background(), bytes.NewReader([]byte("data")), sig, public); (err == nil) != bytes.Equal(sig, good) {
			t.Fatalf("%q: %v", sig, err)
		}
	})
}

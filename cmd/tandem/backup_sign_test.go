package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tandem"
)

func writeKeys(t *testing.T, dir, name string) (private, public string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pubDER, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	private, public = filepath.Join(dir, name+".key"), filepath.Join(dir, name+".pub")
	for file, block := range map[string]*pem.Block{private: {Type: "PRIVATE KEY", Bytes: der}, public: {Type: "PUBLIC KEY", Bytes: pubDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return private, public
}

func TestSignedFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "one.tandem")
	if err := os.WriteFile(file, bytes.Repeat([]byte("snapshot"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	private, public := writeKeys(t, dir, "ours")
	_, other := writeKeys(t, dir, "theirs")
	if err := signFile(t.Context(), file, private); err != nil {
		t.Fatal(err)
	}
	if err := checkSigned(t.Context(), file, []string{other, public}); err != nil {
		t.Error(err)
	}
	if err := checkSigned(t.Context(), file, []string{other}); !errors.Is(err, tandem.Denied) {
		t.Errorf("a key that is not trusted: %v", err)
	}
	if err := signFile(t.Context(), file, public); !errors.Is(err, tandem.Invalid) {
		t.Errorf("a public key signs: %v", err)
	}
	if err := checkSigned(t.Context(), file, []string{private}); !errors.Is(err, tandem.Invalid) {
		t.Errorf("a private key as a trusted one: %v", err)
	}
	if err := os.WriteFile(file, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkSigned(t.Context(), file, []string{public}); !errors.Is(err, tandem.Corrupt) {
		t.Errorf("another file: %v", err)
	}
	var usage usageError
	if err := checkSigned(t.Context(), "-", []string{public}); !errors.As(err, &usage) {
		t.Errorf("the standard input: %v", err)
	}
}

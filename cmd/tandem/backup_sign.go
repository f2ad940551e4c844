package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"os"

	"tandem"
	"tandem/internal/snapshot"
)

// Detached signatures (docs/format.md, section 8), with Ed25519 keys as 'openssl genpkey -algorithm ed25519' makes them.

func keyError(file, why string) error {
	return &tandem.Error{Op: "read key", Subject: file, Kind: tandem.Invalid, Err: errors.New(why),
		Remedy: "make one with 'openssl genpkey -algorithm ed25519', and its public half with 'openssl pkey -pubout'"}
}

func readPEM(file string) ([]byte, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, keyError(file, "it holds no PEM block")
	}
	return block.Bytes, nil
}

func readSigningKey(file string) (ed25519.PrivateKey, error) {
	der, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if k, ok := key.(ed25519.PrivateKey); ok && err == nil {
		return k, nil
	}
	return nil, keyError(file, "it is not an Ed25519 private key") // the cause might quote it
}

func readTrustedKey(file string) (ed25519.PublicKey, error) {
	der, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if k, ok := key.(ed25519.PublicKey); ok && err == nil {
		return k, nil
	}
	return nil, keyError(file, "it is not an Ed25519 public key")
}

// signFile writes the signature of a snapshot beside it.
func signFile(ctx context.Context, file, keyFile string) error {
	key, err := readSigningKey(keyFile)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	signature, err := snapshot.Sign(ctx, f, key)
	if err != nil {
		return err
	}
	return writeSnapshot(file+snapshot.SignatureSuffix, func(w io.Writer) error {
		_, err := w.Write(signature)
		return err
	})
}

// checkSigned proves that one of the trusted keys signed a snapshot.
func checkSigned(ctx context.Context, file string, trusted []string) error {
	if len(trusted) == 0 {
		return nil
	}
	if file == "-" {
		return usageError{errors.New("a signature lies beside a file: the standard input has none")}
	}
	var keys []ed25519.PublicKey
	for _, name := range trusted {
		k, err := readTrustedKey(name)
		if err != nil {
			return err
		}
		keys = append(keys, k)
	}
	signature, err := os.ReadFile(file + snapshot.SignatureSuffix)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	_, err = snapshot.CheckSignature(ctx, f, signature, keys...)
	return err
}

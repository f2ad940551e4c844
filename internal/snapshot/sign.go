package snapshot

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"tandem"
)

// signatureHeader is the first line of a detached signature (docs/format.md, section 8).
const signatureHeader = "tandem-signature-1"

// SignatureSuffix goes behind a snapshot's name for the name of its signature.
const SignatureSuffix = ".sig"

// Sign reads a whole snapshot, which stays encrypted, and gives its detached signature.
func Sign(ctx context.Context, r io.Reader, key ed25519.PrivateKey) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, &tandem.Error{Op: "sign snapshot", Kind: tandem.Invalid, Err: errors.New("the key is not an Ed25519 private key"), Remedy: "give another key"}
	}
	head, err := signedText(ctx, r)
	if err != nil {
		return nil, err
	}
	public := key[ed25519.SeedSize:]
	return fmt.Appendf(head, "%s\n%s\n", base64.StdEncoding.EncodeToString(public), base64.StdEncoding.EncodeToString(ed25519.Sign(key, head))), nil
}

// CheckSignature reads a whole snapshot and proves that one of the trusted keys signed it. Errors: Denied where the key is
// not trusted or the signature is not by it, Corrupt where the snapshot or the signature's text is not what was signed.
func CheckSignature(ctx context.Context, r io.Reader, signature []byte, trusted ...ed25519.PublicKey) (ed25519.PublicKey, error) {
	fail := func(kind tandem.Kind, why, remedy string) (ed25519.PublicKey, error) {
		return nil, &tandem.Error{Op: "check signature of snapshot", Kind: kind, Err: errors.New(why), Remedy: remedy}
	}
	lines := bytes.Split(signature, []byte("\n"))
	if len(lines) != 5 || string(lines[0]) != signatureHeader || len(lines[4]) > 0 {
		return fail(tandem.Corrupt, "it does not have the four lines of a signature", "fetch the signature again")
	}
	public, err1 := base64.StdEncoding.Strict().DecodeString(string(lines[2]))
	sig, err2 := base64.StdEncoding.Strict().DecodeString(string(lines[3]))
	if err1 != nil || err2 != nil || len(public) != ed25519.PublicKeySize || len(sig) != ed25519.SignatureSize {
		return fail(tandem.Corrupt, "its key or its signature is not one", "fetch the signature again")
	}
	var by ed25519.PublicKey
	for _, k := range trusted {
		if bytes.Equal(k, public) {
			by = k
		}
	}
	if by == nil {
		return fail(tandem.Denied, "it was signed by a key that is not trusted", "trust the key, if you know whose it is")
	}
	if !ed25519.Verify(by, append(bytes.Join(lines[:2], []byte("\n")), '\n'), sig) {
		return fail(tandem.Denied, "the signature is not by the key it names", "take another copy")
	}
	head, err := signedText(ctx, r)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(signature, head) {
		return fail(tandem.Corrupt, "the snapshot is not the one that was signed", "take another copy or an older snapshot")
	}
	return by, nil
}

// signedText is what a signature covers.
func signedText(ctx context.Context, r io.Reader) ([]byte, error) {
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		n, err := r.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			return fmt.Appendf(nil, "%s\n%s\n", signatureHeader, hex.EncodeToString(h.Sum(nil))), nil
		}
		if err != nil {
			return nil, &tandem.Error{Op: "read snapshot", Kind: kindOr(err, tandem.Unavailable), Err: err, Remedy: "read it again"}
		}
	}
}

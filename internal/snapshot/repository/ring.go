package repository

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/crypto/chacha20poly1305"

	"tandem"
)

// sealVersion is the first byte of every sealed blob.
const sealVersion = 1

// maxPlain bounds what one sealed blob unpacks to: a resource may have 64 MiB, and its line escapes.
const maxPlain = 160 << 20

// ring is what the vault's key is used for: naming chunks and sealing blobs, each with a key of its own (HKDF-SHA-256).
type ring struct {
	names []byte
	aead  cipher.AEAD
	enc   *zstd.Encoder
	dec   *zstd.Decoder
}

func newRing(key []byte, workers int) (*ring, error) {
	names, err := hkdf.Key(sha256.New, key, nil, "tandem-vault-1 chunk names", 32)
	if err != nil {
		return nil, err
	}
	sealing, err := hkdf.Key(sha256.New, key, nil, "tandem-vault-1 sealing", 32)
	if err != nil {
		return nil, err
	}
	r := &ring{names: names}
	if r.aead, err = chacha20poly1305.NewX(sealing); err != nil {
		return nil, err
	}
	if r.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(workers), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true)); err != nil {
		return nil, err
	}
	r.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(workers), zstd.WithDecoderMaxMemory(maxPlain), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
	return r, err
}

// chunkName is the name of a chunk with this content: HMAC-SHA-256 in hex. Who does not have the key cannot tell from names
// whether the vault holds a text that he knows.
func (r *ring) chunkName(plain []byte) string {
	h := hmac.New(sha256.New, r.names)
	h.Write(plain)
	return hex.EncodeToString(h.Sum(nil))
}

// seal compresses and encrypts a blob, and binds it to its name.
func (r *ring) seal(name string, plain []byte) ([]byte, error) {
	head := 1 + chacha20poly1305.NonceSizeX
	out := make([]byte, head, head+len(plain)/3+chacha20poly1305.Overhead+64)
	out[0] = sealVersion
	if _, err := rand.Read(out[1:head]); err != nil {
		return nil, err
	}
	packed := r.enc.EncodeAll(plain, make([]byte, 0, len(plain)/3+64))
	return r.aead.Seal(out, out[1:head], packed, []byte(name)), nil
}

// open is the inverse of seal. Corrupt: the blob is not what was written under this name with this key.
func (r *ring) open(name string, sealed []byte) ([]byte, error) {
	fail := func(kind tandem.Kind, err error) ([]byte, error) {
		return nil, &tandem.Error{Op: "open blob", Subject: name, Kind: kind, Err: err, Remedy: "put back a copy of the blob, or back up again with --rewrite, which writes every chunk anew"}
	}
	head := 1 + chacha20poly1305.NonceSizeX
	if len(sealed) < head+chacha20poly1305.Overhead {
		return fail(tandem.Corrupt, errors.New("it is truncated"))
	}
	if sealed[0] != sealVersion {
		return fail(tandem.Corrupt, fmt.Errorf("its first byte is %d in place of %d: it is damaged, or of a newer format", sealed[0], sealVersion))
	}
	packed, err := r.aead.Open(nil, sealed[1:head], sealed[head:], []byte(name))
	if err != nil {
		return fail(tandem.Corrupt, errors.New("its bytes are not what was written under this name with this vault's key"))
	}
	plain, err := r.dec.DecodeAll(packed, nil)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		return fail(tandem.TooLarge, errors.New("it unpacks to more than the format allows"))
	}
	if err != nil {
		return fail(tandem.Corrupt, err)
	}
	return plain, nil
}

package keys

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"tandem"
)

// sealPrefix names the format: tsk1.<key version>.<base64url of nonce and box>, the box being XChaCha20-Poly1305
// (draft-irtf-cfrg-xchacha) with a random nonce of 24 bytes. The additional data is "tsk1.<key version>.", then the context.
const sealPrefix = "tsk1."

// Context names where a sealed value belongs: the resource's path and the field. A value that was moved to another
// resource or field does not open.
func Context(path, field string) []byte {
	return fmt.Appendf(nil, "%d:%s%s", len(path), path, field)
}

// Sealed tells whether s has the form of a sealed value.
func Sealed(s string) bool { return strings.HasPrefix(s, sealPrefix) }

// Seal encrypts plaintext with the newest key and binds it to the context.
func (m *Master) Seal(plaintext, context []byte) (string, error) {
	m.mu.RLock()
	version := len(m.keys)
	key := m.keys[version-1]
	m.mu.RUnlock()
	fail := func(err error) (string, error) {
		return "", &tandem.Error{Op: "seal secret", Kind: tandem.Unavailable, Err: err, Remedy: "check the machine's source of random numbers"}
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return fail(err)
	}
	box := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plaintext)+chacha20poly1305.Overhead)
	if _, err := rand.Read(box); err != nil {
		return fail(err)
	}
	head := sealPrefix + strconv.Itoa(version) + "."
	box = aead.Seal(box, box, plaintext, append([]byte(head), context...))
	return head + base64.RawURLEncoding.EncodeToString(box), nil
}

// Open decrypts what Seal gave, with the same context. Corrupt: it was altered or belongs elsewhere; NotFound: its key
// version is not in the key file; Invalid: it is not a sealed value.
func (m *Master) Open(sealed string, context []byte) ([]byte, error) {
	fail := func(kind tandem.Kind, why, remedy string) ([]byte, error) {
		return nil, &tandem.Error{Op: "open sealed secret", Kind: kind, Err: errors.New(why), Remedy: remedy}
	}
	version, box, err := parseSealed(sealed)
	if err != nil {
		return fail(tandem.Invalid, err.Error(), "read the value again from where it is stored")
	}
	key, ok := m.key(version)
	if !ok {
		if version <= m.Version() {
			return fail(tandem.NotFound, fmt.Sprintf("it was sealed with version %d of the master key, which was retired", version), "restore the resource from a backup")
		}
		return fail(tandem.NotFound, fmt.Sprintf("it was sealed with version %d of the master key, and %s ends at %d", version, m.file, m.Version()),
			"use the key file of the site that sealed it")
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return fail(tandem.Corrupt, err.Error(), "restore the key file")
	}
	head := sealPrefix + strconv.Itoa(version) + "."
	plain, err := aead.Open(nil, box[:chacha20poly1305.NonceSizeX], box[chacha20poly1305.NonceSizeX:], append([]byte(head), context...))
	if err != nil {
		return fail(tandem.Corrupt, "it was altered, belongs to another resource or field, or was sealed by another site's key", "restore the resource from a backup")
	}
	return plain, nil
}

// Reseal seals anew, with the newest key, what an older one sealed. It gives the value itself where that is already so.
func (m *Master) Reseal(sealed string, context []byte) (string, error) {
	version, _, err := parseSealed(sealed)
	if err == nil && version == m.Version() {
		return sealed, nil
	}
	plain, err := m.Open(sealed, context)
	if err != nil {
		return "", err
	}
	return m.Seal(plain, context)
}

func parseSealed(s string) (version int, box []byte, err error) {
	rest, ok := strings.CutPrefix(s, sealPrefix)
	number, text, dot := strings.Cut(rest, ".")
	if !ok || !dot {
		return 0, nil, errors.New("it does not have the form tsk1.<version>.<text>")
	}
	version, err = strconv.Atoi(number)
	if err != nil || version < 1 || strconv.Itoa(version) != number {
		return 0, nil, errors.New("its key version is not a number from 1 upwards")
	}
	box, err = base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(box) < chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
		return 0, nil, errors.New("its text is not base64url, or too short")
	}
	return version, box, nil
}

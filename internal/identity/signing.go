package identity

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"tandem"
)

const (
	// keyNotice is how long a new key is published before it signs, so that verifiers elsewhere know it in time.
	keyNotice = 15 * time.Minute
	// keyAfterlife is how long a key stays published after its successor began to sign: longer than any token lives.
	keyAfterlife = 24 * time.Hour
	keyBits      = 2048
)

// signingKey is how a key rests in the store.
type signingKey struct {
	PublicKey
	Sealed string `json:"sealed"` // PKCS #1, sealed
}

func keyContext(id string) []byte { return []byte("identity/signing-key/" + id) }

func (d *Directory) addKey(s *Snapshot, signers map[string]*rsa.PrivateKey, value []byte) error {
	var k signingKey
	if err := json.Unmarshal(value, &k); err != nil {
		return err
	}
	s.SigningKeys = append(s.SigningKeys, k.PublicKey)
	if known := d.signers[k.ID]; known != nil {
		signers[k.ID] = known
		return nil
	}
	der, err := d.c.Sealer.Open(k.Sealed, keyContext(k.ID))
	if err != nil {
		return err
	}
	signers[k.ID], err = x509.ParsePKCS1PrivateKey(der)
	return err
}

// rotate makes a signing key where there is none or the newest is old, and drops those that no token can need.
func (d *Directory) rotate(ctx context.Context) error {
	now := d.c.Clock.Now().UTC()
	keys := d.Snapshot().SigningKeys
	var newest time.Time
	for _, k := range keys {
		if k.Activates.After(newest) {
			newest = k.Activates
		}
	}
	if len(keys) == 0 || now.Sub(newest) >= d.c.KeyLifetime {
		activates := now
		if len(keys) > 0 {
			activates = now.Add(keyNotice)
		}
		w, err := d.newKey(activates)
		if err != nil {
			return err
		}
		if err := d.commit(ctx, "store signing key", w); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if successor, ok := successorOf(keys, k); ok && now.Sub(successor.Activates) > keyAfterlife {
			if err := d.commit(ctx, "drop signing key", write{key: folderKeys + k.ID}); err != nil {
				return err
			}
		}
	}
	return nil
}

// RotateSigningKey makes a new signing key now. It signs after a notice of 15 minutes.
func (d *Directory) RotateSigningKey(ctx context.Context) error {
	w, err := d.newKey(d.c.Clock.Now().UTC().Add(keyNotice))
	if err != nil {
		return err
	}
	return d.commit(ctx, "store signing key", w)
}

// successorOf is the key that began to sign next after k.
func successorOf(keys []PublicKey, k PublicKey) (next PublicKey, ok bool) {
	for _, other := range keys {
		if other.Activates.After(k.Activates) && (!ok || other.Activates.Before(next.Activates)) {
			next, ok = other, true
		}
	}
	return next, ok
}

func (d *Directory) newKey(activates time.Time) (write, error) {
	fail := func(err error) (write, error) {
		return write{}, &tandem.Error{Op: "make signing key", Kind: tandem.KindOf(err), Err: err, Remedy: "check the master key"}
	}
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return fail(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return fail(err)
	}
	sum := sha256.Sum256(spki)
	id := base64.RawURLEncoding.EncodeToString(sum[:20])
	public, err := jwk.Import(&private.PublicKey)
	if err != nil {
		return fail(err)
	}
	for name, value := range map[string]any{jwk.KeyIDKey: id, jwk.KeyUsageKey: "sig"} {
		if err := public.Set(name, value); err != nil {
			return fail(err)
		}
	}
	encoded, err := json.Marshal(public)
	if err != nil {
		return fail(err)
	}
	sealed, err := d.c.Sealer.Seal(x509.MarshalPKCS1PrivateKey(private), keyContext(id))
	if err != nil {
		return fail(err)
	}
	k := signingKey{PublicKey: PublicKey{ID: id, JWK: encoded, Activates: activates}, Sealed: sealed}
	return write{key: folderKeys + id, value: k, created: true}, nil
}

// sign makes a token with the newest key that is active.
func (d *Directory) sign(claims any) (string, error) {
	d.mu.Lock()
	var best PublicKey
	now := d.c.Clock.Now()
	for _, k := range d.Snapshot().SigningKeys {
		switch active := !k.Activates.After(now); {
		case best.ID == "":
			best = k
		case active && (best.Activates.After(now) || k.Activates.After(best.Activates)):
			best = k
		case !active && k.Activates.Before(best.Activates): // a clock that is behind must not stop all sign-ins
			best = k
		}
	}
	private := d.signers[best.ID]
	d.mu.Unlock()
	if private == nil {
		return "", &tandem.Error{Op: "sign token", Kind: tandem.Unavailable, Remedy: "open the directory again: it makes a key where there is none"}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	headers := jws.NewHeaders()
	for name, value := range map[string]any{jws.TypeKey: "JWT", jws.KeyIDKey: best.ID} {
		if err := headers.Set(name, value); err != nil {
			return "", err
		}
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.RS256(), private, jws.WithProtectedHeaders(headers)))
	return string(token), err
}

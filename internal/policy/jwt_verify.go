package policy

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwe"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"tandem/internal/policy/markup"
)

// tokenKey is a key that the policy names: in Base64, by a certificate, or as an RSA modulus and exponent.
type tokenKey struct {
	id, certificate, n, e *text
	value                 *text
}

func (c *compiler) tokenKeys(n *markup.Node, outer string) []*tokenKey {
	var out []*tokenKey
	e := element(n, outer)
	if e == nil {
		return nil
	}
	for _, k := range e.Elements() {
		if k.Name != "key" {
			c.report(Error, k.Pos, KindElement, n.Name+"/"+k.Name, "<%s> is an older form that Tandem does not read; write <key>", k.Name)
			continue
		}
		key := &tokenKey{id: c.text(k, "id", ""), certificate: c.text(k, "certificate-id", ""), n: c.text(k, "n", ""), e: c.text(k, "e", ""), value: c.content(k)}
		c.knownCertificate(key.certificate, false)
		out = append(out, key)
	}
	return out
}

// load gives the key as crypto packages have it: bytes, *rsa.PublicKey or, for decryption, a private key.
func (k *tokenKey) load(s *State, private bool) (key any, id string, err error) {
	v, err := all(s, []*text{k.id, k.certificate, k.n, k.e, k.value})
	if err != nil {
		return nil, "", err
	}
	switch {
	case v[1] != "":
		c, err := s.certificate("", v[1], nil, "")
		if err != nil {
			return nil, "", err
		}
		if private {
			return c.PrivateKey, v[0], nil
		}
		if leaf := leafOf(c); leaf != nil {
			return leaf.PublicKey, v[0], nil
		}
		return nil, "", failure(500, ReasonJWT, "The certificate "+v[1]+" cannot be read.")
	case v[2] != "":
		n, err1 := base64.RawURLEncoding.DecodeString(strings.TrimRight(v[2], "="))
		e, err2 := base64.RawURLEncoding.DecodeString(strings.TrimRight(v[3], "="))
		if err1 != nil || err2 != nil || len(e) > 4 {
			return nil, "", failure(500, ReasonJWT, "A signing key's modulus or exponent is not Base64url.")
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, v[0], nil
	}
	text := strings.NewReplacer(" ", "", "\n", "", "\r", "", "\t", "", "-", "+", "_", "/").Replace(v[4])
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, "", failure(500, ReasonJWT, "A key is not Base64.")
	}
	return b, v[0], nil
}

// verify checks the signature, or decrypts first, and reads the token. Algorithms of one family of keys are accepted only
// with a key of that family, so that a public key is never taken for a shared secret.
func (t *tokenCheck) verify(s *State, raw string) (*jwtObject, error) {
	if strings.Count(raw, ".") == 4 {
		plain, err := t.decrypt(s, raw)
		if err != nil {
			return nil, err
		}
		if json.Valid(plain) { // claims that are encrypted only, with a shared key
			return &jwtObject{header: map[string]any{}, payload: object(plain), text: raw}, t.mustSign(s)
		}
		raw = string(plain)
	}
	j, ok := parseJWT(raw)
	if !ok {
		return nil, t.refuse(s, ReasonJWT, "The token is not a JSON Web Token. Access denied.")
	}
	alg := claimText(j.header["alg"])
	if alg == "" || strings.EqualFold(alg, "none") {
		if err := t.mustSign(s); err != nil {
			return nil, err
		}
		return j, t.issuer(s, j, nil)
	}
	a, known := jwa.LookupSignatureAlgorithm(alg)
	if !known {
		return nil, t.refuse(s, ReasonTokenSignature, "The token's signature algorithm is not supported. Access denied.")
	}
	candidates, issuers, err := t.candidates(s, claimText(j.header["kid"]), alg)
	if err != nil {
		return nil, err
	}
	if len(candidates) == 0 {
		return nil, t.refuse(s, ReasonTokenKey, "Signature validation failed. Unable to match the token's key. Access denied.")
	}
	for _, key := range candidates {
		if _, err := jws.Verify([]byte(raw), jws.WithKey(a, key)); err == nil {
			return j, t.issuer(s, j, issuers)
		}
	}
	return nil, t.refuse(s, ReasonTokenSignature, "Signature validation failed. No key matches the signature. Access denied.")
}

func (t *tokenCheck) mustSign(s *State) error {
	need, err := t.needSignature.get(s)
	if err != nil {
		return err
	}
	if need {
		return t.refuse(s, ReasonJWT, "The token is not signed. Access denied.")
	}
	return nil
}

func object(b []byte) map[string]any {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) != nil {
		return map[string]any{}
	}
	return m
}

// fits tells whether a key may be used with an algorithm.
func fits(key any, alg string) bool {
	switch key.(type) {
	case []byte:
		return strings.HasPrefix(alg, "HS")
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	}
	return !strings.HasPrefix(alg, "HS")
}

// candidates gives the keys that may have signed the token, and the issuers of the configurations asked.
func (t *tokenCheck) candidates(s *State, kid, alg string) (keys []any, issuers []string, err error) {
	for _, k := range t.keys {
		key, id, err := k.load(s, false)
		if err != nil {
			return nil, nil, err
		}
		if (id == "" || kid == "" || id == kid) && fits(key, alg) {
			keys = append(keys, key)
		}
	}
	urls, err := all(s, t.configs)
	if err != nil {
		return nil, nil, err
	}
	if t.tenant != nil {
		v, err := all(s, []*text{t.endpoint, t.tenant})
		if err != nil {
			return nil, nil, err
		}
		base := strings.TrimRight(v[0], "/") + "/" + v[1]
		urls = append(urls, base+"/v2.0/.well-known/openid-configuration", base+"/.well-known/openid-configuration")
	}
	for _, missing := range []bool{false, true} { // ask again when the key is new to us
		for _, u := range urls {
			issuer, set, ferr := s.Host.OpenID.get(s.Ctx(), strings.TrimSpace(u), missing)
			if ferr != nil {
				err = ferr
				continue
			}
			issuers = append(issuers, issuer)
			for i := range set.Len() {
				k, _ := set.Key(i)
				keys = append(keys, usable(k, kid, alg)...)
			}
		}
		if len(keys) > 0 || len(urls) == 0 {
			return keys, issuers, nil
		}
	}
	if len(issuers) == 0 && err != nil {
		return nil, nil, &LastError{Status: 500, Reason: ReasonTokenKey, Message: "The OpenID configuration could not be had.", Err: err}
	}
	return keys, issuers, nil
}

func usable(k jwk.Key, kid, alg string) []any {
	if id, ok := k.KeyID(); ok && kid != "" && id != kid {
		return nil
	}
	if use, ok := k.KeyUsage(); ok && use != "" && use != "sig" {
		return nil
	}
	var raw any
	if jwk.Export(k, &raw) != nil || !fits(raw, alg) {
		return nil
	}
	return []any{raw}
}

// issuer checks the token's issuer against those the policy lists and those of its configurations.
func (t *tokenCheck) issuer(s *State, j *jwtObject, fromConfigs []string) error {
	allowed, err := all(s, t.issuers)
	if err != nil {
		return err
	}
	allowed = append(allowed, fromConfigs...)
	if len(allowed) == 0 {
		return nil
	}
	iss := strings.Join(j.claim("iss"), ",")
	tenant := strings.Join(j.claim("tid"), ",")
	for _, a := range allowed {
		if a == iss || tenant != "" && strings.ReplaceAll(a, "{tenantid}", tenant) == iss {
			return nil
		}
	}
	return t.refuse(s, ReasonTokenIssuer, "Issuer validation failed. The token's issuer is not allowed. Access denied.")
}

func (t *tokenCheck) decrypt(s *State, raw string) ([]byte, error) {
	m, err := jwe.Parse([]byte(raw))
	if err != nil {
		return nil, t.refuse(s, ReasonJWT, "The token is not a JSON Web Token. Access denied.")
	}
	alg, ok := m.ProtectedHeaders().Algorithm()
	if !ok {
		return nil, t.refuse(s, ReasonJWT, "The token's encryption algorithm is not supported. Access denied.")
	}
	kid, _ := m.ProtectedHeaders().KeyID()
	for _, k := range t.decryption {
		key, id, err := k.load(s, true)
		if err != nil {
			return nil, err
		}
		if key == nil || id != "" && kid != "" && id != kid {
			continue
		}
		if plain, err := jwe.Decrypt([]byte(raw), jwe.WithKey(alg, key)); err == nil {
			return plain, nil
		}
	}
	return nil, t.refuse(s, ReasonJWT, "The token could not be decrypted. Access denied.")
}

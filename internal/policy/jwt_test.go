package policy

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwe"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"tandem/internal/exchange"
)

// issuerServer serves an OpenID configuration and its keys, and counts how often it is asked.
type issuerServer struct {
	keys  []jwk.Key
	asked int
	down  bool
}

func (i *issuerServer) Do(_ context.Context, r *exchange.Request, _ SendOptions) (*exchange.Response, error) {
	i.asked++
	if i.down {
		return nil, ErrConnection
	}
	var body any = map[string]string{"issuer": "https://issuer.example", "jwks_uri": "https://issuer.example/keys"}
	if strings.HasSuffix(r.URL.Path, "/keys") {
		set := jwk.NewSet()
		for _, k := range i.keys {
			pub, err := k.PublicKey()
			if err != nil {
				return nil, err
			}
			if err := set.AddKey(pub); err != nil {
				return nil, err
			}
		}
		body = set
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &exchange.Response{Status: 200, Message: exchange.Message{Body: exchange.Bytes(b)}}, nil
}

func rsaKey(t *testing.T, kid string) jwk.Key {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	j, err := jwk.Import(k)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Set(jwk.KeyIDKey, kid); err != nil {
		t.Fatal(err)
	}
	return j
}

func sign(t *testing.T, alg jwa.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.Sign(b, jws.WithKey(alg, key))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// runToken runs a validate-jwt over a token; it gives the status and the reason.
func runToken(t *testing.T, host *Host, policy, token string) (int, string, *State) {
	t.Helper()
	p, _, err := Compile([]Source{{Name: "t", Scope: API, Text: "<policies><inbound>" + policy + "</inbound><backend/></policies>"}}, Options{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	x := &exchange.Exchange{Request: exchange.Request{Method: "GET", URL: exchange.URL{Scheme: "https", Host: "h", Path: "/"}}}
	if token != "" {
		x.Request.Header.Add("Authorization", token)
	}
	s := &State{Exchange: x, Host: host}
	if err := p.Run(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	reason := ""
	if s.LastError != nil {
		reason = s.LastError.Reason
	}
	return s.Response.Status, reason, s
}

func TestValidateJWT(t *testing.T) {
	clock := newClock()
	now := clock.now.Unix()
	k1, k2, other := rsaKey(t, "k1"), rsaKey(t, "k2"), rsaKey(t, "k1")
	server := &issuerServer{keys: []jwk.Key{k1}}
	host := &Host{Clock: clock, OpenID: NewOpenID(server, clock)}
	claims := func(change ...any) map[string]any {
		m := map[string]any{"iss": "https://issuer.example", "aud": "api", "sub": "ann", "exp": now + 60, "roles": []string{"a", "b"}, "scp": "read write"}
		for i := 0; i < len(change); i += 2 {
			if change[i+1] == nil {
				delete(m, change[i].(string))
			} else {
				m[change[i].(string)] = change[i+1]
			}
		}
		return m
	}
	secret := []byte("0123456789abcdef0123456789abcdef")
	shared := `<issuer-signing-keys><key>` + base64.StdEncoding.EncodeToString(secret) + `</key></issuer-signing-keys>`
	open := `<openid-config url="https://issuer.example/.well-known/openid-configuration"/>`
	head := `<validate-jwt header-name="Authorization" require-scheme="Bearer" failed-validation-httpcode="401" `
	good := sign(t, jwa.RS256(), k1, claims())
	n := base64.RawURLEncoding.EncodeToString(func() []byte {
		var pub rsa.PublicKey
		p, _ := k1.PublicKey()
		_ = jwk.Export(p, &pub)
		return pub.N.Bytes()
	}())
	pubBytes, _ := json.Marshal(func() any { p, _ := k1.PublicKey(); return p }())
	for _, c := range []struct{ name, policy, token, reason string }{
		{"good", head + `>` + open + `<audiences><audience>api</audience></audiences></validate-jwt>`, "Bearer " + good, ""},
		{"missing", head + `>` + open + `</validate-jwt>`, "", ReasonTokenMissing},
		{"wrong scheme", head + `>` + open + `</validate-jwt>`, "Basic " + good, ReasonTokenMissing},
		{"not a token", head + `>` + open + `</validate-jwt>`, "Bearer abc", ReasonJWT},
		{"audience", head + `>` + open + `<audiences><audience>no</audience></audiences></validate-jwt>`, "Bearer " + good, ReasonTokenAudience},
		{"issuer listed", head + `>` + shared + `<issuers><issuer>x</issuer></issuers></validate-jwt>`, "Bearer " + sign(t, jwa.HS256(), secret, claims()), ReasonTokenIssuer},
		{"issuer of the configuration", head + `>` + open + `</validate-jwt>`, "Bearer " + sign(t, jwa.RS256(), k1, claims("iss", "evil")), ReasonTokenIssuer},
		{"expired", head + `>` + open + `</validate-jwt>`, "Bearer " + sign(t, jwa.RS256(), k1, claims("exp", now-1)), ReasonTokenExpired},
		{"clock skew", head + `clock-skew="10">` + open + `</validate-jwt>`, "Bearer " + sign(t, jwa.RS256(), k1, claims("exp", now-1)), ""},
		{"no expiry", head + `>` + open + `</validate-jwt>`, "Bearer " + sign(t, jwa.RS256(), k1, claims("exp", nil)), ReasonJWT},
		{"expiry not required", head + `require-expiration-time="false">` + open + `</validate-jwt>`, "Bearer " + sign(t, jwa.RS256(), k1, claims("exp", nil)), ""},
		{"not yet valid", head + `>` + open + `</validate-jwt>`, "Bearer " + sign(t, jwa.RS256(), k1, claims("nbf", now+100)), ReasonJWT},
		{"other key", head + `>` + open + `</validate-jwt>`, "Bearer " + sign(t, jwa.RS256(), other, claims()), ReasonTokenSignature},
		{"unknown key", head + `>` + open + `</validate-jwt>`, "Bearer " + sign(t, jwa.RS256(), k2, claims()), ReasonTokenKey},
		{"shared key", head + `>` + shared + `</validate-jwt>`, "Bearer " + sign(t, jwa.HS256(), secret, claims()), ""},
		{"public key as a secret", head + `>` + open + `</validate-jwt>`, "Bearer " + sign(t, jwa.HS256(), pubBytes, claims()), ReasonTokenKey},
		{"modulus", head + `><issuer-signing-keys><key n="` + n + `" e="AQAB"/></issuer-signing-keys></validate-jwt>`, "Bearer " + good, ""},
		{"unsigned", head + `>` + open + `</validate-jwt>`, "Bearer " + unsigned(claims()), ReasonJWT},
		{"unsigned allowed", head + `require-signed-tokens="false"><audiences><audience>api</audience></audiences></validate-jwt>`, "Bearer " + unsigned(claims()), ""},
		{"claim all", head + `>` + open + `<required-claims><claim name="roles" match="all"><value>a</value><value>b</value></claim></required-claims></validate-jwt>`, "Bearer " + good, ""},
		{"claim all fails", head + `>` + open + `<required-claims><claim name="roles" match="all"><value>a</value><value>c</value></claim></required-claims></validate-jwt>`, "Bearer " + good, ReasonClaimValue},
		{"claim any", head + `>` + open + `<required-claims><claim name="roles" match="any"><value>c</value><value>b</value></claim></required-claims></validate-jwt>`, "Bearer " + good, ""},
		{"claim separated", head + `>` + open + `<required-claims><claim name="scp" match="any" separator=" "><value>write</value></claim></required-claims></validate-jwt>`, "Bearer " + good, ""},
		{"claim missing", head + `>` + open + `<required-claims><claim name="none"/></required-claims></validate-jwt>`, "Bearer " + good, ReasonClaimMissing},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, reason, s := runToken(t, host, c.policy, c.token); reason != c.reason {
				t.Errorf("reason %q, want %q: %v", reason, c.reason, s.LastError)
			}
		})
	}
}

func unsigned(claims map[string]any) string {
	b, _ := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(b) + "."
}

func TestJWE(t *testing.T) {
	clock := newClock()
	key := []byte("0123456789abcdef")
	body, _ := json.Marshal(map[string]any{"exp": clock.now.Unix() + 60, "sub": "x"})
	secret := []byte("0123456789abcdef0123456789abcdef")
	signed, err := jws.Sign(body, jws.WithKey(jwa.HS256(), secret))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwe.Encrypt(signed, jwe.WithKey(jwa.A128KW(), key))
	if err != nil {
		t.Fatal(err)
	}
	policy := `<validate-jwt header-name="Authorization"><issuer-signing-keys><key>` + base64.StdEncoding.EncodeToString(secret) + `</key></issuer-signing-keys><decryption-keys><key>` +
		base64.StdEncoding.EncodeToString(key) + `</key></decryption-keys></validate-jwt>`
	if _, reason, s := runToken(t, &Host{Clock: clock}, policy, "Bearer "+string(token)); reason != "" {
		t.Errorf("reason %q: %v", reason, s.LastError)
	}
	wrong := strings.Replace(policy, base64.StdEncoding.EncodeToString(key), base64.StdEncoding.EncodeToString([]byte("fedcba9876543210")), 1)
	if _, reason, _ := runToken(t, &Host{Clock: clock}, wrong, "Bearer "+string(token)); reason != ReasonJWT {
		t.Errorf("a wrong decryption key gave %q", reason)
	}
}

// Keys are fetched once an hour; a key that is not known is looked for again, but not more often than every five
// minutes; a server that is down does not take the old keys away.
func TestOpenIDRotation(t *testing.T) {
	clock := newClock()
	k1, k2 := rsaKey(t, "k1"), rsaKey(t, "k2")
	server := &issuerServer{keys: []jwk.Key{k1}}
	host := &Host{Clock: clock, OpenID: NewOpenID(server, clock)}
	policy := `<validate-jwt header-name="Authorization" require-expiration-time="false"><openid-config url="https://issuer.example/.well-known/openid-configuration"/></validate-jwt>`
	claims := map[string]any{"iss": "https://issuer.example"}
	check := func(k jwk.Key, want string, asked int) {
		t.Helper()
		if _, reason, _ := runToken(t, host, policy, "Bearer "+sign(t, jwa.RS256(), k, claims)); reason != want {
			t.Errorf("reason %q, want %q", reason, want)
		}
		if server.asked != asked {
			t.Errorf("asked %d times, want %d", server.asked, asked)
		}
	}
	check(k1, "", 2)
	check(k1, "", 2)
	server.keys = []jwk.Key{k1, k2}
	check(k2, ReasonTokenKey, 2) // asked less than five minutes ago
	clock.now = clock.now.Add(6 * time.Minute)
	check(k2, "", 4)
	clock.now = clock.now.Add(2 * time.Hour)
	server.down = true
	check(k1, "", 5)
}

func TestValidateAzureADToken(t *testing.T) {
	clock := newClock()
	k := rsaKey(t, "k1")
	host := &Host{Clock: clock, OpenID: NewOpenID(&issuerServer{keys: []jwk.Key{k}}, clock)}
	policy := `<validate-azure-ad-token tenant-id="t1"><client-application-ids><application-id>app</application-id></client-application-ids></validate-azure-ad-token>`
	token := sign(t, jwa.RS256(), k, map[string]any{"iss": "https://issuer.example", "exp": clock.now.Unix() + 60, "azp": "app"})
	if _, reason, s := runToken(t, host, policy, "Bearer "+token); reason != "" {
		t.Errorf("reason %q: %v", reason, s.LastError)
	}
	token = sign(t, jwa.RS256(), k, map[string]any{"iss": "https://issuer.example", "exp": clock.now.Unix() + 60, "azp": "other"})
	if _, reason, _ := runToken(t, host, policy, "Bearer "+token); reason != ReasonClaimValue {
		t.Errorf("another client gave %q", reason)
	}
}

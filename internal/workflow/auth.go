package workflow

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // #nosec G505 -- x5t is defined as the SHA-1 of the certificate (RFC 7515, section 4.1.7)
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"tandem/internal/workflow/value"
)

// authError says that credentials could not be had; trying again would not help.
type authError struct{ err error }

func (e *authError) Error() string { return e.err.Error() }
func (e *authError) Unwrap() error { return e.err }

// authKinds are the kinds of authentication and the inputs each has; the first ones, up to the "|", are needed.
func authKinds() map[string]string {
	return map[string]string{
		"Raw": "value|", "Basic": "username password|", "ClientCertificate": "pfx|password",
		"ActiveDirectoryOAuth": "tenant audience clientId|authority secret pfx password credentialType", "ManagedServiceIdentity": "|audience identity",
	}
}

func (p *parser) authentication(path string, v any) {
	o, isObject := v.(*value.Object)
	if !isObject {
		if s, isText := v.(string); isText && strings.HasPrefix(s, "@") {
			return
		}
		p.add(path, `write {"type": "Raw", "value": …} or another kind`, "the authentication is an object")
		return
	}
	t := o.String("type")
	if strings.HasPrefix(t, "@") {
		return
	}
	for kind, fields := range authKinds() {
		if !strings.EqualFold(kind, t) {
			continue
		}
		needed, more, _ := strings.Cut(fields, "|")
		for _, f := range strings.Fields(needed) {
			p.needed(path, o, f, "give it")
		}
		p.only(path, o, append(append([]string{"type"}, strings.Fields(needed)...), strings.Fields(more)...)...)
		if kind == "ActiveDirectoryOAuth" {
			_, secret := o.Get("secret")
			_, pfx := o.Get("pfx")
			if secret == pfx {
				p.add(path, "give secret, or pfx and password", "ActiveDirectoryOAuth needs either a secret or a certificate")
			}
		}
		return
	}
	p.add(property(path, "type"), "use Raw, Basic, ClientCertificate, ActiveDirectoryOAuth or ManagedServiceIdentity", "the authentication type %q is not supported", t)
}

// authenticate puts the credentials of a request on it; it gives the client certificate where that is the credential.
func (c *caller) authenticate(ctx context.Context, req *http.Request, in *request) (*tls.Certificate, error) {
	o := in.auth
	if o == nil {
		return nil, nil
	}
	text := func(name string) string {
		v, _ := o.Get(name)
		return value.Text(v)
	}
	switch strings.ToLower(o.String("type")) {
	case "raw":
		req.Header.Set("Authorization", strings.NewReplacer("\r", "", "\n", "").Replace(text("value")))
	case "basic":
		req.SetBasicAuth(text("username"), text("password"))
	case "clientcertificate":
		return readPFX(text("pfx"), text("password"))
	case "activedirectoryoauth":
		token, err := c.oauth(ctx, text)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	case "managedserviceidentity":
		if c.tokens == nil {
			return nil, fmt.Errorf("no managed identity is configured; give the engine a token source, or use another kind of authentication")
		}
		audience := text("audience")
		if audience == "" {
			audience = "https://management.azure.com/"
		}
		token, err := c.tokens.Token(ctx, audience, text("identity"))
		if err != nil {
			return nil, fmt.Errorf("the managed identity gave no token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	default:
		return nil, fmt.Errorf("the authentication type %q is not supported; use Raw, Basic, ClientCertificate, ActiveDirectoryOAuth or ManagedServiceIdentity", o.String("type"))
	}
	return nil, nil
}

func readPFX(text, password string) (*tls.Certificate, error) {
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, fmt.Errorf("the pfx is not base64")
	}
	key, leaf, chain, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return nil, fmt.Errorf("the pfx cannot be opened; check its password: %w", err)
	}
	out := &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	for _, ca := range chain {
		out.Certificate = append(out.Certificate, ca.Raw)
	}
	return out, nil
}

// oauth gets a token by client credentials from the v1 endpoint (Microsoft identity platform).
func (c *caller) oauth(ctx context.Context, text func(string) string) (string, error) {
	authority := strings.TrimRight(text("authority"), "/")
	if authority == "" {
		authority = "https://login.microsoftonline.com"
	}
	endpoint := authority + "/" + url.PathEscape(text("tenant")) + "/oauth2/token"
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {text("clientId")}, "resource": {text("audience")}}
	if pfx := text("pfx"); pfx != "" {
		assertion, err := clientAssertion(pfx, text("password"), text("clientId"), endpoint, c.clock.Now())
		if err != nil {
			return "", err
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	} else {
		form.Set("client_secret", text("secret"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil || req.URL.Scheme != "https" {
		return "", fmt.Errorf("the authority is no https address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.send(req, nil)
	if err != nil {
		return "", fmt.Errorf("the token endpoint did not answer: %w", err)
	}
	defer resp.Body.Close()
	var reply struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&reply)
	switch {
	case resp.StatusCode != http.StatusOK:
		line, _, _ := strings.Cut(reply.Description, "\n")
		return "", fmt.Errorf("the token endpoint answered %d %s: %s", resp.StatusCode, reply.Error, strings.TrimSpace(line))
	case err != nil || reply.AccessToken == "":
		return "", fmt.Errorf("the token endpoint's answer holds no access token")
	}
	return reply.AccessToken, nil
}

// clientAssertion is the signed statement of a client with a certificate (RFC 7523), good for ten minutes.
func clientAssertion(pfx, password, client, audience string, now time.Time) (string, error) {
	cert, err := readPFX(pfx, password)
	if err != nil {
		return "", err
	}
	key, isRSA := cert.PrivateKey.(*rsa.PrivateKey)
	if !isRSA {
		return "", fmt.Errorf("the certificate's key is not RSA; only RS256 is supported")
	}
	thumb := sha1.Sum(cert.Leaf.Raw) // #nosec G401 -- see the import
	enc := base64.RawURLEncoding
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return "", err
	}
	header := value.New("alg", "RS256", "typ", "JWT", "x5t", enc.EncodeToString(thumb[:]))
	claims := value.New("aud", audience, "iss", client, "sub", client, "jti", enc.EncodeToString(id),
		"nbf", now.Add(-5*time.Minute).Unix(), "exp", now.Add(10*time.Minute).Unix())
	text := enc.EncodeToString(value.Encode(header)) + "." + enc.EncodeToString(value.Encode(claims))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return text + "." + enc.EncodeToString(sig), nil
}

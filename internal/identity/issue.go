package identity

import (
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"tandem/internal/arm"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func parseForm(body string) (map[string]string, error) {
	form, err := arm.ParseQuery(strings.TrimSpace(body))
	return form, err
}

// tokenV1 is the answer of the v1 endpoint: numbers as text.
type tokenV1 struct {
	Type       string `json:"token_type"`
	Expires    string `json:"expires_in"`
	ExtExpires string `json:"ext_expires_in"`
	ExpiresOn  string `json:"expires_on"`
	NotBefore  string `json:"not_before"`
	Resource   string `json:"resource"`
	Token      string `json:"access_token"`
}

// tokenV2 is the answer of the v2 endpoint.
type tokenV2 struct {
	Type       string `json:"token_type"`
	Expires    int    `json:"expires_in"`
	ExtExpires int    `json:"ext_expires_in"`
	Token      string `json:"access_token"`
}

func (a *Authority) issue(r *http.Request, tenantName string, v2 bool) (any, error) {
	form, err := readForm(r)
	if err != nil {
		return nil, tokenErrorf(http.StatusBadRequest, "invalid_request", 9000410, "Malformed request body: %v.", err)
	}
	tenant, e := a.tenant(tenantName)
	if e != nil {
		return nil, e
	}
	for _, name := range []string{"grant_type", "client_id"} {
		if form[name] == "" {
			return nil, tokenErrorf(http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: '%s'.", name)
		}
	}
	if form["grant_type"] != "client_credentials" {
		return nil, tokenErrorf(http.StatusBadRequest, "unsupported_grant_type", 70003,
			"The app requested an unsupported grant type '%s'. This authority grants 'client_credentials'.", form["grant_type"])
	}
	app, known := a.Directory.Application(form["client_id"])
	if !known || !strings.EqualFold(app.TenantID, tenant.ID) {
		return nil, tokenErrorf(http.StatusBadRequest, "unauthorized_client", 700016,
			"Application with identifier '%s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
			form["client_id"], tenant.DisplayName)
	}
	how, e := a.proveClient(app, form, hostOf(a.base(r)))
	if e != nil {
		return nil, e
	}
	resource, e := a.resource(form, v2, a.base(r))
	if e != nil {
		return nil, e
	}
	var sp ServicePrincipal
	for _, p := range a.Directory.Snapshot().Principals {
		if strings.EqualFold(p.AppID, app.AppID) {
			sp = p
		}
	}
	if sp.ID == "" || !sp.Enabled {
		return nil, tokenErrorf(http.StatusBadRequest, "unauthorized_client", 7000112, "Application '%s'(%s) is disabled.", app.AppID, app.DisplayName)
	}
	now := a.Clock.Now().UTC()
	expires := now.Add(a.Lifetime)
	token, err := a.Directory.sign(Claims{Audience: resource, Issuer: issuer(tenant.ID), IssuedAt: now.Unix(), NotBefore: now.Unix(),
		Expires: expires.Unix(), AppID: app.AppID, AppIDACR: how, Provider: issuer(tenant.ID), IDType: "app", ObjectID: sp.ID, Subject: sp.ID,
		TenantID: tenant.ID, Identifier: uuid.NewString(), Version: "1.0"})
	if err != nil {
		return nil, err
	}
	seconds := int(a.Lifetime/time.Second) - 1
	if v2 {
		return tokenV2{"Bearer", seconds, seconds, token}, nil
	}
	return tokenV1{"Bearer", strconv.Itoa(seconds), strconv.Itoa(seconds), strconv.FormatInt(expires.Unix(), 10), strconv.FormatInt(now.Unix(), 10), resource, token}, nil
}

// graphAudience is Graph's name in tokens.
const graphAudience = "https://graph.microsoft.com"

// resource is what the token is for: v1 names it, v2 names its scope {resource}/.default among scopes of OpenID Connect.
// Graph lies beside the authority, and clients of a custom cloud name it by its address, which is the authority's own.
func (a *Authority) resource(form map[string]string, v2 bool, own string) (string, *tokenError) {
	name := form["resource"]
	if v2 && (name == "" || form["scope"] != "") {
		name = ""
		for scope := range strings.FieldsSeq(form["scope"]) {
			switch scope {
			case "openid", "offline_access", "profile", "email":
				continue
			}
			resource, isDefault := strings.CutSuffix(scope, "/.default")
			if !isDefault || name != "" {
				return "", tokenErrorf(http.StatusBadRequest, "invalid_scope", 1002012,
					"The provided value for scope %s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).", scope)
			}
			name = resource
		}
		if name == "" {
			return "", tokenErrorf(http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'scope'.")
		}
	}
	if name == "" {
		return "", tokenErrorf(http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'resource'.")
	}
	if sameAudience(own, name) {
		return graphAudience, nil
	}
	for _, known := range a.Resources {
		if sameAudience(known, name) {
			return name, nil
		}
	}
	for _, app := range a.Directory.Applications() {
		if strings.EqualFold(app.AppID, name) || strings.EqualFold("api://"+app.AppID, name) {
			return name, nil
		}
		for _, uri := range app.IdentifierURIs {
			if sameAudience(uri, name) {
				return name, nil
			}
		}
	}
	code := "invalid_resource"
	if v2 {
		code = "invalid_scope"
	}
	return "", tokenErrorf(http.StatusBadRequest, code, 500011, "The resource principal named %s was not found in the tenant. Ask for a token for one of: %s, or an application of this tenant.",
		name, strings.Join(a.Resources, ", "))
}

// proveClient checks the secret or the assertion. It gives the value of the claim appidacr.
func (a *Authority) proveClient(app Application, form map[string]string, host string) (string, *tokenError) {
	now := a.Clock.Now()
	if secret, given := form["client_secret"]; given && secret != "" {
		for _, s := range app.Secrets {
			if !checkSecret(s.Hash, secret) {
				continue
			}
			if now.After(s.End) {
				return "", tokenErrorf(http.StatusUnauthorized, "invalid_client", 7000222,
					"The provided client secret keys for app '%s' are expired. Create new keys for the app, or use certificate credentials for added security.", app.AppID)
			}
			return "1", nil
		}
		return "", tokenErrorf(http.StatusUnauthorized, "invalid_client", 7000215,
			"Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'.", app.AppID)
	}
	if form["client_assertion"] == "" {
		return "", tokenErrorf(http.StatusUnauthorized, "invalid_client", 7000216, "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.")
	}
	if form["client_assertion_type"] != assertionType {
		return "", tokenErrorf(http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'client_assertion_type' with the value '%s'.", assertionType)
	}
	return "2", a.proveAssertion(app, form["client_assertion"], host, now)
}

// assertion is what a client signs (RFC 7523, section 3).
type assertion struct {
	Issuer    string          `json:"iss"`
	Subject   string          `json:"sub"`
	Audience  json.RawMessage `json:"aud"` // one address or several
	Expires   float64         `json:"exp"`
	NotBefore float64         `json:"nbf"`
}

func (a *Authority) proveAssertion(app Application, token, host string, now time.Time) *tokenError {
	failed := func(why string) *tokenError {
		return tokenErrorf(http.StatusUnauthorized, "invalid_client", 700027, "Client assertion failed signature validation: %s.", why)
	}
	var payload []byte
	for _, c := range app.Certificates {
		cert, err := x509.ParseCertificate(c.DER)
		if err != nil || now.After(c.End) || now.Before(c.Start) {
			continue
		}
		for _, alg := range []jwa.SignatureAlgorithm{jwa.RS256(), jwa.PS256(), jwa.ES256()} {
			if p, err := jws.Verify([]byte(token), jws.WithKey(alg, cert.PublicKey)); err == nil {
				payload = p
			}
		}
	}
	if payload == nil {
		return failed("no certificate that is registered for the application and valid now made the signature")
	}
	var s assertion
	if json.Unmarshal(payload, &s) != nil {
		return failed("its payload is not a JSON object")
	}
	if !strings.EqualFold(s.Issuer, app.AppID) || !strings.EqualFold(s.Subject, app.AppID) {
		return tokenErrorf(http.StatusUnauthorized, "invalid_client", 700021, "Client assertion application identifier doesn't match 'client_id' parameter.")
	}
	expires := time.Unix(int64(s.Expires), 0)
	if now.After(expires.Add(clockSkew)) || now.Add(clockSkew).Before(time.Unix(int64(s.NotBefore), 0)) {
		return tokenErrorf(http.StatusUnauthorized, "invalid_client", 700024, "Client assertion is not within its valid time range. Current time: %s, expiry time of assertion %s.",
			now.UTC().Format(time.RFC3339), expires.UTC().Format(time.RFC3339))
	}
	if !forTokenEndpoint(s.Audience, host) {
		return tokenErrorf(http.StatusUnauthorized, "invalid_client", 700023, "Client assertion audience claim does not match the address of a token endpoint at '%s'.", host)
	}
	return nil
}

func hostOf(base string) string {
	return strings.TrimPrefix(strings.TrimPrefix(base, "https://"), "http://")
}

// forTokenEndpoint says whether an assertion is for a token endpoint of this host: one that was made for another authority
// must not be good here.
func forTokenEndpoint(audience json.RawMessage, host string) bool {
	var several []string
	if json.Unmarshal(audience, &several) != nil {
		several = make([]string, 1)
		if json.Unmarshal(audience, &several[0]) != nil {
			return false
		}
	}
	for _, s := range several {
		u, err := url.Parse(s)
		if err != nil || !strings.EqualFold(u.Host, host) {
			continue
		}
		path := strings.ToLower(strings.TrimRight(u.Path, "/"))
		if strings.HasSuffix(path, "/oauth2/token") || strings.HasSuffix(path, "/oauth2/v2.0/token") {
			return true
		}
	}
	return false
}

package identity

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"tandem"
)

// AuthorityConfig says how tokens are issued. Directory, Clock and Log are needed.
type AuthorityConfig struct {
	Directory *Directory
	Clock     tandem.Clock
	Log       *slog.Logger
	// Base is the scheme and host of the authority's own address; empty: what the client used.
	Base string
	// Resources are what tokens are issued for, beside the registered applications: the audiences of ARM and of Graph.
	// nil: DefaultAudiences and https://graph.microsoft.com.
	Resources []string
	// Lifetime of a token; zero: one hour.
	Lifetime time.Duration
}

// Authority is the token authority: Entra ID's v1 and v2 token endpoints for client credentials, the AD FS form of them,
// discovery and keys. It is an http.Handler.
type Authority struct{ AuthorityConfig }

// maxForm is the largest token request: an assertion has some kilobytes.
const maxForm = 256 << 10

// NewAuthority makes the handler.
func NewAuthority(c AuthorityConfig) *Authority {
	if c.Resources == nil {
		c.Resources = append(DefaultAudiences(), graphAudience)
	}
	if c.Lifetime == 0 {
		c.Lifetime = time.Hour
	}
	return &Authority{c}
}

// ServeHTTP implements http.Handler. Paths match without regard to case; {tenant} is an id, a domain, "common", or "adfs".
func (a *Authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var segments []string
	for s := range strings.SplitSeq(strings.ToLower(r.URL.Path), "/") {
		if s != "" {
			segments = append(segments, s)
		}
	}
	if len(segments) == 0 {
		a.notFound(w, r)
		return
	}
	tenant, rest := segments[0], strings.Join(segments[1:], "/")
	switch rest {
	case "oauth2/token", "oauth2/v2.0/token":
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			tokenErrorf(http.StatusMethodNotAllowed, "invalid_request", 900561, "The endpoint only accepts POST requests. Received a %s request.", r.Method).write(w, r, a.Clock.Now())
			return
		}
		a.serveToken(w, r, tenant, rest == "oauth2/v2.0/token" || tenant == "adfs")
	case ".well-known/openid-configuration", "v2.0/.well-known/openid-configuration":
		a.serveDiscovery(w, r, tenant, strings.HasPrefix(rest, "v2.0"))
	case "discovery/instance":
		a.serveInstance(w, r)
	case "discovery/keys", "discovery/v2.0/keys":
		a.serveKeys(w, r, tenant)
	default:
		a.notFound(w, r)
	}
}

func (a *Authority) notFound(w http.ResponseWriter, r *http.Request) {
	tokenErrorf(http.StatusNotFound, "invalid_request", 90015, "The path '%s' is not one of the authority's.", r.URL.Path).write(w, r, a.Clock.Now())
}

// tenant finds the tenant that an address names. "common" and "adfs" stand for the only one, or the first.
func (a *Authority) tenant(name string) (Tenant, *tokenError) {
	if t, ok := a.Directory.Tenant(name); ok {
		return t, nil
	}
	if all := a.Directory.Tenants(); len(all) > 0 && (name == "common" || name == "organizations" || name == "adfs") {
		return all[0], nil
	}
	return Tenant{}, tokenErrorf(http.StatusBadRequest, "invalid_request", 90002,
		"Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.", name)
}

func (a *Authority) base(r *http.Request) string {
	switch {
	case a.Base != "":
		return a.Base
	case r.TLS == nil:
		return "http://" + r.Host
	default:
		return "https://" + r.Host
	}
}

func (a *Authority) serveToken(w http.ResponseWriter, r *http.Request, tenant string, v2 bool) {
	answer, err := a.issue(r, tenant, v2)
	if err == nil {
		writeJSON(w, http.StatusOK, answer)
		return
	}
	var e *tokenError
	if !errors.As(err, &e) {
		a.Log.Error("a token cannot be issued", "error", err)
		e = tokenErrorf(http.StatusServiceUnavailable, "temporarily_unavailable", 90033, "A transient error has occurred. Please try again.")
	}
	e.write(w, r, a.Clock.Now())
}

// readForm reads a form that may be unescaped in part, as scripts send it.
func readForm(r *http.Request) (map[string]string, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err == nil && len(body) > maxForm {
		err = errors.New("it is too large")
	}
	if err != nil {
		return nil, err
	}
	if form := strings.TrimSpace(string(body)); strings.HasPrefix(form, "{") {
		return nil, errors.New("it is JSON, and must be application/x-www-form-urlencoded")
	}
	return parseForm(string(body))
}

// discovery is the document of OpenID Connect Discovery 1.0.
type discovery struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	KeysURI               string   `json:"jwks_uri"`
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	SigningAlgorithms     []string `json:"id_token_signing_alg_values_supported"`
	Scopes                []string `json:"scopes_supported"`
	Claims                []string `json:"claims_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
}

func (a *Authority) serveDiscovery(w http.ResponseWriter, r *http.Request, name string, v2 bool) {
	t, e := a.tenant(name)
	if e != nil {
		e.write(w, r, a.Clock.Now())
		return
	}
	// Clients take the tenant out of the token endpoint; "common" and "adfs" stay as they were asked for.
	root := a.base(r) + "/" + name
	d := discovery{Issuer: issuer(t.ID), AuthorizationEndpoint: root + "/oauth2/authorize", TokenEndpoint: root + "/oauth2/token", KeysURI: root + "/discovery/keys",
		AuthMethods: []string{"client_secret_post", "private_key_jwt"}, ResponseTypes: []string{"token"}, ResponseModes: []string{"query"},
		SubjectTypes: []string{"pairwise"}, SigningAlgorithms: []string{"RS256"}, Scopes: []string{"openid"}, GrantTypes: []string{"client_credentials"},
		Claims: []string{"sub", "iss", "aud", "exp", "iat", "nbf", "tid", "oid", "appid", "ver"}}
	if v2 && name != "adfs" {
		d.AuthorizationEndpoint, d.TokenEndpoint, d.KeysURI = root+"/oauth2/v2.0/authorize", root+"/oauth2/v2.0/token", root+"/discovery/v2.0/keys"
	}
	writeJSON(w, http.StatusOK, d)
}

// serveInstance answers what MSAL asks about authorities that it does not know.
func (a *Authority) serveInstance(w http.ResponseWriter, r *http.Request) {
	base := a.base(r)
	host := strings.TrimPrefix(strings.TrimPrefix(base, "https://"), "http://")
	asked := r.URL.Query().Get("authorization_endpoint")
	rest, ours := strings.CutPrefix(asked, base+"/")
	if !ours {
		tokenErrorf(http.StatusBadRequest, "invalid_instance", 50049, "Unknown or invalid instance. The authorization endpoint must be below %s.", base).write(w, r, a.Clock.Now())
		return
	}
	tenant, _, _ := strings.Cut(rest, "/")
	writeJSON(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": base + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  []map[string]any{{"preferred_network": host, "preferred_cache": host, "aliases": []string{host}}},
	})
}

// serveKeys answers the key set (RFC 7517, section 5).
func (a *Authority) serveKeys(w http.ResponseWriter, r *http.Request, name string) {
	t, e := a.tenant(name)
	if e != nil {
		e.write(w, r, a.Clock.Now())
		return
	}
	keys := []map[string]any{}
	for _, k := range a.Directory.Snapshot().SigningKeys {
		var key map[string]any
		if json.Unmarshal(k.JWK, &key) == nil {
			key["issuer"] = issuer(t.ID)
			keys = append(keys, key)
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": keys})
}

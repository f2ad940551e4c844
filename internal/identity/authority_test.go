package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"tandem"
	"tandem/internal/store/storetest"
)

func TestTokenErrors(t *testing.T) {
	s := newSite(t)
	_, _, err := s.d.AddSecret(t.Context(), s.owner.ClientID, "short", time.Minute)
	check(t, err)
	short, _, err := s.d.AddSecret(t.Context(), s.owner.ClientID, "short", time.Minute)
	check(t, err)
	off, err := s.d.EnsureServicePrincipal(t.Context(), tenantID, "off")
	check(t, err)
	check(t, s.d.DeleteServicePrincipal(t.Context(), off.ObjectID))
	s.clock.turn(time.Hour)
	form := func(change ...string) string {
		v := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.owner.ClientID}, "client_secret": {s.owner.ClientSecret}, "scope": {armAud + "/.default"}, "resource": {armAud}}
		for i := 0; i < len(change); i += 2 {
			v.Set(change[i], change[i+1])
			if change[i+1] == "-" {
				v.Del(change[i])
			}
		}
		return v.Encode()
	}
	const v1, v2 = "/" + tenantID + "/oauth2/token", "/" + tenantID + "/oauth2/v2.0/token"
	for _, c := range []struct {
		path, form string
		status     int
		code       string
		number     int
	}{
		{v1, form(), 200, "", 0}, {v2, form(), 200, "", 0}, {strings.ToUpper(v2), form(), 200, "", 0}, {"//contoso.example/oauth2/token", form(), 200, "", 0},
		{"/adfs/oauth2/token", form(), 200, "", 0}, {"/common/oauth2/v2.0/token", form(), 200, "", 0},
		{v2, form("scope", "https://management.azure.com/.default openid offline_access profile"), 200, "", 0},
		{v2, form("scope", "https://management.core.windows.net//.default"), 200, "", 0},
		{v2, form("scope", "api://"+s.owner.ClientID+"/.default"), 200, "", 0},
		{v1, form("resource", "https://management.azure.com"), 200, "", 0},
		{v1, form("client_secret", "wrong"), 401, "invalid_client", 7000215}, {v2, form("client_secret", "wrong"), 401, "invalid_client", 7000215},
		{v2, form("client_secret", short), 401, "invalid_client", 7000222},
		{v2, form("client_secret", "-"), 401, "invalid_client", 7000216},
		{v2, form("client_id", subID), 400, "unauthorized_client", 700016},
		{v2, form("client_id", off.ClientID, "client_secret", off.ClientSecret), 400, "unauthorized_client", 7000112},
		{"/" + subID + "/oauth2/v2.0/token", form(), 400, "invalid_request", 90002},
		{v2, form("scope", "https://management.azure.com/user_impersonation"), 400, "invalid_scope", 1002012},
		{v2, form("scope", "-", "resource", "-"), 400, "invalid_request", 900144},
		{v2, form("scope", "https://vault.azure.net/.default"), 400, "invalid_scope", 500011},
		{v1, form("resource", "https://vault.azure.net"), 400, "invalid_resource", 500011},
		{v1, form("resource", "-"), 400, "invalid_request", 900144},
		{v1, form("grant_type", "-"), 400, "invalid_request", 900144}, {v1, form("client_id", "-"), 400, "invalid_request", 900144},
		{v1, form("grant_type", "password"), 400, "unsupported_grant_type", 70003},
		{v1, "", 400, "invalid_request", 900144}, {v1, `{"a":1}`, 400, "invalid_request", 9000410}, {v1, "%zz", 400, "invalid_request", 9000410},
		{v1, strings.Repeat("a", maxForm+1), 400, "invalid_request", 9000410},
		{v2, form("client_secret", "-", "client_assertion", "a.b.c", "client_assertion_type", assertionType), 401, "invalid_client", 700027},
		{v2, form("client_secret", "-", "client_assertion", "a.b.c"), 400, "invalid_request", 900144},
		{"/" + tenantID + "/elsewhere", form(), 404, "invalid_request", 90015}, {"/", "", 404, "invalid_request", 90015},
	} {
		w := s.post(c.path, c.form)
		var body struct {
			tokenErrorBody
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("%s: %s", w.Body, err)
		}
		number := 0
		if len(body.Codes) > 0 {
			number = body.Codes[0]
		}
		if w.Code != c.status || body.Error != c.code || number != c.number || (c.status == 200) != (body.Token != "") {
			t.Errorf("%s %.120s: got %d %s %d, want %d %s %d", c.path, c.form, w.Code, body.Error, number, c.status, c.code, c.number)
		}
		if c.status != 200 && (!strings.HasPrefix(body.Description, "AADSTS") || !strings.Contains(body.Description, "\r\nTrace ID: ") || strings.Contains(w.Body.String(), s.owner.ClientSecret)) {
			t.Errorf("description %q", body.Description)
		}
	}
	// The form of the seed workflow: nothing in it is escaped.
	w := s.post(v1, "client_id="+s.owner.ClientID+"&client_secret="+s.owner.ClientSecret+"&grant_type=client_credentials&resource=https://management.azure.com")
	var answer map[string]any
	check(t, json.Unmarshal(w.Body.Bytes(), &answer))
	if answer["expires_in"] != "3599" || answer["resource"] != "https://management.azure.com" || answer["token_type"] != "Bearer" || answer["expires_on"] == nil {
		t.Errorf("v1 answer %v", answer)
	}
	if w := httptest.NewRecorder(); true {
		s.authority().ServeHTTP(w, httptest.NewRequest("GET", "https://login.example"+v1, nil))
		if w.Code != 405 || !strings.Contains(w.Body.String(), "AADSTS900561") {
			t.Errorf("GET gave %d %s", w.Code, w.Body)
		}
	}
}

func TestDiscovery(t *testing.T) {
	s := newSite(t)
	get := func(path string, into any) int {
		w := httptest.NewRecorder()
		s.authority().ServeHTTP(w, httptest.NewRequest("GET", "https://login.example"+path, nil))
		check(t, json.Unmarshal(w.Body.Bytes(), into))
		return w.Code
	}
	for _, c := range []struct{ path, token, keys string }{
		{"/" + tenantID + "/v2.0/.well-known/openid-configuration", "/" + tenantID + "/oauth2/v2.0/token", "/" + tenantID + "/discovery/v2.0/keys"},
		{"/" + tenantID + "/.well-known/openid-configuration", "/" + tenantID + "/oauth2/token", "/" + tenantID + "/discovery/keys"},
		{"/common/v2.0/.well-known/openid-configuration", "/common/oauth2/v2.0/token", "/common/discovery/v2.0/keys"},
		{"/adfs/.well-known/openid-configuration", "/adfs/oauth2/token", "/adfs/discovery/keys"},
	} {
		var d discovery
		if code := get(c.path, &d); code != 200 || d.TokenEndpoint != "https://login.example"+c.token || d.Issuer != issuer(tenantID) || d.AuthorizationEndpoint == "" {
			t.Errorf("%s: %d %+v", c.path, code, d)
		}
		var keys struct {
			Keys []map[string]any `json:"keys"`
		}
		if code := get(strings.TrimPrefix(d.KeysURI, "https://login.example"), &keys); code != 200 || len(keys.Keys) != 1 || keys.Keys[0]["kty"] != "RSA" || keys.Keys[0]["d"] != nil || d.KeysURI != "https://login.example"+c.keys {
			t.Errorf("%s: %d %v", d.KeysURI, code, keys)
		}
	}
	var e tokenErrorBody
	if code := get("/"+subID+"/v2.0/.well-known/openid-configuration", &e); code != 400 || e.Codes[0] != 90002 {
		t.Errorf("unknown tenant: %d %v", code, e)
	}
	var i struct {
		Endpoint string `json:"tenant_discovery_endpoint"`
		Metadata []any  `json:"metadata"`
	}
	if code := get("/common/discovery/instance?api-version=1.1&authorization_endpoint=https://login.example/"+tenantID+"/oauth2/v2.0/authorize", &i); code != 200 ||
		i.Endpoint != "https://login.example/"+tenantID+"/v2.0/.well-known/openid-configuration" || len(i.Metadata) != 1 {
		t.Errorf("instance: %d %v", code, i)
	}
	if code := get("/common/discovery/instance?authorization_endpoint=https://elsewhere/x", &e); code != 400 || e.Error != "invalid_instance" {
		t.Errorf("instance: %d %v", code, e)
	}
}

func selfSigned(t *testing.T, key any, public any) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotBefore: tandem.SystemClock{}.Now().Add(-time.Hour), NotAfter: tandem.SystemClock{}.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	return cert
}

func TestTheSDKSignsInWithSecretAndCertificate(t *testing.T) {
	s := newSite(t)
	s.clock.turn(tandem.SystemClock{}.Now().Sub(s.clock.Now())) // the SDK goes by the machine's clock
	s.d = s.open()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	cert := selfSigned(t, key, &key.PublicKey)
	check(t, s.d.AddCertificate(t.Context(), s.owner.ClientID, cert))
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	server := httptest.NewTLSServer(s.authority())
	defer server.Close()
	options := azcore.ClientOptions{Transport: server.Client(), Retry: policy.RetryOptions{MaxRetries: -1},
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: server.URL, Services: map[cloud.ServiceName]cloud.ServiceConfiguration{}}}
	get := func(cred azcore.TokenCredential) error {
		token, err := cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{armAud + "/.default"}})
		if err != nil {
			return err
		}
		p, err := s.d.Authenticate(t.Context(), token.Token)
		if err == nil && p.ObjectID != s.owner.ObjectID {
			t.Errorf("signed in as %+v", p)
		}
		return err
	}
	withCert := func(c *x509.Certificate, k *rsa.PrivateKey) azcore.TokenCredential {
		cred, err := azidentity.NewClientCertificateCredential(tenantID, s.owner.ClientID, []*x509.Certificate{c}, k,
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
		check(t, err)
		return cred
	}
	withSecret := func(secret string) azcore.TokenCredential {
		cred, err := azidentity.NewClientSecretCredential(tenantID, s.owner.ClientID, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
		check(t, err)
		return cred
	}
	check(t, get(withSecret(s.owner.ClientSecret)))
	check(t, get(withCert(cert, key)))
	if err := get(withSecret("wrong")); err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("wrong secret: %v", err)
	}
	if err := get(withCert(selfSigned(t, other, &other.PublicKey), other)); err == nil || !strings.Contains(err.Error(), "AADSTS700027") {
		t.Errorf("unknown certificate: %v", err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	check(t, s.d.AddCertificate(t.Context(), s.owner.ClientID, selfSigned(t, ec, &ec.PublicKey)))
	check(t, get(withCert(cert, key))) // with a key of another kind beside it
}

func TestAssertionsForAnotherAuthorityAreRefused(t *testing.T) {
	for raw, want := range map[string]bool{
		`"https://h:1/t/oauth2/v2.0/token"`: true, `"https://h:1/t/oauth2/token/"`: true, `["x","https://H:1/adfs/oauth2/token"]`: true,
		`"https://other/t/oauth2/v2.0/token"`: false, `"https://h:1/"`: false, `7`: false, `""`: false,
	} {
		if got := forTokenEndpoint(json.RawMessage(raw), "h:1"); got != want {
			t.Errorf("%s: %v", raw, got)
		}
	}
}

var _ http.Handler = (*Authority)(nil)

func FuzzTokenRequest(f *testing.F) {
	s := storetest.Memory()
	f.Cleanup(func() { _ = s.Close() })
	d, err := Open(f.Context(), Config{AccessConfig: AccessConfig{Clock: tandem.SystemClock{}}, Store: s, Sealer: newSealer(), Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		_, err = d.Bootstrap(f.Context(), BootstrapOptions{Tenant: Tenant{ID: tenantID}, Principal: "owner"})
	}
	if err != nil {
		f.Fatal(err)
	}
	a := NewAuthority(AuthorityConfig{Directory: d, Clock: tandem.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
	app := d.Applications()[0].AppID
	f.Add("/x/oauth2/token", "grant_type=client_credentials&client_id="+app+"&client_secret=x&resource=https://management.azure.com")
	f.Add("/common/oauth2/v2.0/token", "grant_type=client_credentials&client_id="+app+"&client_assertion=a.b.c&client_assertion_type="+assertionType)
	f.Add("/common/discovery/instance", "")
	f.Fuzz(func(t *testing.T, path, form string) {
		r := httptest.NewRequest(http.MethodPost, "https://login.example/", strings.NewReader(form))
		r.URL.Path = path
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code >= 500 || strings.Contains(w.Body.String(), "access_token\"") || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%q %q gave %d %s", path, form, w.Code, w.Body)
		}
	})
}

package identity

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"crypto/rand"
	"crypto/rsa"
)

const graphAud = "https://graph.microsoft.com"

func TestCreateForRBAC(t *testing.T) {
	s := newSite(t)
	h, err := NewGraph(GraphConfig{Directory: s.d, Clock: s.clock, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	token := s.token(s.owner, graphAud)
	do := func(token, method, path, body string, status int) map[string]any {
		t.Helper()
		w := call(h, method, "/v1.0"+path, token, body)
		if w.Code != status {
			t.Fatalf("%s %s gave %d, want %d: %s", method, path, w.Code, status, w.Body)
		}
		var out map[string]any
		if w.Body.Len() > 0 {
			check(t, json.Unmarshal(w.Body.Bytes(), &out))
		}
		return out
	}
	values := func(out map[string]any) []any { return out["value"].([]any) }
	// What az ad sp create-for-rbac does.
	if n := len(values(do(token, "GET", "/applications?$filter="+url.QueryEscape("displayName eq 'backup app'"), "", 200))); n != 0 {
		t.Fatalf("%d applications", n)
	}
	app := do(token, "POST", "/applications", `{"displayName":"backup app","identifierUris":["api://backup"]}`, 201)
	id, appID := app["id"].(string), app["appId"].(string)
	password := do(token, "POST", "/applications/"+id+"/addPassword", `{"passwordCredential":{"displayName":"rbac","endDateTime":"2027-01-01T00:00:00Z"}}`, 200)
	sp := do(token, "POST", "/servicePrincipals", `{"appId":"`+appID+`","accountEnabled":true}`, 201)
	do(token, "POST", "/servicePrincipals", `{"appId":"`+appID+`"}`, 409)
	found := values(do(token, "GET", "/servicePrincipals?$filter="+url.QueryEscape("servicePrincipalNames/any(c:c eq 'API://backup')"), "", 200))
	if len(found) != 1 || found[0].(map[string]any)["id"] != sp["id"] {
		t.Fatalf("found %v", found)
	}
	if got := do(token, "GET", "/servicePrincipals(appId='"+appID+"')", "", 200); got["id"] != sp["id"] {
		t.Errorf("by key: %v", got)
	}
	got := values(do(token, "POST", "/directoryObjects/getByIds", `{"ids":["`+sp["id"].(string)+`","`+id+`","nobody"],"types":["servicePrincipal"]}`, 200))
	if len(got) != 1 || got[0].(map[string]any)["@odata.type"] != "#microsoft.graph.servicePrincipal" {
		t.Errorf("by ids: %v", got)
	}
	// The new principal signs in, and may not change what it did not register.
	theirs := Credentials{ClientID: appID, ClientSecret: password["secretText"].(string), ObjectID: sp["id"].(string)}
	other := s.token(theirs, graphAud)
	do(other, "GET", "/servicePrincipals/"+sp["id"].(string), "", 200)
	do(other, "POST", "/applications", `{"displayName":"x"}`, 403)
	ownerApp, _ := s.d.Application(s.owner.ClientID)
	_, err = s.d.AssignRole(t.Context(), Assignment{Scope: "/subscriptions/" + subID, Role: "Owner", PrincipalID: theirs.ObjectID})
	check(t, err)
	do(other, "POST", "/applications/"+ownerApp.ID+"/addPassword", `{}`, 403) // else it could become the owner of everything
	do(other, "DELETE", "/applications/"+ownerApp.ID, "", 403)
	mine := do(other, "POST", "/applications", `{"displayName":"mine"}`, 201)
	do(other, "PATCH", "/applications/"+mine["id"].(string), `{"displayName":"renamed"}`, 204)
	do(other, "POST", "/applications/"+mine["id"].(string)+"/addPassword", "", 200)
	do(other, "DELETE", "/applications/"+mine["id"].(string), "", 204)

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	cert := base64.StdEncoding.EncodeToString(selfSigned(t, key, &key.PublicKey).Raw)
	do(token, "PATCH", "/applications/"+id, `{"keyCredentials":[{"type":"AsymmetricX509Cert","usage":"Verify","key":"`+cert+`"}]}`, 204)
	if keys := do(token, "GET", "/applications/"+id, "", 200)["keyCredentials"].([]any); len(keys) != 1 {
		t.Errorf("keys %v", keys)
	}
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/servicePrincipals/nobody", "", 404, "Request_ResourceNotFound"},
		{"GET", "/applications/nobody", "", 404, "Request_ResourceNotFound"},
		{"GET", "/me", "", 404, "Request_ResourceNotFound"},
		{"POST", "/applications", `{}`, 400, "Request_BadRequest"},
		{"POST", "/applications", `{"displayName":"x","passwordCredentials":[{}]}`, 400, "Request_BadRequest"},
		{"POST", "/applications", `{"displayName":"x","keyCredentials":[{"key":"!"}]}`, 400, "Request_BadRequest"},
		{"POST", "/applications", `{"displayName":"x","keyCredentials":[{"key":"AAAA"}]}`, 400, "Request_BadRequest"},
		{"POST", "/servicePrincipals", `{"appId":"nobody"}`, 400, "Request_BadRequest"},
		{"POST", "/applications/" + id + "/addPassword", `{"passwordCredential":{"endDateTime":"2020-01-01T00:00:00Z"}}`, 400, "Request_BadRequest"},
		{"POST", "/applications/" + id + "/removePassword", `{"keyId":"nobody"}`, 400, "Request_BadRequest"},
		{"GET", "/applications?$filter=nosuch+eq+1", "", 400, "InvalidFilter"},
	} {
		w := call(h, c.method, "/v1.0"+c.path, token, c.body)
		if w.Code != c.status || errorCode(w) != c.code {
			t.Errorf("%s %s gave %d %s", c.method, c.path, w.Code, w.Body)
		}
	}
	spPath := "/servicePrincipals/" + sp["id"].(string)
	do(token, "PATCH", spPath, `{"displayName":"x"}`, 400)
	do(token, "PATCH", spPath, `{"accountEnabled":false}`, 204)
	do(other, "GET", "/organization", "", 401) // a principal that is switched off, with a token that has time left
	do(token, "PATCH", spPath, `{"accountEnabled":true}`, 204)
	do(other, "GET", "/organization", "", 200)
	do(token, "POST", "/applications/"+id+"/removePassword", `{"keyId":"`+password["keyId"].(string)+`"}`, 204)
	if w := s.post("/"+tenantID+"/oauth2/v2.0/token", "grant_type=client_credentials&client_id="+appID+"&client_secret="+theirs.ClientSecret+"&scope="+graphAud+"/.default"); w.Code != 401 {
		t.Errorf("a removed secret gave %d", w.Code)
	}
	if org := values(do(token, "GET", "/organization", "", 200)); len(org) != 1 {
		t.Errorf("organization %v", org)
	}
	if users := values(do(token, "GET", "/users?$filter=x", "", 200)); len(users) != 0 {
		t.Errorf("users %v", users)
	}
	do(token, "DELETE", "/applications/"+id, "", 204)
	if len(s.d.Assignments(func(a RoleAssignment) bool { return a.PrincipalID == theirs.ObjectID })) != 0 {
		t.Error("a deleted principal kept its roles")
	}
	if w := call(h, "GET", "/v1.0/applications", s.token(s.owner, armAud), ""); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "Audience") {
		t.Errorf("a token for ARM gave %d %s", w.Code, w.Body)
	}
}

// TestGraphByItsAddress: clients of a custom cloud ask for Graph by the address that the cloud's metadata tell, the authority's.
func TestGraphByItsAddress(t *testing.T) {
	s := newSite(t)
	h, err := NewGraph(GraphConfig{Directory: s.d, Clock: s.clock, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	token := s.token(s.owner, "https://login.example")
	if w := call(h, "GET", "/v1.0/servicePrincipals", token, ""); w.Code != http.StatusOK {
		t.Errorf("with it, Graph answers %d %s", w.Code, w.Body)
	}
}

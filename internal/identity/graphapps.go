package identity

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"tandem"
	"tandem/internal/arm"
)

func (g graph) application(a Application) object {
	passwords, keys, uris := []any{}, []any{}, []any{}
	for _, s := range a.Secrets {
		passwords = append(passwords, object{"keyId": s.KeyID, "displayName": s.DisplayName, "hint": s.Hint, "startDateTime": s.Start, "endDateTime": s.End,
			"secretText": nil, "customKeyIdentifier": nil})
	}
	for _, c := range a.Certificates {
		keys = append(keys, object{"keyId": c.KeyID, "type": "AsymmetricX509Cert", "usage": "Verify", "startDateTime": c.Start, "endDateTime": c.End, "key": nil})
	}
	for _, uri := range a.IdentifierURIs {
		uris = append(uris, uri)
	}
	return object{"id": a.ID, "appId": a.AppID, "displayName": a.DisplayName, "identifierUris": uris, "createdDateTime": a.Created,
		"signInAudience": "AzureADMyOrg", "publisherDomain": nil, "passwordCredentials": passwords, "keyCredentials": keys}
}

func (g graph) applicationByID(id string) (Application, bool) {
	for _, a := range g.Directory.Applications() {
		if strings.EqualFold(a.ID, id) {
			return a, true
		}
	}
	return Application{}, false
}

// changeable finds the application of a request that the caller may change.
func (g graph) changeable(r *arm.Request) (Application, error) {
	a, ok := g.applicationByID(r.Params["id"])
	if !ok {
		return a, notInGraph(r.Params["id"])
	}
	return a, g.mayChange(r.Principal, a)
}

func (g graph) listApplications(_ context.Context, r *arm.Request) (*arm.Response, error) {
	out := []object{}
	for _, a := range g.Directory.Applications() {
		out = append(out, g.application(a))
	}
	return g.page(r, "applications", out)
}

func (g graph) getApplication(_ context.Context, r *arm.Request) (*arm.Response, error) {
	a, ok := g.applicationByID(r.Params["id"])
	if !ok {
		return nil, notInGraph(r.Params["id"])
	}
	return &arm.Response{Body: g.application(a)}, nil
}

type applicationBody struct {
	DisplayName         string          `json:"displayName"`
	IdentifierURIs      []string        `json:"identifierUris"`
	KeyCredentials      []keyCredential `json:"keyCredentials"`
	PasswordCredentials []any           `json:"passwordCredentials"`
}

type keyCredential struct {
	Key   string `json:"key"` // base64 of the certificate
	Type  string `json:"type"`
	Usage string `json:"usage"`
}

// apply puts a body's members on an application. Secrets in a body are refused: they are made here, never chosen.
func (b applicationBody) apply(a *Application) error {
	bad := func(format string, args ...any) error {
		return arm.Errorf(http.StatusBadRequest, "Request_BadRequest", format, args...)
	}
	if b.DisplayName != "" {
		a.DisplayName = b.DisplayName
	}
	if a.DisplayName == "" {
		return bad("A value is required for property 'displayName' of resource 'Application'.")
	}
	if len(b.PasswordCredentials) > 0 {
		return bad("New password credentials must be generated with service actions: POST to addPassword.")
	}
	if b.IdentifierURIs != nil {
		a.IdentifierURIs = b.IdentifierURIs
	}
	if b.KeyCredentials == nil {
		return nil
	}
	a.Certificates = nil
	for _, k := range b.KeyCredentials {
		der, err := base64.StdEncoding.DecodeString(k.Key)
		if err != nil {
			return bad("The key of a keyCredential is not base64: %v.", err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return bad("The key of a keyCredential is not an X.509 certificate: %v.", err)
		}
		a.Certificates = append(a.Certificates, Certificate{KeyID: uuid.NewString(), DER: cert.Raw, Start: cert.NotBefore, End: cert.NotAfter})
	}
	return nil
}

func (g graph) createApplication(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	if err := g.mayRegister(r.Principal); err != nil {
		return nil, err
	}
	var body applicationBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	a := Application{TenantID: r.Principal.TenantID, Owner: r.Principal.ObjectID}
	if err := body.apply(&a); err != nil {
		return nil, err
	}
	a, err := g.Directory.CreateApplication(ctx, a)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusCreated, Body: g.application(a)}, nil
}

func (g graph) patchApplication(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body applicationBody
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	a, err := g.changeable(r)
	if err == nil {
		_, err = g.Directory.UpdateApplication(ctx, a.AppID, body.apply)
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusNoContent}, nil
}

func (g graph) deleteApplication(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	a, err := g.changeable(r)
	if err == nil {
		err = g.Directory.DeleteApplication(ctx, a.AppID)
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusNoContent}, nil
}

func (g graph) addPassword(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		PasswordCredential struct {
			DisplayName string    `json:"displayName"`
			EndDateTime time.Time `json:"endDateTime"`
		} `json:"passwordCredential"`
	}
	if len(r.Body) > 0 {
		if err := r.Decode(&body); err != nil {
			return nil, err
		}
	}
	a, err := g.changeable(r)
	if err != nil {
		return nil, err
	}
	var lifetime time.Duration
	if end := body.PasswordCredential.EndDateTime; !end.IsZero() {
		if lifetime = end.Sub(g.Clock.Now()); lifetime <= 0 {
			return nil, arm.Errorf(http.StatusBadRequest, "Request_BadRequest", "The endDateTime of the password is in the past.")
		}
	}
	plain, s, err := g.Directory.AddSecret(ctx, a.AppID, body.PasswordCredential.DisplayName, lifetime)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Body: object{"keyId": s.KeyID, "displayName": s.DisplayName, "hint": s.Hint, "startDateTime": s.Start, "endDateTime": s.End,
		"secretText": plain, "customKeyIdentifier": nil}}, nil
}

func (g graph) removePassword(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		KeyID string `json:"keyId"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	a, err := g.changeable(r)
	if err != nil {
		return nil, err
	}
	err = g.Directory.RemoveSecret(ctx, a.AppID, body.KeyID)
	if tandem.KindOf(err) == tandem.NotFound {
		return nil, arm.Errorf(http.StatusBadRequest, "Request_BadRequest", "No password credential found with keyId '%s'.", body.KeyID)
	}
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusNoContent}, nil
}

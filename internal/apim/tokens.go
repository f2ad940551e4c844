package apim

import (
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
)

// longestToken is how far ahead a shared access token may end (Azure: 30 days).
const longestToken = 30 * 24 * time.Hour

// tokenRequest is what generateToken and token are sent, the latter below "properties".
type tokenRequest struct {
	KeyType string
	Expiry  string
}

func (p *Provider) tokenOptions(t tokenRequest) (property string, until time.Time, err error) {
	switch strings.ToLower(t.KeyType) {
	case "primary", "secondary":
	default:
		return "", until, invalid("keyType", "%q is not one of primary, secondary", t.KeyType)
	}
	until, err = time.Parse(time.RFC3339Nano, t.Expiry)
	now := p.Clock.Now()
	if err != nil || !until.After(now) || until.After(now.Add(longestToken)) {
		return "", until, invalid("expiry", "%q is not a time within the next 30 days, for example %s", t.Expiry, now.Add(24*time.Hour).UTC().Format(time.RFC3339))
	}
	return strings.ToLower(t.KeyType), until.UTC(), nil
}

// sharedAccessToken makes Azure's token: id, end and the HMAC-SHA512 of both.
func sharedAccessToken(id, key string, until time.Time) string {
	mac := hmac.New(sha512.New, []byte(key))
	mac.Write([]byte(id + "\n" + until.Format("2006-01-02T15:04:05.0000000Z")))
	return id + "&" + until.Format("200601021504") + "&" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// gatewayToken serves generateToken of a self-hosted gateway.
func (p *Provider) gatewayToken(ctx context.Context, s *Service, k *Kind, ids []string, r *arm.Request) (*arm.Response, error) {
	var body tokenRequest
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	doc, err := p.find(ctx, s, k, ids)
	if err != nil {
		return nil, err
	}
	property, until, err := p.tokenOptions(body)
	if err != nil {
		return nil, err
	}
	key, err := doc.OpenSecretString(s.Sealer, property)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"value": sharedAccessToken(doc.Name(), key, until)}}, nil
}

// userToken serves token of a user: signed with the tenant's access key, as Azure's is.
func (p *Provider) userToken(ctx context.Context, s *Service, k *Kind, ids []string, r *arm.Request) (*arm.Response, error) {
	var body struct{ Properties tokenRequest }
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	property, until, err := p.tokenOptions(body.Properties)
	if err != nil {
		return nil, err
	}
	token, err := p.tokenOf(ctx, s, k, ids, property, until)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"value": token}}, nil
}

func (p *Provider) tokenOf(ctx context.Context, s *Service, k *Kind, ids []string, property string, until time.Time) (string, error) {
	user, err := p.find(ctx, s, k, ids)
	if err != nil {
		return "", err
	}
	access, err := s.read(ctx, Key("tenant", []string{"access"}))
	if err != nil && tandem.KindOf(err) != tandem.NotFound {
		return "", err
	}
	if err != nil || !access.Bool("enabled", false) {
		return "", arm.Errorf(http.StatusBadRequest, "ValidationError", "The access keys that tokens are signed with are not enabled; PATCH tenant/access with enabled true first.")
	}
	key, err := access.OpenSecretString(s.Sealer, property+"Key")
	return sharedAccessToken(user.Name(), key, until), err
}

// ssoURL serves generateSsoUrl: an address of the developer portal that signs the user in for five minutes.
func (p *Provider) ssoURL(ctx context.Context, s *Service, k *Kind, ids []string, r *arm.Request) (*arm.Response, error) {
	portal := p.URLs(s.ID.Name()).DeveloperPortal
	if portal == "" {
		if _, err := p.find(ctx, s, k, ids); err != nil {
			return nil, err
		}
		return nil, notSupported("This service has no developer portal to sign in to.")
	}
	token, err := p.tokenOf(ctx, s, k, ids, "primary", p.Clock.Now().UTC().Add(5*time.Minute))
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"value": portal + "/signin-sso?token=" + url.QueryEscape(token)}}, nil
}

// regenerateGatewayKey serves regenerateKey of a self-hosted gateway; the body names the key.
func (p *Provider) regenerateGatewayKey(ctx context.Context, s *Service, k *Kind, ids []string, r *arm.Request) (*arm.Response, error) {
	var body tokenRequest
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	switch property := strings.ToLower(body.KeyType); property {
	case "primary", "secondary":
		return p.regenerate(property)(ctx, s, k, ids, r)
	}
	return nil, invalid("keyType", "%q is not one of primary, secondary", body.KeyType)
}

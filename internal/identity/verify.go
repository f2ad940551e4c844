package identity

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jws"

	"tandem/internal/arm"
)

// clockSkew is how far the clocks of issuer and verifier may be apart.
const clockSkew = 5 * time.Minute

// Claims are what an access token says.
type Claims struct {
	Audience   string `json:"aud"`
	Issuer     string `json:"iss"`
	IssuedAt   int64  `json:"iat"` // seconds since 1970, as the next two
	NotBefore  int64  `json:"nbf"`
	Expires    int64  `json:"exp"`
	AppID      string `json:"appid"`
	AppIDACR   string `json:"appidacr"` // "1" for a secret, "2" for a certificate
	Provider   string `json:"idp"`
	IDType     string `json:"idtyp"`
	ObjectID   string `json:"oid"`
	Subject    string `json:"sub"`
	TenantID   string `json:"tid"`
	Identifier string `json:"uti"`
	Version    string `json:"ver"`
}

// issuer is who signs a tenant's tokens, as version 1.0 names it. It does not hold an address of ours, so that every site
// of a recovery group issues the same.
func issuer(tenant string) string { return "https://sts.windows.net/" + tenant + "/" }

func refused(code, format string, args ...any) error {
	return arm.Errorf(http.StatusUnauthorized, code, format, args...)
}

// Authenticate implements arm.Authoriser.
func (a *Access) Authenticate(_ context.Context, token string) (arm.Principal, error) {
	_, p, err := a.Verify(token, a.audiences)
	return p, err
}

// Verify reads an access token that must be for one of the audiences. Errors are *arm.Error with status 401.
func (a *Access) Verify(token string, audiences []string) (Claims, arm.Principal, error) {
	v := a.current.Load()
	c, known := v.verified.get(token)
	if !known {
		payload, err := jws.Verify([]byte(token), jws.WithKeySet(v.keys))
		if err != nil || json.Unmarshal(payload, &c) != nil {
			return c, arm.Principal{}, refused("InvalidAuthenticationToken", "The access token is invalid.")
		}
		v.verified.put(token, c)
	}
	now := a.clock.Now()
	if expires := time.Unix(c.Expires, 0); now.After(expires.Add(clockSkew)) {
		return c, arm.Principal{}, refused("ExpiredAuthenticationToken", "The access token expiry UTC time '%s' is earlier than current UTC time '%s'.",
			wordyTime(expires), wordyTime(now))
	}
	if now.Add(clockSkew).Before(time.Unix(c.NotBefore, 0)) {
		return c, arm.Principal{}, refused("InvalidAuthenticationToken", "The access token is not valid before '%s'.", wordyTime(time.Unix(c.NotBefore, 0)))
	}
	if _, known := v.tenants[strings.ToLower(c.TenantID)]; !known || c.Issuer != issuer(c.TenantID) {
		var ours []string
		for _, t := range v.Tenants {
			ours = append(ours, issuer(t.ID))
		}
		return c, arm.Principal{}, refused("InvalidAuthenticationTokenTenant",
			"The access token is from the wrong issuer '%s'. It must match the tenant '%s' associated with this subscription.", c.Issuer, strings.Join(ours, "', '"))
	}
	if !slices.ContainsFunc(audiences, func(known string) bool { return sameAudience(known, c.Audience) }) {
		return c, arm.Principal{}, refused("InvalidAuthenticationTokenAudience",
			"The access token has been obtained for wrong audience or resource '%s'. It should exactly match with one of the allowed audiences '%s'.",
			c.Audience, strings.Join(audiences, "','"))
	}
	sp, known := v.principals[strings.ToLower(c.ObjectID)]
	if !known || !sp.Enabled {
		return c, arm.Principal{}, refused("InvalidAuthenticationToken", "The access token is of a principal that does not exist or is disabled.")
	}
	return c, arm.Principal{TenantID: c.TenantID, ObjectID: sp.ID, AppID: sp.AppID, Name: sp.DisplayName}, nil
}

// sameAudience leaves out slashes at the end, which clients add and drop.
func sameAudience(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, "/"), strings.TrimRight(b, "/"))
}

// wordyTime writes a time as ARM's messages do.
func wordyTime(t time.Time) string { return t.UTC().Format("1/2/2006 3:04:05 PM") }

package armclient

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"tandem"
)

// ClientCredentials gets tokens from an Entra ID authority with a client secret (RFC 6749, section 4.4). All fields but
// Scope are needed.
type ClientCredentials struct {
	Authority    string // "https://login.microsoftonline.com"
	TenantID     string
	ClientID     string
	ClientSecret string
	Scope        string // empty: https://management.azure.com//.default
	HTTP         *http.Client
	Clock        tandem.Clock

	mu      sync.Mutex
	token   string
	expires time.Time
}

// Token implements TokenSource. A token is kept until five minutes before its end.
func (s *ClientCredentials) Token(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != "" && s.Clock.Now().Before(s.expires) {
		return s.token, nil
	}
	scope := s.Scope
	if scope == "" {
		scope = "https://management.azure.com//.default"
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.ClientID}, "client_secret": {s.ClientSecret}, "scope": {scope}}
	address := strings.TrimRight(s.Authority, "/") + "/" + url.PathEscape(s.TenantID) + "/oauth2/v2.0/token"
	fail := func(kind tandem.Kind, err error, remedy string) (string, error) {
		return "", &tandem.Error{Op: "get token for", Subject: s.ClientID, Kind: kind, Err: err, Remedy: remedy}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return fail(tandem.Invalid, err, "check the authority's address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.HTTP.Do(req)
	if err != nil {
		return fail(tandem.Unavailable, err, "check that the authority is up and trusted")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fail(tandem.Unavailable, err, "try again")
	}
	var answer struct {
		Token       string      `json:"access_token"`
		Expires     json.Number `json:"expires_in"`
		Description string      `json:"error_description"`
	}
	// An answer that is not JSON leaves the token empty, which is refused below with its status.
	_ = json.Unmarshal(body, &answer)
	if resp.StatusCode != http.StatusOK || answer.Token == "" {
		kind := tandem.Unauthenticated
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
			kind = tandem.Unavailable
		}
		first, _, _ := strings.Cut(answer.Description, "\r\n")
		return fail(kind, &refusal{resp.Status, first}, "check tenant, client id and secret")
	}
	seconds, err := answer.Expires.Int64()
	if err != nil {
		seconds = 300
	}
	s.token = answer.Token
	s.expires = s.Clock.Now().Add(time.Duration(max(seconds-300, seconds/2)) * time.Second)
	return s.token, nil
}

type refusal struct{ status, text string }

func (r *refusal) Error() string { return strings.TrimSpace(r.status + " " + r.text) }

// Refresh implements TokenSource.
func (s *ClientCredentials) Refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = ""
}

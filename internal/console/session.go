package console

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"time"

	"tandem/internal/arm"
)

// session is who signed in. It lives in a sealed cookie alone, no longer than its token.
type session struct {
	ID      string    `json:"id"`
	Token   string    `json:"token"` // bearer token for the management plane
	Expires time.Time `json:"expires"`
	CSRF    string    `json:"csrf"` // every form carries it

	principal arm.Principal
	name      string
}

// Cookies. The prefix has browsers hold that they are secure and of this host alone.
const (
	sessionCookie = "__Host-tandem"
	formCookie    = "__Host-tandem-form" // of the sign-in form, before there is a session
)

var (
	sessionContext = []byte("console session")
	formContext    = []byte("console sign-in form")
)

func (c *Console) setCookie(w http.ResponseWriter, name, value string, expires time.Time) {
	cookie := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if value == "" {
		cookie.MaxAge = -1
	} else {
		cookie.MaxAge = max(1, int(expires.Sub(c.Clock.Now()).Seconds()))
	}
	http.SetCookie(w, cookie)
}

// session reads the cookie of a request; nil where nobody is signed in any more.
func (c *Console) session(r *http.Request) *session {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	raw, err := c.Sealer.Open(cookie.Value, sessionContext)
	if err != nil {
		return nil
	}
	s := &session{}
	if json.Unmarshal(raw, s) != nil || !c.Clock.Now().Before(s.Expires) || c.signedOut.has(s.ID) {
		return nil
	}
	// The token is looked at again each time: a principal that was disabled is out at once.
	if s.principal, err = c.Authoriser.Authenticate(r.Context(), s.Token); err != nil {
		return nil
	}
	if s.name = c.Deployment.PrincipalName(s.principal.ObjectID); s.name == "" {
		s.name = s.principal.AppID
	}
	return s
}

// begin makes a session of a token and sends its cookie.
func (c *Console) begin(w http.ResponseWriter, token string, lifetime time.Duration) error {
	s := session{ID: rand.Text(), Token: token, Expires: c.Clock.Now().Add(lifetime), CSRF: rand.Text()}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	sealed, err := c.Sealer.Seal(raw, sessionContext)
	if err != nil {
		return err
	}
	c.setCookie(w, sessionCookie, sealed, s.Expires)
	return nil
}

// provesForm says whether a request carries its session's CSRF token, as a field or as a header.
func (s *session) provesForm(r *http.Request) bool {
	given := r.Header.Get("X-CSRF-Token")
	if given == "" {
		given = r.PostFormValue("csrf")
	}
	return same(given, s.CSRF)
}

func same(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

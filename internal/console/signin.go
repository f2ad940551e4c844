package console

import (
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// signInForm is what the sign-in page shows.
type signInForm struct {
	Form     string // the token of this form
	ClientID string
	Next     string // where to go after it
	Problem  string
}

// formLasts is how long a sign-in form may lie open.
const formLasts = time.Hour

func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request) {
	if c.session(r) != nil {
		http.Redirect(w, r, localPath(r.URL.Query().Get("next")), http.StatusSeeOther)
		return
	}
	c.signInPage(w, r, http.StatusOK, signInForm{Next: r.URL.Query().Get("next")})
}

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request, status int, f signInForm) {
	f.Form = rand.Text()
	sealed, err := c.Sealer.Seal([]byte(f.Form), formContext)
	if err != nil {
		c.Log.Error("a sign-in form cannot be sealed", "error", err)
		http.Error(w, "The sign-in page cannot be made; see the node's log.", http.StatusInternalServerError)
		return
	}
	c.setCookie(w, formCookie, sealed, c.Clock.Now().Add(formLasts))
	c.render(w, status, "sign-in", frame{Title: "Sign in", Page: f})
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	f := signInForm{ClientID: strings.TrimSpace(r.PostFormValue("client_id")), Next: r.PostFormValue("next")}
	refuse := func(status int, problem string) {
		f.Problem = problem
		c.signInPage(w, r, status, f)
	}
	if !c.provesSignInForm(r) {
		refuse(http.StatusForbidden, "This form is too old or came from elsewhere. Please try again.")
		return
	}
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	if !c.attempts.allowed(address) {
		w.Header().Set("Retry-After", "60")
		refuse(http.StatusTooManyRequests, "Too many failed attempts from your address. Wait a minute, then try again.")
		return
	}
	token, lifetime, why := c.exchange(r, f.ClientID, r.PostFormValue("client_secret"))
	if token == "" {
		c.attempts.failed(address)
		refuse(http.StatusUnauthorized, why)
		return
	}
	if err := c.begin(w, token, lifetime); err != nil {
		c.Log.Error("a session cannot be sealed", "error", err)
		refuse(http.StatusInternalServerError, "The session cannot be made; see the node's log.")
		return
	}
	c.setCookie(w, formCookie, "", time.Time{})
	http.Redirect(w, r, localPath(f.Next), http.StatusSeeOther)
}

func (c *Console) provesSignInForm(r *http.Request) bool {
	cookie, err := r.Cookie(formCookie)
	if err != nil {
		return false
	}
	form, err := c.Sealer.Open(cookie.Value, formContext)
	return err == nil && same(r.PostFormValue("form"), string(form))
}

// exchange asks the token authority for a token by client credentials; without one, why is what to tell.
func (c *Console) exchange(r *http.Request, id, secret string) (token string, lifetime time.Duration, why string) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}, "scope": {"https://management.azure.com/.default"}}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "https://authority/"+c.TenantID+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, "The token authority cannot be asked."
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := serve(c.Authority, req)
	var answer struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"`
		Error   string `json:"error"`
	}
	switch err := json.Unmarshal(a.body.Bytes(), &answer); {
	case err != nil || a.status >= 500:
		return "", 0, "The token authority does not answer as it should. Try again; if it stays so, see the node's log."
	case answer.Token == "":
		return "", 0, "The token authority does not take this client id and secret (" + answer.Error + "). Copy both as they were given when the principal was made."
	}
	return answer.Token, time.Duration(answer.Expires) * time.Second, ""
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	s := c.session(r)
	if s != nil && !s.provesForm(r) {
		c.fail(w, r, s, errForm)
		return
	}
	if s != nil {
		c.signedOut.add(s.ID, s.Expires)
	}
	c.setCookie(w, sessionCookie, "", time.Time{})
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

// localPath is where to go next: a path of the console alone.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(next, "//") || strings.ContainsRune(next, '\\') {
		return "/"
	}
	return u.RequestURI()
}

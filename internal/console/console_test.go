package console_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"html"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

func TestPagesAskForSignIn(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/traffic", "/backups", "/services", "/activity", "/operation?at=/subscriptions/x"} {
		b := w.browser()
		status, body := b.get(path)
		if status != http.StatusOK || !strings.Contains(body, "<h1>Sign in</h1>") {
			t.Errorf("%s: %d without the sign-in page", path, status)
		}
	}
	b := w.browser()
	if status, _ := b.get("/?live=1"); status != http.StatusUnauthorized {
		t.Errorf("a stream without a session: %d", status)
	}
	if status, _ := b.get("/no-such-page"); status != http.StatusNotFound {
		t.Errorf("a page that is not there: %d", status)
	}
}

func TestSignIn(t *testing.T) {
	w := newWorld(t)
	c := w.credentials("operator")
	if status, body := w.browser().trySignIn(c.ClientID, "wrong"); status != http.StatusUnauthorized || !strings.Contains(body, "invalid_client") || strings.Contains(body, "wrong\"") {
		t.Errorf("a wrong secret: %d %s", status, body)
	}
	if status, _ := w.browser().post("/sign-in", url.Values{"client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "form": {"made up"}}); status != http.StatusForbidden {
		t.Errorf("a form that the console did not make: %d", status)
	}
	b := w.signIn("operator")
	at, _ := url.Parse(w.node.Addresses().Console)
	before := b.Jar.Cookies(at)
	if status, _ := b.post("/sign-out", url.Values{"csrf": {"wrong"}}); status != http.StatusForbidden {
		t.Errorf("sign out without the token: %d", status)
	}
	if _, body := b.post("/sign-out", url.Values{"csrf": {b.csrf()}}); !strings.Contains(body, "<h1>Sign in</h1>") {
		t.Error("sign out does not lead to the sign-in page")
	}
	b.Jar.SetCookies(at, before) // a copy of the cookie is worth nothing any more
	if _, body := b.get("/"); !strings.Contains(body, "<h1>Sign in</h1>") {
		t.Error("a session lives on after its sign-out")
	}
	for range 12 {
		w.browser().trySignIn(c.ClientID, "wrong")
	}
	if status, _ := w.browser().trySignIn(c.ClientID, c.ClientSecret); status != http.StatusTooManyRequests {
		t.Errorf("after many failures: %d", status)
	}
}

func TestSessionCookie(t *testing.T) {
	w := newWorld(t)
	b, c := w.browser(), w.credentials("operator")
	_, page := b.get("/sign-in")
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := b.PostForm(w.node.Addresses().Console+"/sign-in", url.Values{"form": {hidden("form", page)}, "client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "next": {"//evil.example"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if at := resp.Header.Get("Location"); at != "/" {
		t.Errorf("sign in leads to %q", at)
	}
	for _, cookie := range resp.Cookies() {
		if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || !strings.HasPrefix(cookie.Name, "__Host-") {
			t.Errorf("cookie %s: %+v", cookie.Name, cookie)
		}
		if strings.Contains(cookie.Value, c.ClientSecret) || strings.Contains(cookie.Value, "eyJ") {
			t.Error("the cookie is not sealed")
		}
	}
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %q", policy)
	}
	forged := w.browser()
	at, _ := url.Parse(w.node.Addresses().Console)
	forged.Jar.SetCookies(at, []*http.Cookie{{Name: "__Host-tandem", Value: "tsk1.1.AAAA", Path: "/", Secure: true}})
	if _, body := forged.get("/"); !strings.Contains(body, "<h1>Sign in</h1>") {
		t.Error("a cookie that nobody sealed is taken")
	}
}

func TestEmptyPages(t *testing.T) {
	w := newWorld(t)
	b := w.signIn("operator")
	for path, text := range map[string]string{
		"/": "There is no traffic profile yet", "/traffic": "There is no traffic profile", "/backups": "There is no container", "/services": "There is no service", "/activity": "Nothing was changed",
	} {
		if status, body := b.get(path); status != http.StatusOK || !strings.Contains(body, text) {
			t.Errorf("%s: %d without %q", path, status, text)
		}
	}
	for _, path := range []string{"/traffic/rg/none", "/services/rg/none", "/services/rg/none/apis/x", "/backups/none/none/none", "/operation?at=/subscriptions/x/operationStatuses/y", "/operation?at=https://evil.example"} {
		if status, body := b.get(path); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestPagesWithData(t *testing.T) {
	w := newWorld(t)
	w.fill()
	b := w.signIn("operator")
	b.until("/", "The endpoint gone of shop.trafficmanager.net does not answer its probes")
	for path, texts := range map[string][]string{
		"/":                                 {"serves shop.trafficmanager.net", "Of the endpoints that may serve, near has the best priority (1).", "There is no backup."},
		"/traffic":                          {"near", "127.0.0.77", "Degraded", "failback manual"},
		"/traffic/rg/shop":                  {"Last probes", "Events", "Probe latency"},
		"/traffic/rg/shop/ask?client=::1":   {"A client at", "southindia", "to keep for 1 second."},
		"/traffic/rg/shop/ask?client=a.b.c": {"That is not an IP address"},
		"/traffic/rg/shop/externalEndpoints/near/take-out": {"To go on, type <strong>near</strong>", "No other endpoint may serve now"},
		"/services":                     {"shop", "Standard", "Serving"},
		"/services/rg/shop":             {"Orders &lt;of&gt; the shop", "visible", "A client", "•••••••• secret"},
		"/services/rg/shop/apis/orders": {"Get an order", `<span class="x-expr">@(&#34;a&#34; &#43; 1)</span>`},
		"/services/rg/shop/backup":      {"shopstore / keep"},
		"/backups":                      {"The container is empty."},
		"/activity":                     {"Microsoft.ApiManagement/service/apis/write", "operator"},
	} {
		status, body := b.get(path)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		for _, text := range texts {
			if !strings.Contains(body, text) && !strings.Contains(html.UnescapeString(body), html.UnescapeString(text)) {
				t.Errorf("%s has no %q:\n%s", path, text, body)
			}
		}
		for _, secret := range []string{"never to be seen", "0123456789abcdef0123456789abcdef"} {
			if strings.Contains(body, secret) {
				t.Errorf("%s shows a secret", path)
			}
		}
	}
	keys := "/services/rg/shop/subscriptions/client/keys"
	if status, _ := b.post(keys, nil); status != http.StatusForbidden {
		t.Errorf("keys without the token: %d", status)
	}
	if _, body := b.post(keys, url.Values{"csrf": {b.csrf()}}); !strings.Contains(body, "0123456789abcdef0123456789abcdef") {
		t.Errorf("the keys are not shown on demand: %s", body)
	}
}

func TestChangesNeedTokenNameAndRole(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.watch()
	b, watcher := w.signIn("operator"), w.signIn("watcher")
	base := "/traffic/rg/shop/externalEndpoints/near/"
	watcher.until("/traffic/rg/shop", "near")
	for _, action := range []string{"failback", "take-out", "keep-in", "measure", "drain", "end-drain"} {
		if status, _ := b.post(base+action, url.Values{"confirm": {"near"}}); status != http.StatusForbidden {
			t.Errorf("%s without the token: %d", action, status)
		}
		if status, body := watcher.post(base+action, url.Values{"csrf": {watcher.csrf()}, "confirm": {"near"}}); status != http.StatusForbidden || !strings.Contains(body, "AuthorizationFailed") {
			t.Errorf("a Reader does %s: %d %s", action, status, body)
		}
	}
	if status, _ := b.post(base+"take-out", url.Values{"csrf": {b.csrf()}, "confirm": {"another"}}); status != http.StatusBadRequest {
		t.Errorf("the wrong name: %d", status)
	}
	for _, path := range []string{"/services/rg/shop/restore", "/services/rg/shop/backup", "/services/rg/shop/subscriptions/client/keys"} {
		status, _ := watcher.post(path, url.Values{"csrf": {watcher.csrf()}, "confirm": {"shop"}, "place": {"shopstore/keep"}, "account": {"shopstore"}, "container": {"keep"}, "blob": {"x"}})
		if status != http.StatusForbidden && status != http.StatusNotFound {
			t.Errorf("a Reader posts to %s: %d", path, status)
		}
	}
	if _, body := watcher.get("/backups"); !strings.Contains(body, "Your role does not open this storage account") {
		t.Error("a Reader opens the storage account")
	}
	if _, body := b.post(base+"take-out", url.Values{"csrf": {b.csrf()}, "confirm": {"near"}}); !strings.Contains(body, "Taken out by hand") {
		t.Error("the override is not shown")
	}
	b.post(base+"measure", url.Values{"csrf": {b.csrf()}})
	b.until("/traffic/rg/shop", "near has the best priority")
	b.post(base+"drain", url.Values{"csrf": {b.csrf()}, "confirm": {"near"}})
	b.until("/traffic", "Drain")
}

func TestBackupAndRestore(t *testing.T) {
	w := newWorld(t)
	w.fill()
	b := w.signIn("operator")
	page := func(form url.Values, path string) string {
		form.Set("csrf", b.csrf())
		resp, err := b.PostForm(w.node.Addresses().Console+path, form)
		if status, body := b.read(resp, err); status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		return resp.Request.URL.RequestURI()
	}
	b.until(page(url.Values{"place": {"shopstore/keep"}, "blob": {"one"}}, "/services/rg/shop/backup"), "Succeeded")
	b.until("/backups", "southindia, revision")
	b.until("/", "one</a> of shop")
	if _, body := b.get("/backups/shopstore/keep/one"); !strings.Contains(body, "It was read to its end just now") || !strings.Contains(body, "apis/orders/operations/get") || strings.Contains(body, "never to be seen") {
		t.Errorf("the backup's page: %s", body)
	}
	restore := url.Values{"account": {"shopstore"}, "container": {"keep"}, "blob": {"one"}, "confirm": {"shop"}}
	b.until(page(restore, "/services/rg/shop/restore"), "Succeeded")
	restore.Set("blob", "none")
	b.until(page(restore, "/services/rg/shop/restore"), "It failed")
	restore.Set("confirm", "another")
	restore.Set("csrf", b.csrf())
	if status, _ := b.post("/services/rg/shop/restore", restore); status != http.StatusBadRequest {
		t.Errorf("a restore with the wrong name: %d", status)
	}
}

func TestStream(t *testing.T) {
	w := newWorld(t)
	w.fill()
	b := w.signIn("operator")
	b.until("/traffic/rg/shop", "near has the best priority")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.node.Addresses().Console+"/traffic/rg/shop?live=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("the stream is %q", kind)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	wait := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("the stream ended before %q: %v", text, lines.Err())
	}
	wait("event: live")
	wait("event: say")
	wait("event: chart")
	wait(`{"name":"near","points":[{"t":`)
	token := b.csrf()
	b.post("/traffic/rg/shop/externalEndpoints/near/take-out", url.Values{"csrf": {token}, "confirm": {"near"}})
	wait("Taken out by hand")
	b.post("/sign-out", url.Values{"csrf": {token}})
	wait("event: ended")
}

// TestAssets holds the embedded libraries to what the lock file gives.
func TestAssets(t *testing.T) {
	sums, err := os.ReadFile("assets/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(sums)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		body, err := os.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s is not what SHA256SUMS says; run make -C internal/console/assets", name)
		}
		n++
	}
	if n != 5 {
		t.Errorf("SHA256SUMS has %d files", n)
	}
}

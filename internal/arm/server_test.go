package arm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gate knows one token and forbids what has "forbidden" in its action.
type gate struct{}

func (gate) Authenticate(_ context.Context, token string) (Principal, error) {
	if token != "good" {
		return Principal{}, &tandem.Error{Op: "read token", Kind: tandem.Unauthenticated}
	}
	return Principal{ObjectID: "oid", AppID: "app", TenantID: "tid"}, nil
}

func (gate) Authorise(_ context.Context, _ Principal, action, scope string) error {
	if strings.Contains(action, "forbidden") {
		return Errorf(http.StatusForbidden, "AuthorizationFailed", "no %s at %s", action, scope)
	}
	return nil
}

// scopes knows one subscription, "s1", with one group, "g1".
type scopes struct{}

func (scopes) CheckSubscription(_ context.Context, s string) error {
	if s != "s1" {
		return Errorf(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", s)
	}
	return nil
}

func (scopes) CheckResourceGroup(_ context.Context, _, g string, _ bool) error {
	if g != "g1" {
		return Errorf(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", g)
	}
	return nil
}

type log struct {
	mu      sync.Mutex
	records []AuditRecord
	text    bytes.Buffer
}

func (l *log) Audit(_ context.Context, r AuditRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

const things = "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Things/things"

func thingsProvider() Provider {
	give := func(status int, body any, err error) Handler {
		return func(context.Context, *Request) (*Response, error) {
			if err != nil {
				return nil, err
			}
			return &Response{Status: status, Body: body}, nil
		}
	}
	kinds := []tandem.Kind{tandem.NotFound, tandem.Exists, tandem.Precondition, tandem.Locked, tandem.Compacted, tandem.Invalid,
		tandem.Unauthenticated, tandem.Denied, tandem.Unavailable, tandem.Unsupported, tandem.Corrupt, tandem.TooLarge, tandem.Closed}
	routes := []Route{
		{Method: "GET", Pattern: things, Handler: give(200, List[string]{Value: []string{"a&b"}}, nil)},
		{Method: "GET", Pattern: things + "/{n}", Handler: give(0, json.RawMessage(`{"x":1}`), nil)},
		{Method: "HEAD", Pattern: things + "/{n}", Handler: give(204, nil, nil)},
		{Method: "PUT", Pattern: things + "/{n}", Handler: func(_ context.Context, r *Request) (*Response, error) {
			var v map[string]any
			if err := r.Decode(&v); err != nil {
				return nil, err
			}
			return &Response{Status: 201, Body: v}, nil
		}},
		{Method: "POST", Pattern: things + "/{n}/forbidden", Handler: give(200, nil, nil)},
		{Method: "POST", Pattern: things + "/{n}/panic", Handler: func(context.Context, *Request) (*Response, error) { panic("boom") }},
		{Method: "POST", Pattern: things + "/{n}/nothing", Handler: func(context.Context, *Request) (*Response, error) { return nil, nil }},
		{Method: "POST", Pattern: things + "/{n}/unmarshalable", Handler: give(200, func() {}, nil)},
		{Method: "POST", Pattern: things + "/{n}/secret", Handler: give(0, nil, errors.New("password=hunter2"))},
		{Method: "GET", Pattern: "/open", Handler: give(200, "hello", nil), Anonymous: true, AnyVersion: true},
		{Method: "GET", Pattern: "/subscriptions/{s}/providers/Microsoft.Things/strict", Handler: give(200, nil, nil)},
	}
	for _, k := range kinds {
		routes = append(routes, Route{Method: "POST", Pattern: things + "/{n}/" + strings.ReplaceAll(string(k), " ", "-"),
			Handler: give(0, nil, fmt.Errorf("wrapped: %w", &tandem.Error{Op: "do", Kind: k}))})
	}
	return table{namespace: "Microsoft.Things", types: []TypeInfo{{Name: "strict", APIVersions: []string{"2020-01-01", "2021-01-01"}}}, routes: routes}
}

func newTestServer(t *testing.T, change func(*ServerConfig)) (*Server, *log) {
	t.Helper()
	l := &log{}
	c := ServerConfig{Providers: []Provider{thingsProvider()}, Authoriser: gate{}, Clock: tandem.SystemClock{}, Log: slog.New(slog.NewTextHandler(l, nil)),
		Scopes: scopes{}, Auditor: l, MaxBody: 1000, Region: "southindia", AuthorizationURI: "https://login.example/tid"}
	if change != nil {
		change(&c)
	}
	s, err := NewServer(c)
	if err != nil {
		t.Fatal(err)
	}
	return s, l
}

func benchConfig() ServerConfig {
	return ServerConfig{Providers: []Provider{thingsProvider()}, Authoriser: gate{}, Clock: tandem.SystemClock{}, Log: slog.New(slog.DiscardHandler),
		Scopes: scopes{}, Rates: Rates{Reads: Rate{Size: 1e12, PerSecond: 1e12}}}
}

func send(s http.Handler, method, target, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://arm.example"+target, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// envelope reads an error answer and fails the test where it is none.
func envelope(t *testing.T, w *httptest.ResponseRecorder) *Error {
	t.Helper()
	var e struct {
		Error *Error `json:"error"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error == nil || e.Error.Code == "" || e.Error.Message == "" {
		t.Fatalf("no envelope in %d %q: %v", w.Code, w.Body, err)
	}
	return e.Error
}

func TestServerErrors(t *testing.T) {
	const one = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Things/things/a"
	const v = "?api-version=2014-02-14"
	s, _ := newTestServer(t, nil)
	for _, c := range []struct {
		method, target, token, body string
		status                      int
		code, message               string
	}{
		{"GET", one + v, "", "", 401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."},
		{"GET", one + v, "Basic x", "", 401, "AuthenticationFailedInvalidHeader", "invalid format"},
		{"GET", one + v, "Bearer ", "", 401, "AuthenticationFailedInvalidHeader", "invalid format"},
		{"GET", one + v, "Bearer bad", "", 401, "InvalidAuthenticationToken", "The access token is invalid."},
		{"GET", "/nowhere" + v, "", "", 401, "AuthenticationFailed", ""},
		{"GET", one, "Bearer good", "", 400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests."},
		{"GET", one + "?api-version=latest", "Bearer good", "", 400, "InvalidApiVersionParameter", "'latest' is invalid"},
		{"GET", one + "?api-version=2024-13-01", "Bearer good", "", 400, "InvalidApiVersionParameter", ""},
		{"GET", one + "?api-version=2024-05-01-", "Bearer good", "", 400, "InvalidApiVersionParameter", ""},
		{"GET", "/subscriptions/s1/providers/Microsoft.Things/strict?api-version=2022-01-01", "Bearer good", "", 400, "NoRegisteredProviderFound", "The supported api-versions are '2020-01-01, 2021-01-01'."},
		{"GET", "/subscriptions/s2" + v, "Bearer good", "", 404, "SubscriptionNotFound", "'s2'"},
		{"GET", strings.Replace(one, "g1", "g2", 1) + v, "Bearer good", "", 404, "ResourceGroupNotFound", "'g2'"},
		{"GET", "/" + v, "Bearer good", "", 404, "MissingSubscription", ""},
		{"GET", "/nowhere" + v, "Bearer good", "", 404, "MissingSubscription", ""},
		{"GET", "/subscriptions/s1/unknown" + v, "Bearer good", "", 404, "InvalidResourceType", "'subscriptions/unknown'"},
		{"GET", "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Other/x/y" + v, "Bearer good", "", 404, "InvalidResourceNamespace", "The resource namespace 'Microsoft.Other' is invalid."},
		{"GET", "/subscriptions/s1/resourceGroups/g1/providers/microsoft.things/cats/y" + v, "Bearer good", "", 404, "InvalidResourceType", "The resource type 'cats' could not be found in the namespace 'Microsoft.Things' for api version '2014-02-14'."},
		{"DELETE", one + v, "Bearer good", "", 405, "MethodNotAllowed", "does not support http method 'DELETE'"},
		{"POST", one + "/forbidden" + v, "Bearer good", "", 403, "AuthorizationFailed", "no Microsoft.Things/things/forbidden/action at " + one},
		{"PUT", one + v, "Bearer good", "{", 400, "InvalidRequestContent", "line 1, position"},
		{"PUT", one + v, "Bearer good", strings.Repeat(" ", 1001), 413, "RequestContentTooLarge", "1000 bytes"},
		{"GET", one + "/%2e%2e" + v, "Bearer good", "", 400, "InvalidRequestUri", ""},
		{"GET", one + "?api-version=%zz", "Bearer good", "", 400, "InvalidRequestUri", "query"},
		{"POST", one + "/panic" + v, "Bearer good", "", 500, "InternalServerError", "report it with this id"},
		{"POST", one + "/nothing" + v, "Bearer good", "", 500, "InternalServerError", ""},
		{"POST", one + "/unmarshalable" + v, "Bearer good", "", 500, "InternalServerError", ""},
		{"POST", one + "/secret" + v, "Bearer good", "", 500, "InternalServerError", ""},
		{"POST", one + "/not-found" + v, "Bearer good", "", 404, "ResourceNotFound", "do: not found"},
		{"POST", one + "/already-exists" + v, "Bearer good", "", 409, "Conflict", ""},
		{"POST", one + "/precondition-failed" + v, "Bearer good", "", 412, "PreconditionFailed", ""},
		{"POST", one + "/locked" + v, "Bearer good", "", 409, "AnotherOperationInProgress", ""},
		{"POST", one + "/compacted" + v, "Bearer good", "", 410, "ExpiredSkipToken", ""},
		{"POST", one + "/invalid" + v, "Bearer good", "", 400, "BadRequest", ""},
		{"POST", one + "/not-authenticated" + v, "Bearer good", "", 401, "AuthenticationFailed", ""},
		{"POST", one + "/not-authorised" + v, "Bearer good", "", 403, "AuthorizationFailed", ""},
		{"POST", one + "/unavailable" + v, "Bearer good", "", 503, "ServiceUnavailable", ""},
		{"POST", one + "/not-supported" + v, "Bearer good", "", 400, "NotSupported", ""},
		{"POST", one + "/corrupt" + v, "Bearer good", "", 500, "InternalServerError", ""},
		{"POST", one + "/too-large" + v, "Bearer good", "", 413, "RequestContentTooLarge", ""},
		{"POST", one + "/closed" + v, "Bearer good", "", 503, "ServiceUnavailable", ""},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			w := send(s, c.method, c.target, c.token, c.body)
			e := envelope(t, w)
			if w.Code != c.status || e.Code != c.code || !strings.Contains(e.Message, c.message) {
				t.Errorf("got %d %s %q, want %d %s %q", w.Code, e.Code, e.Message, c.status, c.code, c.message)
			}
			if strings.Contains(w.Body.String(), "hunter2") {
				t.Error("the text of an internal error went out")
			}
			if got := w.Header().Get("Www-Authenticate"); (w.Code == 401) != strings.HasPrefix(got, `Bearer authorization_uri="https://login.example/tid", error="invalid_token"`) {
				t.Errorf("challenge %q", got)
			}
			reached := c.code == "InvalidRequestContent" || c.method == "POST" && !strings.Contains(c.target, "/forbidden")
			if got := w.Header().Get("X-Ms-Failure-Cause"); (got == "gateway") == reached {
				t.Errorf("failure cause %q", got)
			}
			if got := w.Header().Get("Retry-After"); w.Code == 503 && got != "1" {
				t.Errorf("Retry-After %q", got)
			}
			if got := w.Header().Get("Allow"); w.Code == 405 && got != "GET, HEAD, PUT" {
				t.Errorf("Allow %q", got)
			}
		})
	}
}

func TestServerAnswers(t *testing.T) {
	s, l := newTestServer(t, nil)
	w := send(s, "GET", "//subscriptions/s1/RESOURCEGROUPS/g1/providers/microsoft.things/THINGS?API-Version=2099-01-01-preview", "bearer good", "")
	if w.Code != 200 || w.Body.String() != `{"value":["a&b"]}` {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	for _, name := range []string{"X-Ms-Request-Id", "X-Ms-Correlation-Request-Id", "X-Ms-Routing-Request-Id", "X-Ms-Ratelimit-Remaining-Subscription-Reads",
		"Cache-Control", "Pragma", "Expires", "Strict-Transport-Security", "X-Content-Type-Options", "Content-Type"} {
		if w.Header().Get(name) == "" {
			t.Errorf("no header %s", name)
		}
	}
	if w := send(s, "HEAD", "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Things/things/a?api-version=2024-05-01", "Bearer good", ""); w.Code != 204 || w.Body.Len() > 0 {
		t.Errorf("HEAD gave %d %q", w.Code, w.Body)
	}
	if w := send(s, "GET", "/open", "", ""); w.Code != 200 || w.Body.String() != `"hello"` {
		t.Errorf("anonymous gave %d %q", w.Code, w.Body)
	}
	send(s, "PUT", "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Things/things/a?api-version=2024-05-01", "Bearer good", "{")
	last := l.records[len(l.records)-1]
	if !last.Write() || last.Principal.ObjectID != "oid" || last.Action != "Microsoft.Things/things/write" || last.Status != 400 || last.Code != "InvalidRequestContent" ||
		!strings.HasSuffix(last.Scope, "/things/a") || last.RequestID == "" {
		t.Errorf("audit: %+v", last)
	}
	send(s, "POST", "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Things/things/a/panic?api-version=2024-05-01", "Bearer good", "")
	if !strings.Contains(l.text.String(), "boom") {
		t.Error("the panic was not logged")
	}
}

func TestOverloadAndRates(t *testing.T) {
	const list = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Things/things?api-version=2024-05-01"
	s, _ := newTestServer(t, func(c *ServerConfig) { c.Rates.Reads = Rate{Size: 2, PerSecond: 0.1} })
	for i, want := range []int{200, 200, 429} {
		w := send(s, "GET", list, "Bearer good", "")
		if w.Code != want {
			t.Fatalf("request %d: %d", i, w.Code)
		}
		if want == 429 && (envelope(t, w).Code != "SubscriptionRequestsThrottled" || w.Header().Get("Retry-After") != "10") {
			t.Errorf("throttled with %s, %s", w.Body, w.Header().Get("Retry-After"))
		}
	}
	s, _ = newTestServer(t, func(c *ServerConfig) { c.MaxInFlight = 1 })
	s.inFlight <- struct{}{}
	if w := send(s, "GET", list, "Bearer good", ""); w.Code != 429 || envelope(t, w).Code != "TooManyRequests" || w.Header().Get("Retry-After") != "1" {
		t.Errorf("overload gave %d", w.Code)
	}
}

func TestNewServerRefusesHalfAConfig(t *testing.T) {
	if _, err := NewServer(ServerConfig{}); tandem.KindOf(err) != tandem.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestQueryKeepsSemicolons(t *testing.T) {
	q, err := ParseQuery("$filter=id+eq+'echo;rev=2'&%24TOP=5&$top=6&&x")
	if err != nil || q["$filter"] != "id eq 'echo;rev=2'" || q["$top"] != "5" || len(q) != 3 {
		t.Errorf("got %v, %v", q, err)
	}
}

func TestETags(t *testing.T) {
	tag := RevisionETag(7)
	for _, c := range []struct {
		match, none, current string
		ok                   bool
	}{
		{"", "", tag, true}, {"*", "", tag, true}, {"*", "", "", true}, {tag, "", tag, true}, {strings.Trim(tag, `"`), "", tag, true},
		{"W/" + tag, "", tag, true}, {`"x", ` + tag, "", tag, true}, {`"x"`, "", tag, false}, {`"x"`, "", "", false},
		{"", "*", tag, false}, {"", "*", "", true}, {"", tag, tag, false}, {"", `"x"`, tag, true},
	} {
		r := &Request{HTTP: httptest.NewRequest("PUT", "/", nil)}
		if c.match != "" {
			r.HTTP.Header.Set("If-Match", c.match)
		}
		if c.none != "" {
			r.HTTP.Header.Set("If-None-Match", c.none)
		}
		err := r.CheckETag(c.current)
		if (err == nil) != c.ok || err != nil && AsError(err).Status != 412 {
			t.Errorf("%+v: %v", c, err)
		}
	}
	r := &Request{HTTP: httptest.NewRequest("GET", "/", nil)}
	r.HTTP.Header.Set("If-None-Match", tag)
	if !r.NotModified(tag) || r.NotModified(`"x"`) {
		t.Error("NotModified")
	}
}

func TestPages(t *testing.T) {
	all := []int{0, 1, 2, 3, 4, 5, 6}
	for _, c := range []struct {
		query string
		want  []int
		code  string
	}{
		{"", all, ""}, {"$top=2", all, ""}, {"$top=2&$skip=3", all[3:], ""}, {"$skip=9", nil, ""}, {"$top=100", all, ""},
		{"$top=0", nil, "InvalidQueryParameter"}, {"$skip=-1", nil, "InvalidQueryParameter"}, {"$top=x", nil, "InvalidQueryParameter"},
		{"$skipToken=%21", nil, "InvalidSkipToken"}, {"$skipToken=eHg", nil, "InvalidSkipToken"},
	} {
		var got []int
		query, code := c.query, ""
		for {
			q, err := ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			page, err := Paginate(&Request{Query: q, Path: "/a b", Base: "https://h"}, all, 3)
			if err != nil {
				code = AsError(err).Code
				break
			}
			if got = append(got, page.Value...); page.NextLink == "" {
				break
			}
			rest, ok := strings.CutPrefix(page.NextLink, "https://h/a%20b?")
			if !ok {
				t.Fatalf("link %s", page.NextLink)
			}
			query = rest
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) || code != c.code {
			t.Errorf("%s: got %v %s, want %v %s", c.query, got, code, c.want, c.code)
		}
	}
}

func TestRetrySeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", time.Second: "1", 1500 * time.Millisecond: "2"} {
		if got := seconds(d); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"a=b&A=c", "$filter=a+eq+'x;y'", "%24top=1", "%zz", "=&==&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := ParseQuery(raw)
		for name := range q {
			if err == nil && name != lower(name) {
				t.Fatalf("%q gave the name %q", raw, name)
			}
		}
	})
}

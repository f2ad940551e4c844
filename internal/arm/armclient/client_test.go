package armclient

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tandem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answer is one scripted answer: "status|header: value|...|body".
type answer string

// script answers requests in order and notes them.
type script struct {
	answers []answer
	asked   []string
	waits   []time.Duration
	last    time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	now := tandem.SystemClock{}.Now()
	if !s.last.IsZero() {
		s.waits = append(s.waits, now.Sub(s.last))
	}
	s.last = now
	body := ""
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		body = " " + string(b)
	}
	s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Authorization")+body)
	if len(s.answers) == 0 {
		return nil, fmt.Errorf("the script has ended")
	}
	parts := strings.Split(string(s.answers[0]), "|")
	s.answers = s.answers[1:]
	if parts[0] == "broken" {
		return nil, io.ErrUnexpectedEOF
	}
	var status int
	fmt.Sscan(parts[0], &status)
	h := http.Header{}
	for _, line := range parts[1 : len(parts)-1] {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: h, Body: io.NopCloser(strings.NewReader(parts[len(parts)-1])), Request: r}, nil
}

// tokens numbers its tokens.
type tokens struct{ n int }

func (t *tokens) Token(context.Context) (string, error) { return fmt.Sprint("t", t.n), nil }
func (t *tokens) Refresh()                              { t.n++ }

func newClient(t *testing.T, s *script) *Client {
	t.Helper()
	c, err := New(Config{Endpoint: "https://arm.example/", Tokens: &tokens{}, HTTP: &http.Client{Transport: s}, Clock: tandem.SystemClock{}, APIVersion: "2024-05-01"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const failure = `{"error":{"code":"Bad","message":"no","details":null}}`

func TestDo(t *testing.T) {
	for _, c := range []struct {
		name    string
		request Request
		answers []answer
		asked   int
		want    string // status, or the error
	}{
		{"plain", Request{Method: "GET", Path: "/a"}, []answer{"200|{}"}, 1, "200"},
		{"transient", Request{Method: "GET", Path: "/a"}, []answer{"500|x", "429|Retry-After: 7|x", "broken|", "200|{}"}, 4, "200"},
		{"gives up", Request{Method: "PUT", Path: "/a", Body: 1}, []answer{"503|" + answer(failure), "503|" + answer(failure), "503|" + answer(failure), "503|" + answer(failure), "200|"}, 4, "503 Bad: no"},
		{"post once", Request{Method: "POST", Path: "/a"}, []answer{"500|" + answer(failure), "200|"}, 1, "500 Bad: no"},
		{"post broken", Request{Method: "POST", Path: "/a"}, []answer{"broken|", "200|"}, 1, "unavailable"},
		{"post throttled", Request{Method: "POST", Path: "/a"}, []answer{"429|Retry-After-Ms: 20|", "200|"}, 2, "200"},
		{"token refreshed once", Request{Method: "POST", Path: "/a"}, []answer{"401|" + answer(failure), "401|" + answer(failure), "200|"}, 2, "401 Bad: no"},
		{"refused", Request{Method: "GET", Path: "/a"}, []answer{"404|" + answer(failure)}, 1, "404 Bad: no"},
		{"no envelope", Request{Method: "GET", Path: "/a"}, []answer{"404|<html>"}, 1, "404 NotFound: The endpoint answered 404."},
		{"elsewhere", Request{Method: "GET", Path: "https://evil.example/a"}, nil, 0, "it is not below https://arm.example"},
		{"elsewhere that looks like here", Request{Method: "GET", Path: "https://arm.example.evil/a"}, nil, 0, "it is not below https://arm.example"},
		{"bad body", Request{Method: "PUT", Path: "/a", Body: func() {}}, nil, 0, "write request"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{answers: c.answers}
			resp, err := newClient(t, s).Do(t.Context(), c.request)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				got = fmt.Sprint(resp.Status)
			}
			if !strings.Contains(got, c.want) || len(s.asked) != c.asked {
				t.Errorf("%s: got %s after %q", c.name, got, s.asked)
			}
			if c.name == "transient" && (s.waits[0] > 500*time.Millisecond || s.waits[1] != 7*time.Second || s.waits[2] < time.Second) {
				t.Errorf("waits %v", s.waits)
			}
			if c.name == "token refreshed once" && !strings.HasSuffix(s.asked[1], "Bearer t1") {
				t.Errorf("asked %q", s.asked)
			}
		})
	}
}

func TestRunFollowsEveryForm(t *testing.T) {
	const op, loc = "Azure-AsyncOperation: https://arm.example/op?api-version=1", "Location: https://arm.example/loc?api-version=1"
	const final = `200|{"name":"x","properties":{"provisioningState":"Succeeded"}}`
	for _, c := range []struct {
		name, method string
		answers      []answer
		asked        string
		want         string
	}{
		{"at once", "PUT", []answer{final}, "PUT /a", "200"},
		{"location", "POST", []answer{"202|" + loc + "|", "202|" + loc + "|Retry-After: 3|", final}, "POST /a, GET /loc, GET /loc", "200"},
		{"location fails", "POST", []answer{"202|" + loc + "|", answer("400|" + failure)}, "POST /a, GET /loc", "400 Bad"},
		{"status then resource", "PUT", []answer{"201|" + op + "|" + loc + "|{}", `200|{"status":"InProgress"}`, `200|{"status":"Succeeded"}`, final}, "PUT /a, GET /op, GET /op, GET /a", "200"},
		{"status then location", "POST", []answer{"202|" + op + "|" + loc + "|", `200|{"status":"Succeeded"}`, final}, "POST /a, GET /op, GET /loc", "200"},
		{"status fails", "DELETE", []answer{"202|" + op + "|", `200|{"status":"Failed","error":{"code":"Bad","message":"no"}}`}, "DELETE /a, GET /op", "409 Bad"},
		{"status canceled", "DELETE", []answer{"202|" + op + "|", `200|{"status":"Canceled"}`}, "DELETE /a, GET /op", "Canceled"},
		{"status deletes", "DELETE", []answer{"202|" + op + "|", `200|{"status":"Succeeded"}`}, "DELETE /a, GET /op", "202"},
		{"resource", "PUT", []answer{`200|{"properties":{"provisioningState":"Updating"}}`, final}, "PUT /a, GET /a", "200"},
		{"resource fails", "PUT", []answer{`200|{"properties":{"provisioningState":"Updating"}}`, `200|{"properties":{"provisioningState":"Failed"}}`}, "PUT /a, GET /a", "409 ProvisioningFailed"},
		{"nowhere to poll", "POST", []answer{"202|"}, "POST /a", "not where to poll"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{answers: c.answers}
			resp, err := newClient(t, s).Run(t.Context(), Request{Method: c.method, Path: "/a"})
			got := fmt.Sprint(err)
			if err == nil {
				got = fmt.Sprint(resp.Status)
			}
			var asked []string
			for _, a := range s.asked {
				line, _, _ := strings.Cut(a, "?")
				asked = append(asked, line)
			}
			if !strings.Contains(got, c.want) || strings.Join(asked, ", ") != c.asked {
				t.Errorf("%s: got %s after %s", c.name, got, strings.Join(asked, ", "))
			}
		})
	}
}

func TestList(t *testing.T) {
	s := &script{answers: []answer{`200|{"value":[1,2],"nextLink":"https://arm.example/a?api-version=1&$skipToken=x"}`, `200|{"value":[3]}`}}
	var got []string
	for item, err := range newClient(t, s).List(t.Context(), "/a", url.Values{"$top": {"2"}}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(item))
	}
	if strings.Join(got, "") != "123" || !strings.Contains(s.asked[0], "%24top=2") || !strings.Contains(s.asked[0], "api-version=2024-05-01") || !strings.Contains(s.asked[1], "skipToken=x") {
		t.Errorf("got %v after %q", got, s.asked)
	}
	for _, bad := range []answer{answer("404|" + failure), "200|{"} {
		s = &script{answers: []answer{bad}}
		n := 0
		for _, err := range newClient(t, s).List(t.Context(), "/a", nil) {
			if n++; err == nil {
				t.Error("no error")
			}
		}
		if n != 1 {
			t.Errorf("%d items", n)
		}
	}
}

func TestClientCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []answer{`200|{"access_token":"a","expires_in":3599}`, `200|{"access_token":"b","expires_in":"3599"}`, `200|{"access_token":"c","expires_in":3599}`,
			`401|{"error":"invalid_client","error_description":"AADSTS7000215: wrong\r\nTrace ID: 1"}`, "503|", "broken|"}}
		c := &ClientCredentials{Authority: "https://login.example/", TenantID: "tid", ClientID: "cid", ClientSecret: "s&cret", HTTP: &http.Client{Transport: s}, Clock: tandem.SystemClock{}}
		want := func(token string, kind tandem.Kind) {
			t.Helper()
			got, err := c.Token(t.Context())
			if got != token || tandem.KindOf(err) != kind {
				t.Errorf("got %q, %v", got, err)
			}
			if err != nil && strings.Contains(err.Error(), "s&cret") {
				t.Error("the secret is in the error")
			}
		}
		want("a", "")
		_ = tandem.SystemClock{}.Sleep(t.Context(), 50*time.Minute)
		want("a", "")
		_ = tandem.SystemClock{}.Sleep(t.Context(), 10*time.Minute)
		want("b", "")
		c.Refresh()
		want("c", "")
		c.Refresh()
		want("", tandem.Unauthenticated)
		want("", tandem.Unavailable)
		want("", tandem.Unavailable)
		if !strings.HasPrefix(s.asked[0], "POST /tid/oauth2/v2.0/token") || !strings.Contains(s.asked[0], "client_secret=s%26cret") || len(s.asked) != 6 {
			t.Errorf("asked %q", s.asked)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{"5": 5 * time.Second, "Thu, 01 Jan 2026 00:01:00 GMT": time.Minute, "Thu, 01 Jan 2025 00:01:00 GMT": 0} {
		if got, ok := retryAfter(http.Header{"Retry-After": {value}}, now); !ok || got != want {
			t.Errorf("%s: %v %v", value, got, ok)
		}
	}
	for _, value := range []string{"", "soon", "-5"} {
		if _, ok := retryAfter(http.Header{"Retry-After": {value}}, now); ok {
			t.Errorf("%q was taken", value)
		}
	}
}

func TestConfigAndAnswers(t *testing.T) {
	if _, err := New(Config{}); tandem.KindOf(err) != tandem.Invalid {
		t.Errorf("got %v", err)
	}
	s := &script{answers: []answer{answer("200|" + strings.Repeat("x", 100)), "200|{"}}
	c := newClient(t, s)
	c.MaxBody = 10
	if _, err := c.Do(t.Context(), Request{Method: "GET", Path: "/a"}); tandem.KindOf(err) != tandem.TooLarge {
		t.Errorf("got %v", err)
	}
	resp, err := c.Do(t.Context(), Request{Method: "GET", Path: "/a", Body: json.RawMessage("{}"), Header: http.Header{"if-match": {"*"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Decode(&struct{}{}); tandem.KindOf(err) != tandem.Corrupt {
		t.Errorf("got %v", err)
	}
}

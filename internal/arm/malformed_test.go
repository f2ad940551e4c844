package arm

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// malform makes one request that cannot be right, from a seed.
func malform(rng *rand.Rand) *http.Request {
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	noise := func() string {
		b := make([]byte, rng.IntN(20))
		for i := range b {
			b[i] = byte(rng.IntN(256))
		}
		return string(b)
	}
	segments := []string{"subscriptions", pick("s1", "s1", "s2", noise()), "resourceGroups", pick("g1", "g2", noise()), "providers",
		pick("Microsoft.Things", "Microsoft.Things", "Microsoft.Authorization", noise()), pick("things", "things", "strict", noise()), pick("a", "..", "a/b", noise())}
	segments = segments[:rng.IntN(len(segments)+1)]
	for range max(0, rng.IntN(6)-3) {
		segments = append(segments, noise())
	}
	for i := range segments {
		switch rng.IntN(20) {
		case 0:
			segments[i] = strings.ToUpper(segments[i])
		case 1:
			segments[i] = url.PathEscape(segments[i])
		case 2:
			segments[i] = ""
		}
	}
	query := pick("", "api-version=", "api-version=2024-05-01", "api-version=2024-05-01", "api-version=2024-05-01", "api-version=abc", "api-version=2024-05-01&$filter="+noise(),
		"api-version=2024-05-01&$top="+noise(), "%", noise())
	r := httptest.NewRequest(http.MethodGet, "https://arm.example/", bytes.NewReader([]byte(pick("", "{", "[]", "{\"a\":1,\"A\":2,\"a\":3}", "null", noise(), strings.Repeat("x", 2000)))))
	r.Method = pick("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", noise())
	r.URL.Path = "/" + strings.Join(segments, "/")
	r.URL.RawPath = ""
	if rng.IntN(20) == 0 {
		r.URL.RawPath = noise()
	}
	r.URL.RawQuery = query
	r.Header.Set("Authorization", pick("", "Bearer good", "Bearer good", "Bearer good", "Bearer "+noise(), noise()))
	r.Header.Set("If-Match", noise())
	r.Header.Set("X-Ms-Correlation-Request-Id", noise())
	r.Header.Set("X-Ms-Client-Request-Id", noise())
	return r
}

func TestTenThousandMalformedRequests(t *testing.T) {
	s, l := newTestServer(t, nil)
	rng := rand.New(rand.NewPCG(1, 2))
	statuses := map[int]int{}
	for i := range 10_000 {
		r := malform(rng)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		statuses[w.Code]++
		if w.Code >= 500 {
			t.Fatalf("request %d: %s %q %q gave %d: %s", i, r.Method, r.URL.Path, r.URL.RawQuery, w.Code, w.Body)
		}
		if w.Code >= 400 && r.Method != http.MethodHead {
			envelope(t, w)
		}
	}
	if len(l.records) != 10_000 {
		t.Errorf("%d audit records", len(l.records))
	}
	t.Log("statuses:", statuses)
	for _, want := range []int{400, 401, 404, 405} {
		if statuses[want] == 0 {
			t.Errorf("no %d among them", want)
		}
	}
}

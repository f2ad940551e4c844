package console

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"tandem"
)

// policy is the Content-Security-Policy: everything comes from the console itself, nothing is inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm is the largest form, in bytes.
const maxForm = 64 << 10

// guard sets the headers of every answer, and refuses forms that other sites send.
func (c *Console) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, nil, refusal{Status: http.StatusForbidden, Code: "CrossOrigin", Message: "The form was sent by another site."})
	}))
	next = origin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Strict-Transport-Security", "max-age=31536000")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// attempts bounds failed sign-ins by client address, so that secrets cannot be tried out at speed.
type attempts struct {
	clock tandem.Clock
	mu    sync.Mutex
	by    map[string][]time.Time
}

const (
	attemptsAllowed = 10
	attemptsWithin  = time.Minute
	maxAddresses    = 10_000
)

// allowed says whether an address may try once more.
func (a *attempts) allowed(address string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.recent(address)) < attemptsAllowed
}

// failed notes a failed sign-in.
func (a *attempts) failed(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil || len(a.by) >= maxAddresses {
		a.by = map[string][]time.Time{}
	}
	a.by[address] = append(a.recent(address), a.clock.Now())
}

func (a *attempts) recent(address string) []time.Time {
	now := a.clock.Now()
	return slices.DeleteFunc(slices.Clone(a.by[address]), func(t time.Time) bool { return now.Sub(t) > attemptsWithin })
}

// signedOut are the sessions that ended before their time.
type signedOut struct {
	clock tandem.Clock
	mu    sync.Mutex
	until map[string]time.Time // by session id
}

func (s *signedOut) add(id string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if s.until == nil {
		s.until = map[string]time.Time{}
	}
	for k, t := range s.until {
		if now.After(t) {
			delete(s.until, k)
		}
	}
	s.until[id] = until
}

func (s *signedOut) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.until[id]
	return ok
}

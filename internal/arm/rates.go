package arm

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"tandem"
)

// Rate is a token bucket: a burst of Size, refilled by PerSecond.
type Rate struct {
	Size      float64
	PerSecond float64
}

// Rates are the buckets of one caller in one subscription. A zero Rate stands for 12,000 at once and 20,000 a second: more
// than a caller gets through, so that MaxInFlight is what bounds honest load.
type Rates struct{ Reads, Writes, Deletes Rate }

// maxBuckets bounds memory; the emptiest knowledge is dropped first by dropping all that are full.
const maxBuckets = 10_000

type bucketKey struct{ kind, subscription, object string }

type bucket struct {
	tokens float64
	at     time.Time
}

type rateLimiter struct {
	clock   tandem.Clock
	rates   map[string]Rate
	mu      sync.Mutex
	buckets map[bucketKey]bucket
}

func newRateLimiter(r Rates, clock tandem.Clock) *rateLimiter {
	l := &rateLimiter{clock: clock, buckets: map[bucketKey]bucket{},
		rates: map[string]Rate{"reads": r.Reads, "writes": r.Writes, "deletes": r.Deletes}}
	for kind, rate := range l.rates {
		if rate.Size <= 0 {
			l.rates[kind] = Rate{Size: 12_000, PerSecond: 20_000}
		}
	}
	return l
}

// take spends one token and tells in the header how many are left; without a token it gives 429 with Retry-After.
func (l *rateLimiter) take(h http.Header, method, subscription string, p Principal) error {
	kind, scope := "writes", "subscription"
	switch method {
	case http.MethodGet, http.MethodHead:
		kind = "reads"
	case http.MethodDelete:
		kind = "deletes"
	}
	if subscription == "" {
		scope = "tenant"
	}
	rate, key, now := l.rates[kind], bucketKey{kind, lower(subscription), p.ObjectID}, l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b, seen := l.buckets[key]
	if !seen {
		l.makeRoom(now)
		b = bucket{tokens: rate.Size, at: now}
	}
	b.tokens = min(rate.Size, b.tokens+now.Sub(b.at).Seconds()*rate.PerSecond)
	b.at = now
	refused := b.tokens < 1
	if !refused {
		b.tokens--
	}
	l.buckets[key] = b
	h.Set(fmt.Sprintf("X-Ms-Ratelimit-Remaining-%s-%s", scope, kind), strconv.Itoa(int(b.tokens)))
	if !refused {
		return nil
	}
	wait := time.Second
	if rate.PerSecond > 0 {
		wait = time.Duration((1 - b.tokens) / rate.PerSecond * float64(time.Second))
	}
	e := Errorf(http.StatusTooManyRequests, "SubscriptionRequestsThrottled",
		"Number of '%s' requests for subscription '%s' actor '%s' exceeded. Please try again after '%s' seconds after additional tokens are available.",
		kind, subscription, p.ObjectID, seconds(wait))
	e.Header = http.Header{"Retry-After": {seconds(wait)}}
	return e
}

// makeRoom forgets buckets that have filled up again, and all where that does not help.
func (l *rateLimiter) makeRoom(now time.Time) {
	if len(l.buckets) < maxBuckets {
		return
	}
	for key, b := range l.buckets {
		if rate := l.rates[key.kind]; b.tokens+now.Sub(b.at).Seconds()*rate.PerSecond >= rate.Size {
			delete(l.buckets, key)
		}
	}
	if len(l.buckets) >= maxBuckets {
		clear(l.buckets)
	}
}

package balance

import (
	"sync"
	"time"
)

// Rule is one rule of a circuit breaker (Microsoft.ApiManagement/service/backends, circuitBreaker.rules).
type Rule struct {
	Name        string
	Count       int64         // failures within Interval that trip it; 0: Percentage counts
	Percentage  int64         // failures in a hundred calls within Interval that trip it, 1 to 100
	Interval    time.Duration // over which failures are counted; it slides in tenths
	Trip        time.Duration // for how long a tripped breaker lets nothing through
	Statuses    []Range       // answers that are failures
	Reasons     []string      // errors that are failures, as context.LastError.Reason names them
	AcceptRetry bool          // an answer's Retry-After is used instead of Trip
}

// Range is a range of status codes, both ends included.
type Range struct{ Min, Max int }

// LeastCalls is how many calls within the interval a percentage needs to mean something: one failure in one call is not an
// outage.
const LeastCalls = 10

// Outcome is what became of a call.
type Outcome struct {
	Status     int           // of the answer; 0: there was none
	Reason     string        // of the error where there was no answer
	RetryAfter time.Duration // what the answer asked for; 0: nothing
}

func (r *Rule) failure(o Outcome) bool {
	if o.Status == 0 {
		for _, reason := range r.Reasons {
			if reason == o.Reason {
				return true
			}
		}
		return false
	}
	for _, s := range r.Statuses {
		if s.Min <= o.Status && o.Status <= s.Max {
			return true
		}
	}
	return false
}

const slots = 10

// Breaker watches the calls to one backend. It is approximate: an interval ends up to a tenth of it too early. Its methods
// may be called from many goroutines.
type Breaker struct {
	mu    sync.Mutex
	rules []watch
	until time.Time // tripped before; zero: never
}

type watch struct {
	Rule
	slot   int64 // the newest tenth of an interval, counted from the zero time
	calls  [slots]int64
	failed [slots]int64
}

// NewBreaker makes a breaker that is not tripped.
func NewBreaker(rules []Rule) *Breaker {
	b := &Breaker{}
	for _, r := range rules {
		b.rules = append(b.rules, watch{Rule: r})
	}
	return b
}

// Open tells whether the breaker lets nothing through, and for how long yet.
func (b *Breaker) Open(now time.Time) (wait time.Duration, open bool) {
	if b == nil {
		return 0, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	wait = b.until.Sub(now)
	return max(wait, 0), wait > 0
}

// Record counts a call. It tells whether the breaker tripped by it.
func (b *Breaker) Record(now time.Time, o Outcome) (tripped bool) {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.until) {
		return false // a call that began before the breaker tripped says nothing new
	}
	for i := range b.rules {
		w := &b.rules[i]
		failure := w.failure(o)
		w.count(now, failure)
		if !failure || !w.reached() {
			continue
		}
		trip := w.Trip
		if w.AcceptRetry && o.RetryAfter > 0 {
			trip = o.RetryAfter
		}
		if until := now.Add(trip); until.After(b.until) {
			b.until = until
		}
		tripped = true
	}
	if tripped {
		for i := range b.rules { // after the trip it begins anew
			b.rules[i] = watch{Rule: b.rules[i].Rule}
		}
	}
	return tripped
}

func (w *watch) count(now time.Time, failure bool) {
	slot := now.UnixNano() / max(int64(w.Interval)/slots, 1)
	if passed := slot - w.slot; passed >= slots || passed < -slots {
		w.calls, w.failed = [slots]int64{}, [slots]int64{}
	} else {
		for s := w.slot + 1; s <= slot; s++ {
			w.calls[s%slots], w.failed[s%slots] = 0, 0
		}
	}
	w.slot = max(w.slot, slot)
	w.calls[w.slot%slots]++
	if failure {
		w.failed[w.slot%slots]++
	}
}

func (w *watch) reached() bool {
	var calls, failed int64
	for i := range slots {
		calls += w.calls[i]
		failed += w.failed[i]
	}
	if w.Count > 0 {
		return failed >= w.Count
	}
	return calls >= LeastCalls && failed*100 >= w.Percentage*calls
}

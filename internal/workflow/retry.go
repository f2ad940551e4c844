package workflow

import (
	"fmt"
	"strings"
	"time"

	"tandem/internal/workflow/value"
)

// retryPolicy says how often and when an action is tried again after 408, 429, 5xx and failing connections.
type retryPolicy struct {
	kind        string // "none", "fixed", "exponential", "" for the default
	count       int
	interval    time.Duration
	least, most time.Duration
}

// defaultRetries is the policy of an action that names none: four more tries, 7.5 s and then twice as long each time, at
// least 5 s and at most 45 s.
func defaultRetries() retryPolicy {
	return retryPolicy{count: 4, interval: 7500 * time.Millisecond, least: 5 * time.Second, most: 45 * time.Second}
}

// Limits of retry policies.
const (
	maxRetries  = 90
	leastRetry  = 5 * time.Second
	longestWait = 24 * time.Hour
)

func (p *parser) retryPolicy(path string, o *value.Object) retryPolicy {
	if o == nil {
		return defaultRetries()
	}
	p.only(path, o, "type", "count", "interval", "minimumInterval", "maximumInterval")
	r := retryPolicy{kind: strings.ToLower(o.String("type")), most: longestWait}
	switch r.kind {
	case "none":
		return retryPolicy{kind: "none"}
	case "fixed", "exponential":
	default:
		p.add(property(path, "type"), "use none, fixed or exponential", "%q is no type of a retry policy", o.String("type"))
		return r
	}
	n, _ := o.Get("count")
	count, whole := n.(int64)
	if !whole || count < 1 || count > maxRetries {
		p.add(property(path, "count"), fmt.Sprintf("give a whole number from 1 to %d", maxRetries), "the count of retries is not valid")
	}
	r.count = int(count)
	read := func(name string, into *time.Duration, needed bool) {
		v, given := o.Get(name)
		if !given && !needed {
			return
		}
		d, err := duration(value.Text(v))
		if err != nil || d < leastRetry && name == "interval" || d > longestWait {
			p.add(property(path, name), "write it like PT10S; from 5 seconds to a day", "%q is no interval between tries", value.Text(v))
		}
		*into = d
	}
	read("interval", &r.interval, true)
	if r.kind == "exponential" {
		read("minimumInterval", &r.least, false)
		read("maximumInterval", &r.most, false)
	}
	return r
}

// delay is how long to wait before the nth try again. The exponential policy draws it from a range that doubles each time.
func (r retryPolicy) delay(n int, rand func(int64) int64) time.Duration {
	switch r.kind {
	case "fixed":
		return r.interval
	case "":
		return min(max(r.interval<<min(n-1, 20), r.least), r.most)
	}
	high := min(r.interval<<min(n-1, 20), r.most)
	low := time.Duration(0)
	if n > 1 {
		low = r.interval << min(n-2, 20)
	}
	low = min(max(low, r.least), high)
	if high <= low {
		return low
	}
	return low + time.Duration(rand(int64(high-low)))
}

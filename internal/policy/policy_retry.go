package policy

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"tandem/internal/policy/markup"
)

var policyRetry = &Policy{
	Name: "retry", Category: "Control", Does: "runs its policies again while a condition holds",
	Sections: everySection, Body: Policies,
	Attrs: []Attribute{need("condition"), need("count"), need("interval"), attr("max-interval"), attr("delta"),
		attr("first-fast-retry", trueFalse...).def("false")},
	compile: compileRetry,
}

func compileRetry(c *compiler, n *markup.Node) runFunc {
	condition := c.boolean(n, "condition", false)
	count := c.integer(n, "count", 1, 1)
	interval, delta, most := c.integer(n, "interval", 0, 0), c.integer(n, "delta", 0, 0), c.integer(n, "max-interval", 0, 0)
	fast := c.boolean(n, "first-fast-retry", false)
	steps := c.steps(n, c.path)
	return func(s *State) error {
		times, err := count.get(s)
		if err != nil {
			return err
		}
		for try := int64(1); ; try++ {
			err := s.steps(steps)
			if errors.Is(err, errResponded) || err != nil && !retriable(err) {
				return err
			}
			if err != nil {
				s.LastError = asLastError(err)
			}
			if s.retries++; try > min(times, 50) || s.retries > maxRetries {
				return err
			}
			again, cerr := condition.get(s)
			if cerr != nil && err == nil {
				return cerr
			}
			if cerr != nil || !again {
				return err
			}
			s.LastError = nil
			quick, werr := fast.get(s)
			if werr != nil {
				return werr
			}
			if !quick || try > 1 {
				wait, werr := retryWait(s, try, interval, delta, most)
				if werr != nil {
					return werr
				}
				if werr := s.Host.Clock.Sleep(s.Ctx(), wait); werr != nil {
					return failure(500, ReasonClient, "The request ended while it waited to be tried again.")
				}
			}
		}
	}
}

// maxRetries bounds how often one request tries again, over all retry policies: those that stand in each other multiply.
const maxRetries = 1000

// retriable tells whether the backend failed, so that the condition is asked about it; other errors end the retries.
func retriable(err error) bool {
	r := asLastError(err).Reason
	return r == ReasonTimeout || r == ReasonConnection
}

// retryWait is the time before the next try, as Azure documents it: fixed with an interval alone, growing by delta with
// both, and exponential with some chance in it when there is a longest interval too.
func retryWait(s *State, try int64, interval, delta, most *integer) (time.Duration, error) {
	i, err := interval.seconds(s)
	if err != nil || !delta.set {
		return i, err
	}
	d, err := delta.seconds(s)
	if err != nil {
		return 0, err
	}
	if !most.set {
		return i + time.Duration(try-1)*d, nil
	}
	m, err := most.seconds(s)
	if err != nil {
		return 0, err
	}
	grow := (math.Pow(2, float64(min(try-1, 30))) - 1) * float64(d) * (0.8 + 0.4*rand.Float64())
	return min(m, i+time.Duration(min(grow, float64(m)))), nil
}

package policy

import (
	"strconv"
	"strings"
	"time"

	"tandem/internal/policy/markup"
)

var rateOutputs = []Attribute{attr("retry-after-header-name").lit().def("Retry-After"), attr("retry-after-variable-name").lit(),
	attr("remaining-calls-header-name").lit(), attr("remaining-calls-variable-name").lit(), attr("total-calls-header-name").lit()}

var policyRateLimit = &Policy{
	Name: "rate-limit", Category: "Rate limiting and quotas", Does: "limits the calls of a subscription in a sliding window",
	Sections: inboundOnly, Scopes: []Scope{Product, API, Operation}, Needs: partCounters,
	Attrs: append([]Attribute{need("calls"), need("renewal-period")}, rateOutputs...),
	Children: []Child{
		{Name: "api", Many: true, Attrs: append([]Attribute{attr("name"), need("calls"), need("renewal-period")}, rateOutputs...),
			Children: []Child{{Name: "operation", Many: true, Attrs: append([]Attribute{attr("name"), need("calls"), need("renewal-period")}, rateOutputs...)}}},
		{Name: "operation", Many: true, Attrs: append([]Attribute{attr("name"), need("calls"), need("renewal-period")}, rateOutputs...)},
	},
	compile: compileRateLimit,
}

var policyRateLimitByKey = &Policy{
	Name: "rate-limit-by-key", Category: "Rate limiting and quotas", Does: "limits the calls under a key in a sliding window",
	Sections: inboundOnly, Needs: partCounters,
	Attrs: append([]Attribute{need("calls"), need("renewal-period"), need("counter-key"), attr("increment-condition"), attr("increment-count").def("1"),
		attr("increment-after-response", trueFalse...), attr("flexible-retry-window", trueFalse...)}, rateOutputs...),
	compile: compileRateLimitByKey,
}

// rate is one limit with where its figures go.
type rate struct {
	calls, period                              *integer
	retryHeader, retryVar                      string
	remainingHeader, remainingVar, totalHeader string
}

func (c *compiler) rate(n *markup.Node) rate {
	r := rate{calls: c.integer(n, "calls", 1, 0), period: c.integer(n, "renewal-period", 60, 1),
		retryHeader: c.attrText(n, "retry-after-header-name"), retryVar: c.attrText(n, "retry-after-variable-name"),
		remainingHeader: c.attrText(n, "remaining-calls-header-name"), remainingVar: c.attrText(n, "remaining-calls-variable-name"),
		totalHeader: c.attrText(n, "total-calls-header-name")}
	if r.retryHeader == "" {
		r.retryHeader = "Retry-After"
	}
	return r
}

func (r *rate) window(s *State) (Window, error) {
	calls, err := r.calls.get(s)
	if err != nil {
		return Window{}, err
	}
	period, err := r.period.seconds(s)
	return Window{Limit: calls, Period: period, Kind: Sliding}, err
}

// apply gives the figures out, and the refusal where the limit is reached.
func (r *rate) apply(s *State, w Window, count Count) error {
	if r.remainingVar != "" {
		s.vars.set(r.remainingVar, int32(count.Remaining))
	}
	if r.remainingHeader != "" || r.totalHeader != "" {
		remaining, total := strconv.FormatInt(count.Remaining, 10), strconv.FormatInt(w.Limit, 10)
		s.later(func(s *State) {
			if r.remainingHeader != "" {
				s.Response.Header.Set(r.remainingHeader, remaining)
			}
			if r.totalHeader != "" {
				s.Response.Header.Set(r.totalHeader, total)
			}
		})
	}
	if count.Allowed {
		return nil
	}
	after := int64((count.After + time.Second - 1) / time.Second)
	after = max(after, 1)
	if r.retryVar != "" {
		s.vars.set(r.retryVar, int32(after))
	}
	wait := strconv.FormatInt(after, 10)
	e := failure(429, ReasonRateLimit, "Rate limit is exceeded. Try again in "+wait+" seconds.")
	e.Header.Add(r.retryHeader, wait)
	return e
}

func compileRateLimit(c *compiler, n *markup.Node) runFunc {
	type limit struct {
		rate
		api, operation string // ids or names in lower case; empty: every one
		key            string
	}
	scope := string(c.scope) + "\x00" + c.file
	limits := []limit{{rate: c.rate(n), key: scope}}
	add := func(e *markup.Node, api string) string {
		name := strings.ToLower(c.attrText(e, "id"))
		if name == "" {
			name = strings.ToLower(c.attrText(e, "name"))
		}
		l := limit{rate: c.rate(e), api: api, operation: name}
		if e.Name == "api" {
			l.api, l.operation = name, ""
		}
		l.key = scope + "\x00" + l.api + "\x00" + l.operation
		limits = append(limits, l)
		return name
	}
	for _, e := range n.Elements() {
		api := ""
		if name := add(e, ""); e.Name == "api" {
			api = name
			for _, o := range e.Elements() {
				add(o, api)
			}
		}
	}
	return func(s *State) error {
		if s.Subscription == nil { // counted by subscription: without one there is nothing to count
			return nil
		}
		for i := range limits {
			l := &limits[i]
			if l.api != "" && !s.isAPI(l.api) || l.operation != "" && !s.isOperation(l.operation) {
				continue
			}
			w, err := l.window(s)
			if err != nil {
				return err
			}
			if err := l.apply(s, w, s.Host.Counters.Take("rate\x00"+l.key+"\x00"+s.Subscription.ID, 1, w, false)); err != nil {
				return err
			}
		}
		return nil
	}
}

func (s *State) isAPI(name string) bool {
	return s.API != nil && (strings.EqualFold(s.API.ID, name) || strings.EqualFold(s.API.Name, name))
}

func (s *State) isOperation(name string) bool {
	return s.Operation != nil && (strings.EqualFold(s.Operation.ID, name) || strings.EqualFold(s.Operation.Name, name))
}

func compileRateLimitByKey(c *compiler, n *markup.Node) runFunc {
	r, key := c.rate(n), c.text(n, "counter-key", "")
	inc := c.increment(n)
	return func(s *State) error {
		w, err := r.window(s)
		if err != nil {
			return err
		}
		k, err := key.get(s)
		if err != nil {
			return err
		}
		k = "rate\x00key\x00" + k
		return r.apply(s, w, inc.take(s, k, w))
	}
}

// increment says how much a request counts, and when that is known.
type increment struct {
	condition *boolean
	count     *integer
	after     bool
}

func (c *compiler) increment(n *markup.Node) *increment {
	inc := &increment{count: c.integer(n, "increment-count", 1, 0)}
	if _, ok := n.Attr("increment-condition"); ok {
		inc.condition = c.boolean(n, "increment-condition", true)
	}
	inc.after = inc.condition != nil || inc.count.x != nil
	if a, ok := n.Attr("increment-after-response"); ok && strings.EqualFold(c.value(a.Value).Text, "true") {
		inc.after = true
	}
	return inc
}

// take counts the request at once, or, when a condition or a count may ask about the answer, asks whether there is room
// and counts once the answer is there.
func (inc *increment) take(s *State, key string, w Window) Count {
	if !inc.after {
		return s.Host.Counters.Take(key, inc.count.lit, w, false)
	}
	count := s.Host.Counters.Take(key, 0, w, false)
	if count.Allowed {
		count.Remaining = max(0, count.Remaining-1)
		s.later(func(s *State) { inc.settle(s, key, w) })
	}
	return count
}

// settle counts once the answer is there; a condition that fails then counts the request.
func (inc *increment) settle(s *State, key string, w Window) {
	if inc.condition != nil {
		if ok, err := inc.condition.get(s); err == nil && !ok {
			return
		}
	}
	n, err := inc.count.get(s)
	if err != nil {
		n = 1
	}
	if n > 0 {
		s.Host.Counters.Take(key, n, w, true)
	}
}

package policy

import (
	"io"
	"strconv"
	"strings"
	"time"

	"tandem/internal/exchange"
	"tandem/internal/policy/markup"
)

var quotaAttrs = []Attribute{attr("calls").lit().oneOf("quota"), attr("bandwidth").lit().oneOf("quota"), need("renewal-period").lit()}

var policyQuota = &Policy{
	Name: "quota", Category: "Rate limiting and quotas", Does: "limits the calls and the bytes of a subscription over a period",
	Sections: inboundOnly, Scopes: []Scope{Product}, Needs: partCounters,
	Attrs: quotaAttrs,
	Children: []Child{{Name: "api", Many: true, Attrs: []Attribute{attr("name"), attr("calls"), attr("bandwidth"), attr("renewal-period")},
		Children: []Child{{Name: "operation", Many: true, Attrs: []Attribute{attr("name"), attr("calls"), attr("bandwidth"), attr("renewal-period")}}}}},
	compile: compileQuota,
}

var policyQuotaByKey = &Policy{
	Name: "quota-by-key", Category: "Rate limiting and quotas", Does: "limits the calls and the bytes under a key over a period",
	Sections: inboundOnly, Needs: partCounters,
	Attrs:   append([]Attribute{need("counter-key"), attr("increment-condition"), attr("increment-count").def("1"), attr("first-period-start").lit()}, quotaAttrs...),
	compile: compileQuotaByKey,
}

// quota is one quota: calls and kilobytes; 0: not limited.
type quota struct {
	calls, kilobytes int64
	period           time.Duration
	start            time.Time
}

func (c *compiler) quota(n *markup.Node, outer *quota) *quota {
	q := &quota{calls: c.integer(n, "calls", 0, 1).lit, kilobytes: c.integer(n, "bandwidth", 0, 1).lit}
	if period := c.integer(n, "renewal-period", 0, 0); period.set || outer == nil {
		q.period = time.Duration(period.lit) * time.Second
	} else {
		q.period = outer.period
	}
	if first := c.attrText(n, "first-period-start"); first != "" {
		t, err := time.Parse(time.RFC3339, first)
		if err != nil {
			a, _ := n.Attr("first-period-start")
			if !c.presumed(c.value(a.Value)) {
				c.report(Error, a.Pos, KindAttribute, n.Name+"/first-period-start", "first-period-start must be a time as 2024-01-31T00:00:00Z")
			}
		}
		q.start = t
	}
	return q
}

func (q *quota) window(limit int64) Window {
	return Window{Limit: limit, Period: q.period, Kind: Fixed, Start: q.start}
}

// take counts a call and arranges for its bytes to be counted.
func (q *quota) take(s *State, key string, inc *increment) error {
	if q.kilobytes > 0 {
		w := q.window(q.kilobytes * 1024)
		if count := s.Host.Counters.Take("quota\x00bytes\x00"+key, 0, w, false); !count.Allowed {
			return quotaExceeded("bandwidth", count.After)
		}
		s.later(func(s *State) { countBytes(s, "quota\x00bytes\x00"+key, w) })
	}
	if q.calls > 0 {
		w := q.window(q.calls)
		count := inc.take(s, "quota\x00calls\x00"+key, w)
		if !count.Allowed {
			return quotaExceeded("call volume", count.After)
		}
	}
	return nil
}

func quotaExceeded(what string, after time.Duration) error {
	e := failure(403, ReasonQuota, "Out of "+what+" quota. Quota will be replenished in "+span(after)+".")
	e.Header.Add("Retry-After", strconv.FormatInt(int64((after+time.Second-1)/time.Second), 10))
	return e
}

// countBytes counts the bodies' bytes: of the request at once, of the answer as it streams to the client.
func countBytes(s *State, key string, w Window) {
	n := max(s.Request.Body.Length(), 0)
	counters := s.Host.Counters
	if s.Response.Body.Length() >= 0 {
		n += s.Response.Body.Length()
	} else {
		s.Response.Body = exchange.Stream(&countingReader{r: s.Response.Body.Reader(), done: func(read int64) { counters.Take(key, read, w, true) }}, -1)
	}
	if n > 0 {
		counters.Take(key, n, w, true)
	}
}

// countingReader tells how many bytes it gave, once, at the end.
type countingReader struct {
	r    io.Reader
	n    int64
	done func(int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && c.done != nil {
		c.done(c.n)
		c.done = nil
	}
	return n, err
}

func compileQuota(c *compiler, n *markup.Node) runFunc {
	type limit struct {
		q              *quota
		api, operation string
	}
	top := c.quota(n, nil)
	limits := []limit{{q: top}}
	named := func(e *markup.Node) string {
		if id := c.attrText(e, "id"); id != "" {
			return strings.ToLower(id)
		}
		return strings.ToLower(c.attrText(e, "name"))
	}
	for _, a := range n.Elements() {
		api := named(a)
		q := c.quota(a, top)
		limits = append(limits, limit{q, api, ""})
		for _, o := range a.Elements() {
			limits = append(limits, limit{c.quota(o, q), api, named(o)})
		}
	}
	file, inc := c.file, &increment{count: &integer{lit: 1}}
	return func(s *State) error {
		if s.Subscription == nil {
			return nil
		}
		for _, l := range limits {
			if l.api != "" && !s.isAPI(l.api) || l.operation != "" && !s.isOperation(l.operation) {
				continue
			}
			if err := l.q.take(s, file+"\x00"+l.api+"\x00"+l.operation+"\x00"+s.Subscription.ID, inc); err != nil {
				return err
			}
		}
		return nil
	}
}

func compileQuotaByKey(c *compiler, n *markup.Node) runFunc {
	q, key, inc := c.quota(n, nil), c.text(n, "counter-key", ""), c.increment(n)
	if q.start.IsZero() {
		q.start = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Nanosecond) // not the zero time, which means "the first use"
	}
	return func(s *State) error {
		k, err := key.get(s)
		if err != nil {
			return err
		}
		once := "quota\x00" + k // "incremented only once per request" even where several policies count the key
		if _, counted := s.vars.get("\x00" + once); counted {
			return nil
		}
		s.vars.set("\x00"+once, true)
		return q.take(s, "key\x00"+k, inc)
	}
}

var policyLimitConcurrency = &Policy{
	Name: "limit-concurrency", Category: "Rate limiting and quotas", Does: "keeps more than a number of requests from being in its policies at once",
	Sections: everySection, Body: Policies, Needs: partGates,
	Attrs: []Attribute{need("key"), need("max-count").lit()},
	compile: func(c *compiler, n *markup.Node) runFunc {
		key, limit := c.text(n, "key", ""), c.integer(n, "max-count", 1, 1)
		steps := c.steps(n, c.path)
		return func(s *State) error {
			k, err := key.get(s)
			if err != nil {
				return err
			}
			most, err := limit.get(s)
			if err != nil {
				return err
			}
			leave, ok := s.Host.Gates.Enter(k, int(most))
			if !ok {
				return failure(429, "ConcurrencyLimitExceeded", "Too many requests are being processed. Try again later.")
			}
			defer leave()
			return s.steps(steps)
		}
	},
}

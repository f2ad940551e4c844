package gateway

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tandem/internal/apim"
	"tandem/internal/exchange"
	"tandem/internal/gateway/balance"
	"tandem/internal/policy"
)

// backends are the named backends of a generation. It implements policy.Backends.
type backends struct {
	byID  map[string]*backend
	print string
}

// backend is a named backend.
type backend struct {
	info     policy.BackendInfo
	base     exchange.URL
	endpoint *endpoint
	broken   string // why nothing can be sent to it; empty: it can
	headers  []policy.Param
	queries  []policy.Param
	breaker  *balance.Breaker  // nil: it has none
	pool     *balance.Pool     // of a pool
	affinity string            // name of the cookie that keeps a client at one member of the pool
	sessions map[string]string // members by what that cookie says of them
	certs    []*tls.Certificate
	proxy    *policy.Proxy
}

// Backend implements policy.Backends.
func (b *backends) Backend(id string) (policy.BackendInfo, bool) {
	k := b.byID[strings.ToLower(id)]
	if k == nil {
		return policy.BackendInfo{}, false
	}
	return k.info, true
}

// compileBackends compiles named backends. One whose document and what it draws on did not change is kept, and with it what
// its circuit breaker has seen.
func (c *compiler) compileBackends(sh *shared) *backends {
	out := &backends{byID: map[string]*backend{}}
	var names []string
	docs := c.source.list("backends")
	old := c.made
	c.made = make(map[*apim.Document]madeBackend, len(docs))
	draws := digest(sh.valuesPrint, sh.certificates.print)
	for _, d := range docs {
		made, ok := old[d]
		if !ok || made.draws != draws {
			var p part
			made = madeBackend{draws: draws, backend: c.backend(&p, sh, d, made.backend)}
			made.problems = p.problems
		}
		c.made[d] = made
		sh.problems = append(sh.problems, made.problems...)
		out.byID[strings.ToLower(d.Name())] = made.backend
		names = append(names, d.Name(), made.backend.info.URL)
	}
	for _, d := range docs {
		if d.String("type") == "Pool" {
			// Members may have changed where the pool has not: it is made anew, its turn begins again.
			pool := *out.byID[strings.ToLower(d.Name())]
			out.fill(&pool, sh, d)
			out.byID[strings.ToLower(d.Name())] = &pool
		}
	}
	out.print = digest(names...)
	return out
}

type madeBackend struct {
	draws    string
	backend  *backend
	problems []Problem
}

// backend compiles one named backend. old, which may be nil, is the same document's before named values changed.
func (c *compiler) backend(p *part, sh *shared, d *apim.Document, old *backend) *backend {
	k := &backend{info: policy.BackendInfo{ID: d.Name(), Pool: d.String("type") == "Pool"}}
	if k.info.Pool {
		return k
	}
	address := sh.resolve(d.String("url"))
	base, err := parseBase(address)
	switch {
	case d.Value("properties.serviceFabricCluster") != nil || strings.HasPrefix(address, "fabric:"):
		k.broken = "it is a Service Fabric cluster, whose naming service Tandem does not speak; give it the URL of the service"
	case err != nil:
		k.broken = "url: " + err.Error()
	}
	if k.broken != "" {
		p.problem(d.Key, false, "requests to this backend fail: %s", k.broken)
		return k
	}
	k.base = base
	k.info.URL = base.String()
	to := upstream{scheme: base.Scheme, host: base.Host, noChain: !d.Bool("tls.validateCertificateChain", true), noName: !d.Bool("tls.validateCertificateName", true), http2: strings.HasPrefix(strings.ToLower(address), "grpc")}
	c.credentials(p, sh, d, k)
	if len(k.certs) > 0 {
		to.certificate = sha256.Sum256(k.certs[0].Certificate[0])
	}
	if u := d.String("proxy.url"); u != "" {
		k.proxy = &policy.Proxy{URL: sh.resolve(u), Username: sh.resolve(d.String("proxy.username")), Password: sh.resolve(c.secret(p, d, "proxy.password"))}
		to.proxy = *k.proxy
		if err := checkProxy(k.proxy.URL); err != nil {
			p.problem(d.Key, false, "proxy: %v", err)
		}
	}
	k.endpoint = &endpoint{to: to}
	if rules := c.breakerRules(p, d); len(rules) > 0 {
		if k.breaker = balance.NewBreaker(rules); old != nil && old.breaker != nil {
			k.breaker = old.breaker // the rules are the document's, which is the same
		}
	}
	return k
}

// credentials reads what a backend is told of who asks.
func (c *compiler) credentials(p *part, sh *shared, d *apim.Document, k *backend) {
	if sealed, err := d.OpenSecret(c.sealer, "credentials"); err != nil {
		p.problem(d.Key, true, "%v", err)
		return
	} else if sealed != nil {
		d = &apim.Document{Key: d.Key, Properties: map[string]any{"credentials": sealed}}
	}
	k.headers = params(sh, d.Value("credentials.header"))
	k.queries = params(sh, d.Value("credentials.query"))
	if scheme := d.String("credentials.authorization.scheme"); scheme != "" {
		parameter := sh.resolve(d.String("credentials.authorization.parameter"))
		k.headers = append(k.headers, policy.Param{Name: "Authorization", Value: strings.TrimSpace(sh.resolve(scheme) + " " + parameter)})
	}
	for _, id := range texts(d.Value("credentials.certificateIds")) {
		id = id[strings.LastIndexByte(id, '/')+1:]
		if cert, ok := sh.certificates.ByID(id); ok && cert.PrivateKey != nil {
			k.certs = append(k.certs, cert)
		} else {
			p.problem(d.Key, false, "the service has no certificate %s with its key; requests go without it. Import it", id)
		}
	}
	for _, print := range texts(d.Value("credentials.certificate")) {
		if cert, ok := sh.certificates.ByThumbprint(print); ok && cert.PrivateKey != nil {
			k.certs = append(k.certs, cert)
		} else {
			p.problem(d.Key, false, "the service has no certificate with the thumbprint %s and its key; requests go without it. Import it", print)
		}
	}
	if len(k.certs) > 1 {
		p.problem(d.Key, false, "it names %d client certificates; the first one is sent", len(k.certs))
	}
}

// reasons maps what rules call an error to the reasons of context.LastError. "Server errors" is what Microsoft's examples
// write for a server that gives no answer.
var reasons = map[string][]string{
	"timeout": {policy.ReasonTimeout}, "backendconnectionfailure": {policy.ReasonConnection}, "clientconnectionfailure": {policy.ReasonClient},
	"server errors": {policy.ReasonTimeout, policy.ReasonConnection},
}

func (c *compiler) breakerRules(p *part, d *apim.Document) []balance.Rule {
	list, _ := d.Value("circuitBreaker.rules").([]any)
	var out []balance.Rule
	for i, v := range list {
		m, _ := v.(map[string]any)
		condition, _ := m["failureCondition"].(map[string]any)
		r := balance.Rule{Count: integer(condition["count"]), Percentage: integer(condition["percentage"])}
		r.Name, _ = m["name"].(string)
		r.AcceptRetry, _ = m["acceptRetryAfter"].(bool)
		var err error
		interval, _ := condition["interval"].(string)
		trip, _ := m["tripDuration"].(string)
		if r.Interval, err = ParseDuration(interval); err == nil {
			r.Trip, err = ParseDuration(trip)
		}
		for _, s := range items(condition["statusCodeRanges"]) {
			of, _ := s.(map[string]any)
			r.Statuses = append(r.Statuses, balance.Range{Min: int(integer(of["min"])), Max: int(integer(of["max"]))})
		}
		for _, reason := range texts(condition["errorReasons"]) {
			known, ok := reasons[strings.ToLower(reason)]
			if !ok {
				known = []string{reason}
				p.problem(d.Key, false, "circuitBreaker.rules[%d]: no error has the reason %q; use Timeout, BackendConnectionFailure or ClientConnectionFailure", i, reason)
			}
			r.Reasons = append(r.Reasons, known...)
		}
		switch {
		case err != nil:
			p.problem(d.Key, false, "circuitBreaker.rules[%d] has no effect: %v", i, err)
		case r.Count <= 0 && (r.Percentage <= 0 || r.Percentage > 100):
			p.problem(d.Key, false, "circuitBreaker.rules[%d] has no effect: it needs a count of failures or a percentage from 1 to 100", i)
		case len(r.Statuses)+len(r.Reasons) == 0:
			p.problem(d.Key, false, "circuitBreaker.rules[%d] has no effect: it names neither statusCodeRanges nor errorReasons", i)
		default:
			out = append(out, r)
		}
	}
	return out
}

// fill makes the pool of a backend of type Pool.
func (b *backends) fill(k *backend, sh *shared, d *apim.Document) {
	var members []balance.Member
	for i, v := range items(d.Value("pool.services")) {
		m, _ := v.(map[string]any)
		id, _ := m["id"].(string)
		id = id[strings.LastIndexByte(id, '/')+1:]
		member := b.byID[strings.ToLower(id)]
		switch {
		case member == nil:
			sh.problem(d.Key, false, "pool.services[%d]: there is no backend %s; the pool goes on without it", i, id)
		case member.info.Pool:
			sh.problem(d.Key, false, "pool.services[%d]: %s is a pool itself; the pool goes on without it, name single backends", i, id)
		case member.broken != "":
			sh.problem(d.Key, false, "pool.services[%d]: %s cannot be used: %s", i, id, member.broken)
		default:
			members = append(members, balance.Member{ID: strings.ToLower(id), Priority: int(integer(m["priority"])), Weight: int(integer(m["weight"])), Breaker: member.breaker})
		}
	}
	if len(members) == 0 {
		k.broken = "the pool has no backend that can be used"
		sh.problem(d.Key, false, "requests to this pool fail: it has no backend that can be used")
		return
	}
	k.pool, k.sessions = balance.NewPool(members), map[string]string{}
	for _, m := range members {
		k.sessions[sessionValue(m.ID)] = m.ID
	}
	if source := d.String("pool.sessionAffinity.sessionId.source"); source != "" {
		if k.affinity = d.String("pool.sessionAffinity.sessionId.name"); !strings.EqualFold(source, "cookie") || k.affinity == "" {
			k.affinity = ""
			sh.problem(d.Key, false, "pool.sessionAffinity has no effect: it needs the source cookie and a name")
		}
	}
}

// sessionValue names a member in a cookie without telling its name.
func sessionValue(id string) string {
	sum := sha256.Sum256([]byte("tandem session\x00" + id))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// params reads a map of names to lists of values, in the order of the names.
func params(sh *shared, v any) (out []policy.Param) {
	m, _ := v.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		for _, value := range texts(m[name]) {
			out = append(out, policy.Param{Name: name, Value: sh.resolve(value)})
		}
	}
	return out
}

func items(v any) []any { l, _ := v.([]any); return l }

func texts(v any) (out []string) {
	for _, e := range items(v) {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// integer reads a number, also one in quotes, as templates of ARM write it.
func integer(v any) int64 {
	if s, ok := v.(string); ok {
		v = json.Number(s)
	}
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	i, err := n.Int64()
	if err != nil {
		return 0
	}
	return i
}

// longestDuration is more than any setting needs, and far from the end of what a time.Duration can hold.
const longestDuration = 10 * 365 * 24 * time.Hour

// ParseDuration reads an ISO 8601 duration of days, hours, minutes and seconds, "PT1M30S".
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration such as PT1M", s)
	rest, ok := strings.CutPrefix(s, "P")
	if !ok || rest == "" {
		return 0, bad
	}
	var total time.Duration
	inTime := false
	units := map[byte]time.Duration{'D': 24 * time.Hour, 'H': time.Hour, 'M': time.Minute, 'S': time.Second}
	for rest != "" {
		if rest[0] == 'T' && !inTime {
			inTime, rest = true, rest[1:]
			continue
		}
		end := strings.IndexAny(rest, "DHMS")
		if end <= 0 || (rest[end] == 'D') == inTime {
			return 0, bad
		}
		f, err := time.ParseDuration(rest[:end] + "s")
		if err != nil || f < 0 {
			return 0, bad
		}
		if f.Seconds() > longestDuration.Seconds()/units[rest[end]].Seconds() {
			return 0, bad
		}
		total += time.Duration(f.Seconds() * float64(units[rest[end]]))
		rest = rest[end+1:]
	}
	if total <= 0 {
		return 0, bad
	}
	return total, nil
}

package gateway

import (
	"slices"
	"sort"
	"strings"

	"tandem/internal/exchange"
	"tandem/internal/policy"
)

// router finds the operation of a request. Its cost does not grow with the number of APIs: API paths are found by one
// look-up per segment of the request's path, the longest first, operations by a tree of segments.
type router struct {
	prefixes map[string][]*api // by API path with version and revision in it, lower case; "" is the root
	deepest  int               // most segments of a prefix
}

// add puts an API under a path at which it answers. It gives the API that requests for this one go to already, or nil.
func (r *router) add(prefix string, a *api) (taken *api) {
	if r.prefixes == nil {
		r.prefixes = map[string][]*api{}
	}
	for _, other := range r.prefixes[prefix] {
		if other.scheme == a.scheme && strings.EqualFold(other.versionName, a.versionName) && (a.scheme == "" || strings.EqualFold(other.version, a.version)) {
			return other
		}
	}
	r.prefixes[prefix] = append(r.prefixes[prefix], a)
	if n := strings.Count(prefix, "/") + 1; prefix != "" && n > r.deepest {
		r.deepest = n
	}
	return nil
}

// find gives the API of a path and what is left of the path after the API's own ("/…"). Version by query or header is
// chosen among the APIs of one path by what the request says.
func (r *router) find(path string, request *exchange.Request) (*api, string) {
	// Ends of the first segments of the path, so that prefixes are substrings.
	var ends [16]int
	n := 0
	for i := 1; i <= len(path) && n < len(ends) && n < r.deepest; i++ {
		if i == len(path) || path[i] == '/' {
			ends[n] = i
			n++
		}
	}
	for ; n >= 0; n-- {
		end := 0
		if n > 0 {
			end = ends[n-1]
		}
		candidates := r.prefixes[lowerASCII(path[min(1, end):end])]
		if len(candidates) == 0 {
			continue
		}
		if a := pickVersion(candidates, request); a != nil {
			rest := path[end:]
			if rest == "" {
				rest = "/"
			}
			return a, rest
		}
	}
	return nil, ""
}

// lowerASCII is strings.ToLower without work where nothing is upper case.
func lowerASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' || c >= 0x80 {
			return strings.ToLower(s)
		}
	}
	return s
}

// tree finds an operation by the segments of a path: literals before templates with literal parts before plain parameters
// before wildcards, as API Management prefers them.
type tree struct {
	literals map[string]*tree // lower case
	mixed    []mixedEdge      // segments such as "{id}.json"
	param    *tree
	paramAs  string
	wild     []*operation // {*rest}: everything below
	here     []*operation
}

type mixedEdge struct {
	prefix, name, suffix string
	next                 *tree
}

// insert adds an operation at its template's path. It tells what is wrong with the template, or "".
func (t *tree) insert(op *operation) (problem string) {
	path, _, _ := strings.Cut(op.template, "?")
	at := t
	for seg := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		open := strings.IndexByte(seg, '{')
		closing := strings.LastIndexByte(seg, '}')
		switch {
		case seg == "" || open < 0 && seg != "*":
			at = at.literal(strings.ToLower(seg))
		case seg == "*" || strings.HasPrefix(seg, "{*"):
			op.wildcard, op.wild = strings.Trim(seg, "{*}"), true
			if other := op.twin(at.wild); other != nil {
				problem = op.shadowed(other)
			}
			at.wild = append(at.wild, op)
			return problem
		case open == 0 && closing == len(seg)-1:
			name := seg[1:closing]
			if at.param == nil {
				at.param = &tree{}
			}
			op.params = append(op.params, name)
			at = at.param
		default:
			at = at.mixedEdge(seg[:open], seg[closing+1:])
			op.params = append(op.params, seg[open+1:closing])
		}
	}
	if other := op.twin(at.here); other != nil {
		problem = op.shadowed(other)
	}
	at.here = append(at.here, op)
	return problem
}

// twin finds an operation that takes the same requests.
func (op *operation) twin(list []*operation) *operation {
	for _, other := range list {
		if other.method == op.method && slices.EqualFunc(other.query, op.query, func(a, b queryParam) bool {
			return strings.EqualFold(a.name, b.name) && a.literal == b.literal && a.value == b.value
		}) {
			return other
		}
	}
	return nil
}

func (op *operation) shadowed(by *operation) string {
	return "the operation " + by.info.ID + " takes the same requests (" + op.method + " " + op.template + "); this one is never reached, give it a template of its own"
}

func (t *tree) literal(seg string) *tree {
	if seg == "" {
		return t
	}
	if t.literals == nil {
		t.literals = map[string]*tree{}
	}
	next := t.literals[seg]
	if next == nil {
		next = &tree{}
		t.literals[seg] = next
	}
	return next
}

func (t *tree) mixedEdge(prefix, suffix string) *tree {
	for _, e := range t.mixed {
		if strings.EqualFold(e.prefix, prefix) && strings.EqualFold(e.suffix, suffix) {
			return e.next
		}
	}
	e := mixedEdge{prefix: strings.ToLower(prefix), suffix: strings.ToLower(suffix), next: &tree{}}
	t.mixed = append(t.mixed, e)
	sort.SliceStable(t.mixed, func(i, j int) bool {
		return len(t.mixed[i].prefix)+len(t.mixed[i].suffix) > len(t.mixed[j].prefix)+len(t.mixed[j].suffix)
	})
	return e.next
}

// search is one look-up: values of parameters are collected on the way.
type search struct {
	method string
	query  string
	action string // of a SOAP request: stands for the query parameter soapAction
	values []string
	space  [4]string // the first values need no memory of their own
}

// find walks the rest of a path ("/parcels/p1").
func (t *tree) find(path string, s *search) *operation {
	path = strings.TrimPrefix(path, "/")
	if path == "" {
		return pickMethod(t.here, t.wild, "", s)
	}
	seg, rest, more := strings.Cut(path, "/")
	if !more {
		rest = ""
	}
	if next := t.literals[lowerASCII(seg)]; next != nil {
		if op := next.find(rest, s); op != nil {
			return op
		}
	}
	depth := len(s.values)
	for _, e := range t.mixed {
		low := lowerASCII(seg)
		if len(seg) > len(e.prefix)+len(e.suffix) && strings.HasPrefix(low, e.prefix) && strings.HasSuffix(low, e.suffix) {
			s.values = append(s.values[:depth], seg[len(e.prefix):len(seg)-len(e.suffix)])
			if op := e.next.find(rest, s); op != nil {
				return op
			}
		}
	}
	if t.param != nil && seg != "" {
		s.values = append(s.values[:depth], seg)
		if op := t.param.find(rest, s); op != nil {
			return op
		}
	}
	s.values = s.values[:depth]
	return pickMethod(nil, t.wild, path, s)
}

// pickMethod chooses among the operations of one place by method and by required query parameters, the most demanding first.
func pickMethod(here, wild []*operation, rest string, s *search) *operation {
	var best *operation
	for _, op := range here {
		if op.accepts(s) && (best == nil || op.demands(best)) {
			best = op
		}
	}
	if best != nil {
		return best
	}
	for _, op := range wild {
		if op.accepts(s) {
			s.values = append(s.values, rest)
			return op
		}
	}
	return nil
}

// demands tells whether an operation is the closer fit of two that both take a request: more query parameters, then a
// method of its own.
func (op *operation) demands(than *operation) bool {
	if len(op.query) != len(than.query) {
		return len(op.query) > len(than.query)
	}
	return op.method != "*" && than.method == "*"
}

// accepts tells whether an operation takes the method and finds its query parameters.
func (op *operation) accepts(s *search) bool {
	if op.method != s.method && op.method != "*" {
		return false
	}
	for i := range op.query {
		if !op.query[i].in(s) {
			return false
		}
	}
	return true
}

// in tells whether a request has the query parameter.
func (q *queryParam) in(s *search) bool {
	if !q.literal {
		return hasQuery(s.query, q.name)
	}
	if strings.EqualFold(q.name, "soapAction") && s.action == q.value {
		return true
	}
	return hasQuery(s.query, q.name) && strings.EqualFold(queryValue(s.query, q.name), q.value)
}

// matched pairs the names of an operation's template with the values found, in room of the caller.
func (op *operation) matched(s *search, out []policy.Param) []policy.Param {
	for i, name := range op.params {
		if i < len(s.values) {
			out = append(out, policy.Param{Name: name, Value: unescape(s.values[i])})
		}
	}
	if op.wildcard != "" && len(s.values) > len(op.params) {
		out = append(out, policy.Param{Name: op.wildcard, Value: unescape(s.values[len(s.values)-1])})
	}
	for _, q := range op.query {
		if !q.literal {
			out = append(out, policy.Param{Name: q.param, Value: queryValue(s.query, q.name)})
		}
	}
	return out
}

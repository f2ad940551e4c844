package gateway

import (
	"sort"
	"strings"

	"tandem/internal/policy"
)

// router finds the operation of a request. Its cost does not grow with the number of APIs: API paths are found by one
// look-up per segment of the request's path, the longest first, operations by a tree of segments.
type router struct {
	prefixes map[string][]*api // by API path with version and revision in it, lower case; "" is the root
	deepest  int               // most segments of a prefix
}

// add puts an API under the path at which it answers.
func (r *router) add(a *api) {
	if r.prefixes == nil {
		r.prefixes = map[string][]*api{}
	}
	r.prefixes[a.prefix] = append(r.prefixes[a.prefix], a)
	if n := strings.Count(a.prefix, "/") + 1; a.prefix != "" && n > r.deepest {
		r.deepest = n
	}
}

// find gives the API of a path and what is left of the path after the API's own ("/…"). Version by query or header is
// chosen among the APIs of one path by pick.
func (r *router) find(path string, pick func([]*api) *api) (*api, string) {
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
		if a := pick(candidates); a != nil {
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

// insert adds an operation at its template's path.
func (t *tree) insert(op *operation) {
	path, _, _ := strings.Cut(op.template, "?")
	at := t
	for seg := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		open := strings.IndexByte(seg, '{')
		closing := strings.LastIndexByte(seg, '}')
		switch {
		case seg == "" || open < 0 && seg != "*":
			at = at.literal(strings.ToLower(seg))
		case seg == "*" || strings.HasPrefix(seg, "{*"):
			op.wildcard = strings.Trim(seg, "{*}")
			at.wild = append(at.wild, op)
			return
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
	at.here = append(at.here, op)
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
	values []string
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
		if op.accepts(s) && (best == nil || len(op.query) > len(best.query)) {
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

// accepts tells whether an operation takes the method and finds its query parameters.
func (op *operation) accepts(s *search) bool {
	if op.method != s.method && op.method != "*" {
		return false
	}
	for _, q := range op.query {
		if !hasQuery(s.query, q.name) {
			return false
		}
	}
	return true
}

func hasQuery(query, name string) bool {
	for part := range strings.SplitSeq(query, "&") {
		key, _, _ := strings.Cut(part, "=")
		if strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// matched pairs the names of an operation's template with the values found.
func (op *operation) matched(s *search) []policy.Param {
	if len(op.params)+len(op.query) == 0 && op.wildcard == "" {
		return nil
	}
	out := make([]policy.Param, 0, len(op.params)+len(op.query)+1)
	for i, name := range op.params {
		if i < len(s.values) {
			out = append(out, policy.Param{Name: name, Value: unescape(s.values[i])})
		}
	}
	if op.wildcard != "" && len(s.values) > len(op.params) {
		out = append(out, policy.Param{Name: op.wildcard, Value: unescape(s.values[len(s.values)-1])})
	}
	for _, q := range op.query {
		out = append(out, policy.Param{Name: q.param, Value: queryValue(s.query, q.name)})
	}
	return out
}

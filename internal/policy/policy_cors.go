package policy

import (
	"strconv"
	"strings"

	"tandem/internal/policy/markup"
)

var policyCORS = &Policy{
	Name: "cors", Category: "Cross-domain", Does: "lets browsers call the API from other origins",
	Sections: inboundOnly,
	Attrs:    []Attribute{attr("allow-credentials", trueFalse...).def("false"), attr("terminate-unmatched-request", trueFalse...).def("true")},
	Children: []Child{
		{Name: "allowed-origins", Required: true, Children: []Child{{Name: "origin", Required: true, Many: true, Text: true}}},
		{Name: "allowed-methods", Attrs: []Attribute{attr("preflight-result-max-age")}, Children: []Child{{Name: "method", Many: true, Text: true}}},
		{Name: "allowed-headers", Children: []Child{{Name: "header", Many: true, Text: true}}},
		{Name: "expose-headers", Children: []Child{{Name: "header", Many: true, Text: true}}},
	},
	compile: compileCORS,
}

type cors struct {
	origins, methods, headers, expose []*text
	age                               *integer
	credentials, terminate            *boolean
}

func compileCORS(c *compiler, n *markup.Node) runFunc {
	p := &cors{origins: c.list(n, "allowed-origins", "origin"), methods: c.list(n, "allowed-methods", "method"),
		headers: c.list(n, "allowed-headers", "header"), expose: c.list(n, "expose-headers", "header"), age: &integer{},
		credentials: c.boolean(n, "allow-credentials", false), terminate: c.boolean(n, "terminate-unmatched-request", true)}
	if m := element(n, "allowed-methods"); m != nil {
		p.age = c.integer(m, "preflight-result-max-age", 0, 0)
	}
	return p.run
}

func (p *cors) run(s *State) error {
	s.cors--
	origin := s.Request.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	preflight := s.Request.Method == "OPTIONS" && s.Request.Header.Has("Access-Control-Request-Method")
	allowed, any, err := p.origin(s, origin)
	if err != nil {
		return err
	}
	if preflight {
		return p.preflight(s, origin, allowed, any)
	}
	if !allowed {
		end, err := p.terminate.get(s)
		if err != nil || !end || s.Request.Method != "GET" && s.Request.Method != "HEAD" {
			return err
		}
		return s.emptyOK()
	}
	expose, err := all(s, p.expose)
	if err != nil {
		return err
	}
	credentials, err := p.credentials.get(s)
	if err != nil {
		return err
	}
	s.later(func(s *State) {
		p.allow(s, origin, any, credentials)
		if len(expose) > 0 {
			s.Response.Header.Set("Access-Control-Expose-Headers", strings.Join(expose, ","))
		}
	})
	return nil
}

func (s *State) emptyOK() error {
	s.resetResponse()
	s.Response.Status = 200
	return errResponded
}

// origin tells whether an origin is allowed, and whether every one is.
func (p *cors) origin(s *State, origin string) (allowed, any bool, err error) {
	for _, t := range p.origins {
		o, err := t.get(s)
		if err != nil {
			return false, false, err
		}
		o = strings.TrimSpace(o)
		if o == "*" {
			return true, true, nil
		}
		if sameOrigin(o, origin) {
			allowed = true
		}
	}
	return allowed, false, nil
}

// sameOrigin compares origins; the default port of the scheme may be left out, and a "/" at the end does not count.
func sameOrigin(a, b string) bool {
	norm := func(s string) string {
		s = strings.ToLower(strings.TrimRight(s, "/"))
		if rest, ok := strings.CutPrefix(s, "https://"); ok {
			return "https://" + strings.TrimSuffix(rest, ":443")
		}
		if rest, ok := strings.CutPrefix(s, "http://"); ok {
			return "http://" + strings.TrimSuffix(rest, ":80")
		}
		return s
	}
	return norm(a) == norm(b)
}

func (p *cors) allow(s *State, origin string, any, credentials bool) {
	h := &s.Response.Header
	if any && !credentials {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", origin)
		if !strings.Contains(strings.ToLower(h.Get("Vary")), "origin") {
			h.Add("Vary", "Origin")
		}
	}
	if credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

func (p *cors) preflight(s *State, origin string, allowed, any bool) error {
	if allowed {
		method := s.Request.Header.Get("Access-Control-Request-Method")
		methods, err := all(s, p.methods)
		if err != nil {
			return err
		}
		if len(methods) == 0 {
			methods = []string{"GET", "POST"}
		}
		headers, err := all(s, p.headers)
		if err != nil {
			return err
		}
		asked := fields(s.Request.Header.Get("Access-Control-Request-Headers"))
		allowed = covers(methods, method) && covers(headers, asked...)
		if allowed {
			return p.accept(s, origin, method, asked, any)
		}
	}
	end, err := p.terminate.get(s)
	if err != nil {
		return err
	}
	if !end && s.cors > 0 {
		return nil
	}
	return s.emptyOK()
}

func (p *cors) accept(s *State, origin, method string, asked []string, any bool) error {
	age, err := p.age.get(s)
	if err != nil {
		return err
	}
	credentials, err := p.credentials.get(s)
	if err != nil {
		return err
	}
	s.resetResponse()
	s.Response.Status = 200
	p.allow(s, origin, any, credentials)
	h := &s.Response.Header
	h.Set("Access-Control-Allow-Methods", method)
	if len(asked) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(asked, ","))
	}
	if age > 0 {
		h.Set("Access-Control-Max-Age", strconv.FormatInt(age, 10))
	}
	return errResponded
}

// fields splits a comma-separated list.
func fields(s string) []string {
	var out []string
	for _, f := range strings.Split(s, ",") {
		if f = strings.TrimSpace(f); f != "" {
			out = append(out, f)
		}
	}
	return out
}

// covers tells whether a list that may hold "*" has every name.
func covers(list []string, names ...string) bool {
	for _, n := range names {
		found := false
		for _, l := range list {
			found = found || l == "*" || strings.EqualFold(strings.TrimSpace(l), n)
		}
		if !found {
			return false
		}
	}
	return true
}

var policyCrossDomain = &Policy{
	Name: "cross-domain", Category: "Cross-domain", Does: "serves /crossdomain.xml to Flash and Silverlight clients",
	Sections: inboundOnly, Scopes: []Scope{Global},
	Children: []Child{{Name: "cross-domain-policy", Children: []Child{
		{Name: "site-control", Attrs: []Attribute{need("permitted-cross-domain-policies")}},
		{Name: "allow-access-from", Many: true, Attrs: []Attribute{need("domain"), attr("secure", trueFalse...), attr("to-ports")}},
		{Name: "allow-access-from-identity", Many: true, Children: []Child{{Name: "signatory", Children: []Child{{Name: "certificate",
			Attrs: []Attribute{need("fingerprint"), need("fingerprint-algorithm")}}}}}},
		{Name: "allow-http-request-headers-from", Many: true, Attrs: []Attribute{need("domain"), need("headers"), attr("secure", trueFalse...)}},
	}}},
	compile: func(c *compiler, n *markup.Node) runFunc {
		body := `<?xml version="1.0" encoding="utf-8"?>` + "\n<cross-domain-policy />"
		if e := element(n, "cross-domain-policy"); e != nil {
			body = `<?xml version="1.0" encoding="utf-8"?>` + "\n" + (&markup.Document{Root: e}).Write(markup.XML)
		}
		return func(s *State) error {
			if s.Original.Path != "/crossdomain.xml" {
				return nil
			}
			s.resetResponse()
			s.Response.Status = 200
			s.Response.Header.Add("Content-Type", "text/xml")
			s.Response.Body = exchangeBytes(body)
			return errResponded
		}
	},
}

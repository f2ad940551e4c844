package policy

import (
	"strings"

	"tandem/internal/exchange"
	"tandem/internal/policy/markup"
)

var policySetBackendService = &Policy{
	Name: "set-backend-service", Category: "Routing", Does: "chooses the backend that the request goes to",
	Sections: []Section{Inbound, Backend},
	Attrs: []Attribute{attr("base-url").oneOf("backend"), attr("backend-id").oneOf("backend"), attr("sf-resolve-condition"), attr("sf-service-instance-name"),
		attr("sf-partition-key"), attr("sf-replica-type", "primary", "secondary"), attr("sf-listener-name"),
		attr("dapr-app-id"), attr("dapr-method"), attr("dapr-namespace")},
	compile: compileSetBackendService,
}

func compileSetBackendService(c *compiler, n *markup.Node) runFunc {
	for _, a := range n.Attrs {
		if strings.HasPrefix(a.Name, "sf-") {
			c.report(Error, a.Pos, KindPart, n.Name+"/"+a.Name, "%s needs Service Fabric's naming service, which Tandem does not speak; name the backend by its URL", a.Name)
		}
	}
	base, id := c.text(n, "base-url", ""), c.text(n, "backend-id", "")
	if id.set && id.constant() && id.lit == "dapr" {
		return c.daprBackend(n)
	}
	if id.set && id.constant() && !c.presumed(id.node) && !c.opts.Presume {
		if c.host.Backends == nil {
			c.report(Error, id.node.Pos, KindPart, id.lit, "there is no backend %s; create it or write base-url", id.lit)
		} else if _, ok := c.host.Backends.Backend(id.lit); !ok {
			c.report(Error, id.node.Pos, KindPart, id.lit, "there is no backend %s; create it or write base-url", id.lit)
		}
	}
	if base.set && base.constant() {
		u, ok := parseURL(base.lit)
		if !ok && !c.presumed(base.node) && !strings.Contains(base.lit, "{{") {
			c.report(Error, base.node.Pos, KindAttribute, n.Name+"/base-url", "base-url must be an absolute http or https URL")
		}
		return func(s *State) error {
			s.Base, s.BackendID = u, ""
			return nil
		}
	}
	if base.set {
		return func(s *State) error {
			v, err := base.get(s)
			if err != nil {
				return err
			}
			u, ok := parseURL(strings.TrimSpace(v))
			if !ok {
				return failure(500, ReasonExpression, "base-url is not an absolute http or https URL.")
			}
			s.Base, s.BackendID = u, ""
			return nil
		}
	}
	return func(s *State) error {
		v, err := id.get(s)
		if err != nil {
			return err
		}
		return s.useBackend(v)
	}
}

// useBackend makes a named backend the request's.
func (s *State) useBackend(id string) error {
	if s.Host.Backends != nil {
		if b, ok := s.Host.Backends.Backend(id); ok {
			s.BackendID = b.ID
			if u, ok := parseURL(b.URL); ok {
				s.Base = u
			}
			return nil
		}
	}
	return failure(500, ReasonConnection, "There is no backend "+id+".")
}

// daprBackend is the form backend-id="dapr": the request goes to another application through the Dapr sidecar.
func (c *compiler) daprBackend(n *markup.Node) runFunc {
	if c.host.Dapr == "" && !c.opts.Presume {
		c.report(Error, n.Pos, KindPart, n.Name, `backend-id="dapr" needs %s, which this gateway does not have`, partDapr)
	}
	app, method, ns := c.text(n, "dapr-app-id", ""), c.text(n, "dapr-method", ""), c.text(n, "dapr-namespace", "")
	if !app.set || !method.set {
		c.report(Error, n.Pos, KindAttribute, n.Name, `backend-id="dapr" needs dapr-app-id and dapr-method`)
	}
	return func(s *State) error {
		v, err := all(s, []*text{app, method, ns})
		if err != nil {
			return err
		}
		if v[2] != "" {
			v[0] += "." + v[2]
		}
		u, _ := parseURL(s.Host.Dapr)
		u.Path = joinPath(u.Path, "/v1.0/invoke/"+v[0]+"/method/")
		s.Base, s.BackendID = u, ""
		s.Request.URL.Path = "/" + strings.TrimPrefix(v[1], "/")
		return nil
	}
}

// parseURL reads an absolute http or https URL, keeping it as it is written.
func parseURL(s string) (exchange.URL, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	u := exchange.URL{Scheme: strings.ToLower(scheme)}
	if !ok || u.Scheme != "http" && u.Scheme != "https" {
		return u, false
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, u.Query, _ = strings.Cut(rest, "?")
	u.Host, u.Path = rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		u.Host, u.Path = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(u.Host, '@'); i >= 0 {
		u.Host = u.Host[i+1:]
	}
	return u, u.Host != "" && !strings.ContainsAny(u.Host, " \t\r\n\\")
}

package policy

import (
	"context"
	"errors"

	"tandem/internal/policy/markup"
)

var policyHTTPDataSource = &Policy{
	Name: "http-data-source", Category: "GraphQL resolvers", Does: "resolves a GraphQL field by an HTTP request",
	Sections: []Section{Resolver}, Needs: partClient,
	Children: []Child{
		{Name: "http-request", Required: true, Policies: append([]string{"get-authorization-context", "set-backend-service", "include-fragment"}, sendParts...),
			Children: []Child{{Name: "set-url", Required: true, Text: true}}},
		{Name: "backend", Policies: []string{"forward-request"}},
		{Name: "http-response", Policies: []string{"set-body", "json-to-xml", "xml-to-json", "find-and-replace", "publish-event", "include-fragment"}},
	},
	compile: compileHTTPDataSource,
}

// A resolver composes a request, sends it, and makes the answer, which later policies see as context.Response.
func compileHTTPDataSource(c *compiler, n *markup.Node) runFunc {
	e := element(n, "http-request")
	if e == nil {
		return nil
	}
	c.inside = append(c.inside, "http-request", "")
	x := c.sender(e)
	c.inside = c.inside[:len(c.inside)-2]
	x.mode, x.timeout = &text{lit: "new"}, &integer{lit: 300}
	if b := element(n, "backend"); b != nil {
		if f := element(b, "forward-request"); f != nil {
			x.timeout = c.integer(f, "timeout", 300, 0)
		}
	}
	var after []step
	if r := element(n, "http-response"); r != nil {
		outer := c.section
		c.section = Outbound
		after = c.steps(r, "http-response")
		c.section = outer
	}
	return func(s *State) error {
		o, err := x.compose(s)
		if err != nil {
			return err
		}
		r, err := s.Host.Client.Do(s.Ctx(), o.request, o.send)
		if err != nil {
			return err
		}
		s.resetResponse()
		s.Response = *r
		outer := s.section
		s.section = Outbound
		defer func() { s.section = outer }()
		return s.steps(after)
	}
}

// Resolve runs a resolver's document for one field: s.Response is its answer, whose JSON body is the field's value. The
// error is a *LastError.
func (u *Unit) Resolve(ctx context.Context, s *State) error {
	p := u.sections[Resolver]
	if p == nil {
		return &LastError{Source: "resolver", Message: "The document is no resolver.", Status: 500}
	}
	s.Context = ctx
	s.env = newEnv(s)
	err := s.run(Resolver, p.steps)
	if errors.Is(err, errResponded) {
		return nil
	}
	return err
}

var policySQLDataSource = &Policy{
	Name: "sql-data-source", Category: "GraphQL resolvers", Does: "resolves a GraphQL field from Azure SQL",
	Sections: []Section{Resolver}, Refused: "Tandem has no client of Azure SQL; resolve the field with http-data-source through a service in front of it",
	Children: opaqueChildren("connection-info", "include-fragment", "request", "response"),
}

var policyCosmosDataSource = &Policy{
	Name: "cosmosdb-data-source", Category: "GraphQL resolvers", Does: "resolves a GraphQL field from Cosmos DB",
	Sections: []Section{Resolver}, Refused: "Tandem has no client of Cosmos DB; resolve the field with http-data-source through Cosmos DB's HTTP interface",
	Children: opaqueChildren("connection-info", "query-request", "read-request", "delete-request", "write-request", "response"),
}

func opaqueChildren(names ...string) []Child {
	var out []Child
	for _, n := range names {
		out = append(out, Child{Name: n, AnyNest: true})
	}
	return out
}

var policyPublishEvent = &Policy{
	Name: "publish-event", Category: "GraphQL resolvers", Does: "publishes an event to the subscribers of a GraphQL field",
	Sections: []Section{Resolver, Outbound}, Needs: partSubscribers,
	Children: []Child{{Name: "targets", Required: true, Children: []Child{{Name: "graphql-subscription", Required: true, Many: true}}}},
	compile: func(c *compiler, n *markup.Node) runFunc {
		var ids []string
		if t := element(n, "targets"); t != nil {
			for _, e := range t.Elements() {
				ids = append(ids, c.attrText(e, "id"))
			}
		}
		return func(s *State) error {
			b, err := s.readBody(&s.Response.Message)
			if err != nil {
				return err
			}
			for _, id := range ids {
				if err := s.Host.Subscribers.Publish(s.Ctx(), id, b); err != nil {
					return &LastError{Status: 500, Reason: "PublishFailure", Message: "The event could not be published.", Err: err}
				}
			}
			return nil
		}
	},
}

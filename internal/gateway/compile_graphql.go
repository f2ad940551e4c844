package gateway

import (
	"context"
	"errors"
	"strings"

	"tandem/internal/apim"
	"tandem/internal/gateway/synthetic"
	"tandem/internal/policy"
)

// graphqlAPI is a synthetic GraphQL API: its fields are resolved by policies.
type graphqlAPI struct {
	schema *synthetic.Schema
	state  stateKey
}

// stateKey finds the request that a resolver runs for in its context.
type stateKey struct{ *int }

const graphqlSchemaType = "application/vnd.ms-azure-apim.graphql.schema"

// compileGraphQL compiles the schema of a GraphQL API that has no service behind it, and its resolvers.
func (c *compiler) compileGraphQL(out *compiledAPI, d *apim.Document) *graphqlAPI {
	text := ""
	for _, s := range c.below("apis.schemas", d) {
		if strings.EqualFold(s.String("contentType"), graphqlSchemaType) {
			text = s.String("document.value")
		}
	}
	if text == "" {
		out.problem(d.Key, false, "it is a synthetic GraphQL API without a schema; give it a schema with resolvers, or the serviceUrl of a GraphQL service to pass requests on to")
		return nil
	}
	g := &graphqlAPI{state: stateKey{new(int)}}
	resolvers := map[string]synthetic.Resolver{}
	documents := map[string]string{}
	for _, r := range c.below("apis.resolvers", d) {
		path := strings.Trim(r.String("path"), "/")
		e, why := c.unit(&out.part, c.shared, apim.Key("apis.resolvers.policies", []string{d.Name(), r.Name(), "policy"}), policy.API)
		switch {
		case why == "" && e.unit == nil:
			out.problem(r.Key, false, "the resolver of %s has no policy; the field is null", path)
		case strings.HasPrefix(path, "Subscription/"):
			out.problem(r.Key, false, "subscriptions of synthetic GraphQL APIs are not served; %s is refused", path)
		default:
			resolvers[path] = g.resolver(e.unit)
			documents[path] = r.Key
		}
	}
	schema, err := synthetic.New(text, resolvers)
	if err != nil {
		out.problem(d.Key, false, "%v; requests to it are refused", err)
		return nil
	}
	for _, path := range schema.Unknown() {
		out.problem(documents[path], false, "the schema has no field %s; the resolver is never asked", path)
	}
	for _, path := range schema.Unresolved() {
		out.problem(d.Key, false, "nothing resolves %s; it is null", path)
	}
	g.schema = schema
	return g
}

// below gives an API's documents of a type that has few.
func (c *compiler) below(typ string, d *apim.Document) (out []*apim.Document) {
	for _, one := range c.source.list(typ) {
		if parentOf(one.Key) == parentOf(d.Key) {
			out = append(out, one)
		}
	}
	return out
}

var errNoResolver = errors.New("the field's resolver cannot be run")

// resolver runs a resolver's policy. What a client is told of a failure is the policy's message, and no more.
func (g *graphqlAPI) resolver(u *policy.Unit) synthetic.Resolver {
	return func(ctx context.Context, args, parent []byte) ([]byte, error) {
		s, ok := ctx.Value(g.state).(*policy.State)
		if !ok || u == nil {
			return nil, errNoResolver
		}
		value, err := u.ResolveField(ctx, s, args, parent)
		var last *policy.LastError
		switch {
		case errors.As(err, &last):
			return nil, errors.New(last.Message)
		case err != nil:
			return nil, errors.New("the field's data source could not be asked")
		}
		return value, nil
	}
}

package gateway

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"tandem/internal/exchange"
	"tandem/internal/gateway/synthetic"
	"tandem/internal/policy"
)

// mostGraphQL is how large a GraphQL request may be.
const mostGraphQL = 1 << 20

// answer executes a GraphQL request as forward-request of a synthetic API.
func (g *graphqlAPI) answer(s *policy.State) error {
	r, problem := graphqlRequest(&s.Request)
	body, ok := []byte(nil), false
	if problem != "" {
		body, _ = json.Marshal(map[string]any{"errors": []synthetic.Error{{Message: problem}}}) // texts always encode
	} else {
		body, ok = g.schema.Execute(context.WithValue(s.Ctx(), g.state, s), r)
	}
	s.Response.Status = 200
	if !ok {
		s.Response.Status = 400
	}
	s.Response.Header.Set("Content-Type", "application/json")
	s.Response.Body = exchange.Bytes(body)
	return context.Cause(s.Ctx())
}

// graphqlRequest reads a request as "GraphQL over HTTP" has it.
func graphqlRequest(r *exchange.Request) (out synthetic.Request, problem string) {
	switch r.Method {
	case "GET":
		q, err := url.ParseQuery(r.URL.Query)
		if err != nil {
			return out, "The query string is not well formed."
		}
		out.Query, out.OperationName = q.Get("query"), q.Get("operationName")
		if v := q.Get("variables"); v != "" {
			if err := json.Unmarshal([]byte(v), &out.Variables); err != nil {
				return out, "The variables are not a JSON object."
			}
		}
		if strings.HasPrefix(strings.TrimSpace(out.Query), "mutation") {
			return out, "A mutation is sent by POST."
		}
	case "POST":
		body, err := r.Body.Bytes(mostGraphQL)
		if err != nil {
			return out, "The request is larger than 1 MiB, or broke off."
		}
		if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.EqualFold(strings.TrimSpace(kind), "application/graphql") {
			out.Query = string(body)
		} else if err := json.Unmarshal(body, &out); err != nil {
			return out, "The body is not a JSON object with a query."
		}
	default:
		return out, "GraphQL is asked by GET or POST."
	}
	if out.Query == "" {
		return out, "There is no query."
	}
	return out, ""
}

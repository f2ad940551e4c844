package policy_test

import (
	"context"
	"fmt"

	"tandem"
	"tandem/internal/exchange"
	"tandem/internal/policy"
)

// echo is a backend that answers with what it was asked.
type echo struct{}

func (echo) Forward(s *policy.State, _ policy.ForwardOptions) error {
	s.Response.Status = 200
	s.Response.Body = exchange.Bytes([]byte(s.Request.Method + " " + s.Target().String() + " for " + s.Request.Header.Get("X-User")))
	return nil
}

// A gateway compiles each document once, links the units of an operation's scopes, and runs the pipeline per request.
func Example() {
	host := policy.NewHost(tandem.SystemClock{})
	host.Forwarder = echo{}
	options := policy.Options{Host: host, NamedValue: func(name string) (string, bool) { return "ann", name == "user" }}
	compile := func(scope policy.Scope, text string) *policy.Unit {
		u, problems := policy.CompileUnit(policy.Source{Name: string(scope), Scope: scope, Text: text}, options)
		if problems.Failed() {
			fmt.Println(problems)
		}
		return u
	}
	global := compile(policy.Global, `<policies><inbound/><backend><forward-request/></backend></policies>`)
	api := compile(policy.API, `<policies><inbound><base/><set-header name="X-User"><value>{{user}}</value></set-header></inbound></policies>`)
	operation := compile(policy.Operation, `<policies><inbound><base/><rewrite-uri template="/v2/items/{id}"/></inbound></policies>`)
	pipeline := policy.Link(global, nil, api, operation)

	s := &policy.State{
		Host:     host,
		Exchange: &exchange.Exchange{Request: exchange.Request{Method: "GET", URL: exchange.URL{Scheme: "https", Host: "gw.example", Path: "/items/7"}}},
		Original: exchange.URL{Scheme: "https", Host: "gw.example", Path: "/shop/items/7"},
		Base:     exchange.URL{Scheme: "https", Host: "backend.example"},
		API:      &policy.APIInfo{ID: "shop", Path: "shop"},
		Matched:  []policy.Param{{Name: "id", Value: "7"}},
	}
	if err := pipeline.Run(context.Background(), s); err != nil {
		fmt.Println(err)
	}
	body, _ := s.Response.Body.Bytes(1 << 20)
	fmt.Println(s.Response.Status, string(body))
	// Output: 200 GET https://backend.example/v2/items/7 for ann
}

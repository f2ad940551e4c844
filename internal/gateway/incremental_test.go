package gateway

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/exchange"
	"tandem/internal/policy"
)

// documents that a property draws from: few of each type, so that they meet.
func drawDocument(t *rapid.T) *apim.Document {
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	name, rev := pick("api", "x", "y"), pick("rev", "1", "2")
	id := name + ";rev=" + rev
	answer := func() string {
		body := pick("body", "one", "two", "{{word}}", "broken")
		if body == "broken" {
			return `<policies><inbound><no-such-policy /></inbound></policies>`
		}
		if pick("fragment", "no", "no", "yes") == "yes" {
			return `<policies><inbound><base /><include-fragment fragment-id="f" /></inbound><backend><base /></backend><outbound><base /></outbound></policies>`
		}
		if pick("to", "answer", "answer", "backend") == "backend" {
			return `<policies><inbound><base /><set-backend-service backend-id="b" /></inbound><backend><base /></backend><outbound><base /></outbound></policies>`
		}
		return `<policies><inbound><base /><set-header name="X-` + pick("field", "A", "B") + `" exists-action="append"><value>` + body + `</value></set-header></inbound><backend><base /></backend><outbound><base /></outbound></policies>`
	}
	switch pick("type", "apis", "roots", "operations", "apipolicy", "oppolicy", "global", "product", "productpolicy", "member", "sub", "value", "fragment", "backend", "user", "set") {
	case "apis":
		return doc("apis", []string{id}, map[string]any{"path": pick("path", "p", "q"), "subscriptionRequired": pick("needs", "y", "n") == "y", "serviceUrl": pick("url", "http://one", "bad"), "apiVersion": pick("version", "", "v1"), "apiVersionSetId": "/apiVersionSets/set"})
	case "roots":
		return doc(apim.RootType, []string{name}, map[string]any{"current": rev})
	case "operations":
		return doc(typeOperations, []string{id, pick("op", "get", "post")}, map[string]any{"method": pick("method", "GET", "POST"), "urlTemplate": pick("template", "/", "/{id}", "/x")})
	case "apipolicy":
		return doc("apis.policies", []string{id, "policy"}, map[string]any{"value": answer()})
	case "oppolicy":
		return doc(typePolicies, []string{id, pick("op", "get", "post"), "policy"}, map[string]any{"value": answer()})
	case "global":
		return doc("policies", []string{"policy"}, map[string]any{"value": answer()})
	case "product":
		return doc("products", []string{"prod"}, map[string]any{"subscriptionRequired": pick("needs", "y", "n") == "y"})
	case "productpolicy":
		return doc("products.policies", []string{"prod", "policy"}, map[string]any{"value": answer()})
	case "member":
		return doc("products.apis", []string{"prod", name}, nil)
	case "sub":
		return doc("subscriptions", []string{pick("sub", "s1", "s2")}, map[string]any{"scope": pick("scope", "/apis", "/products/prod", "/apis/x", "/nonsense"), "state": pick("state", "active", "suspended"), "ownerId": "/users/u"}, "primaryKey", pick("key", "k1", "k2", "k3"))
	case "value":
		return doc("namedValues", []string{"w"}, map[string]any{"displayName": "word", "value": pick("value", "v1", "v2")})
	case "fragment":
		return doc("policyFragments", []string{"f"}, map[string]any{"value": `<fragment><set-header name="X-F"><value>` + pick("text", "f1", "{{word}}") + `</value></set-header></fragment>`})
	case "backend":
		return doc("backends", []string{"b"}, map[string]any{"type": "Single", "url": pick("url", "http://b1", "http://b2", "bad")})
	case "user":
		return doc("users", []string{"u"}, map[string]any{"firstName": pick("first", "Ann", "Bob")})
	}
	return doc("apiVersionSets", []string{"set"}, map[string]any{"versioningScheme": pick("scheme", "Segment", "Query", "Header"), "versionQueryName": "v", "versionHeaderName": "V"})
}

// told is everything that a generation does, for comparison.
func told(t *rapid.T, g *Gateway, gen *generation) string {
	var out strings.Builder
	g.current.Store(gen)
	for _, path := range []string{"/p", "/q", "/p/x", "/p/7", "/p/v1/x", "/p;rev=1/x", "/q;rev=2/", "/p/v1;rev=2/x", "/p/x?v=v1"} {
		for _, method := range []string{"GET", "POST"} {
			for _, key := range []string{"", "k1", "k2"} {
				at, query, _ := strings.Cut(path, "?")
				x := &exchange.Exchange{Request: exchange.Request{Method: method, URL: exchange.URL{Path: at, Query: query}, Message: exchange.Message{Header: exchange.Header{{Name: "Ocp-Apim-Subscription-Key", Value: key}, {Name: "V", Value: "v1"}}}}}
				if err := g.ServeExchange(t.Context(), x); err != nil {
					t.Fatal(err)
				}
				body, _ := x.Response.Body.Bytes(1 << 20)
				if i := strings.Index(string(body), "activityId"); i >= 0 {
					body = body[:i]
				}
				fmt.Fprintf(&out, "%s %s %s: %d %s\n", method, path, key, x.Response.Status, body)
			}
		}
	}
	problems := slices.Clone(gen.problems)
	slices.SortFunc(problems, func(a, b Problem) int { return strings.Compare(a.Document+a.Message, b.Document+b.Message) })
	raw, _ := json.MarshalIndent(problems, "", " ")
	return out.String() + string(raw)
}

// teller is a backend that answers what it was asked.
type teller struct{}

// Forward implements policy.Forwarder.
func (teller) Forward(s *policy.State, _ policy.ForwardOptions) error {
	who := ""
	if s.User != nil {
		who = s.User.FirstName
	}
	product := ""
	if s.Product != nil {
		product = s.Product.ID
	}
	s.Response.Status = 200
	s.Response.Body = exchange.Bytes([]byte(fmt.Sprint(s.Target().String(), " ", s.API.ID, s.API.Revision, s.API.Current, " ", s.Operation.ID, s.Matched, " ", who, product, s.BackendID, s.Request.Header)))
	return nil
}

// TestIncremental: after any changes, what was compiled step by step does what a compilation from nothing does.
func TestIncremental(t *testing.T) {
	clock := tandem.SystemClock{}
	counters := policy.NewMemoryCounters(clock)
	g := New(Config{Service: "s", Sealer: open{}, Clock: clock, Log: slog.New(slog.DiscardHandler), Host: policy.Host{Forwarder: teller{}, Counters: counters, Gates: counters}})
	defer g.Close()
	rapid.Check(t, func(t *rapid.T) {
		c := g.newCompiler(nil)
		var gen *generation
		for n := range rapid.IntRange(1, 12).Draw(t, "commits") {
			var keys []string
			for range rapid.IntRange(1, 6).Draw(t, "changes") {
				d := drawDocument(t)
				keys = append(keys, d.Key)
				if rapid.IntRange(0, 4).Draw(t, "delete") == 0 {
					c.source.drop(d.Key)
				} else {
					c.source.put(d)
				}
			}
			gen = c.compile(c.source.touched(keys), 1, tandem.Revision(n))
		}
		whole := map[string]*apim.Document{}
		for key, d := range c.source.docs {
			whole[key] = c.source.open(d)
		}
		fresh := g.newCompiler(whole).compile(everything(), 1, 1)
		if got, want := told(t, g, gen), told(t, g, fresh); got != want {
			t.Fatalf("step by step:\n%s\nfrom nothing:\n%s", got, want)
		}
	})
}

package gateway

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"
	"time"

	"tandem"
	"tandem/internal/exchange"
	"tandem/internal/policy"
)

// generation is everything that is needed to serve requests, compiled from the documents of one generation at one revision.
// It is immutable: a change makes another one, which shares with it what did not change.
type generation struct {
	number   tandem.Generation
	revision tandem.Revision
	router   router
	host     *policy.Host // what its policies may use; backends and certificates are this generation's
	shared   *shared
	apis     map[string]*api // by root name, the current revision
	keys     map[[sha256.Size]byte]*subscription
	problems []Problem
	count    int // documents
	sample   sealedSample
}

// Problem is something in the documents that cannot be honoured (law 10).
type Problem struct {
	Document string `json:"document"` // its key
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Message  string `json:"message"`
	Fatal    bool   `json:"fatal"` // a restore with it is refused; requests that need it are answered 500
}

// api is one revision of an API.
type api struct {
	info         *policy.APIInfo
	name         string   // of its root, lower case
	prefixes     []string // at which it answers, lower case
	version      string
	scheme       string // of the version: "", "query" or "header"
	versionName  string // of the query parameter or header
	keyHeader    string
	keyQuery     string
	challenge    string // the end of its WWW-Authenticate
	subscription bool   // a key is needed
	service      exchange.URL
	endpoint     *endpoint             // of service
	operations   *tree                 // shared with generations in which the operations were the same
	byDocument   map[string]*operation // those with a policy of their own, by its document key
	links        []*linked             // policies: the first for operations without one of their own
	products     []*product
	open         *product // the product without subscription that holds it
	preflight    *policy.Pipeline
	kind         string // lower case; empty: http
	diagnostics  []*diagnostic
	graphql      *graphqlAPI // it answers by itself; nil: a service does
}

// operation is one operation of an API, without its policies.
type operation struct {
	info     *policy.OperationInfo
	method   string
	template string
	params   []string
	wildcard string
	wild     bool // it has a wildcard, with or without a name
	query    []queryParam
	links    int // its policies among the API's
	stats    *operationStats
}

// queryParam is a query parameter that a template asks for: with any value, which becomes param's, or with one value.
type queryParam struct {
	name, param string
	literal     bool
	value       string
}

// product is one product.
type product struct {
	info   *policy.ProductInfo
	apis   map[string]bool // root names in lower case
	needs  bool            // a subscription
	unit   unitEntry
	broken string // why its policy cannot run; empty: it can
}

// subscription is one subscription with one of its keys.
type subscription struct {
	info    *policy.SubscriptionInfo
	user    *policy.UserInfo
	key     string // the one that was used
	active  bool
	start   time.Time
	end     time.Time
	all     bool     // all APIs
	api     string   // root name of the one API, lower case
	product *product // or the product
}

// allows tells whether a subscription opens an API, and in which product's context.
func (s *subscription) allows(a *api, now time.Time) (*product, bool) {
	if !s.active || !s.start.IsZero() && now.Before(s.start) || !s.end.IsZero() && !now.Before(s.end) {
		return nil, false
	}
	switch {
	case s.all, s.api != "" && s.api == a.name:
		return nil, true
	case s.product != nil && s.product.apis[a.name]:
		return s.product, true
	}
	return nil, false
}

// schemes are those of backends' addresses, and how they are spoken to: WebSocket begins as HTTP, gRPC is HTTP/2.
var schemes = map[string]string{"http": "http", "https": "https", "ws": "http", "wss": "https", "grpc": "http", "grpcs": "https"}

// parseBase reads a backend's address.
func parseBase(address string) (exchange.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return exchange.URL{}, fmt.Errorf("%q is not an address", address)
	}
	scheme := schemes[strings.ToLower(u.Scheme)]
	if u.Host == "" || scheme == "" {
		return exchange.URL{}, fmt.Errorf("%q is not an address with http:// or https:// and a host", address)
	}
	return exchange.URL{Scheme: scheme, Host: u.Host, Path: strings.TrimSuffix(u.EscapedPath(), "/"), Query: u.RawQuery}, nil
}

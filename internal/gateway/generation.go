package gateway

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/exchange"
	"tandem/internal/policy"
)

// generation is everything that is needed to serve requests, compiled from the documents of one generation at one revision.
// It is immutable: a change makes another one.
type generation struct {
	number   tandem.Generation
	revision tandem.Revision
	router   router
	host     *policy.Host    // what its policies may use; named backends are this generation's
	apis     map[string]*api // by root name, the current revision
	keys     map[[sha256.Size]byte]*subscription
	backends map[string]*backend
	global   *policy.Pipeline // for requests that match no operation
	problems []Problem
	count    int // documents
}

// Problem is something in the documents that cannot be honoured (law 10).
type Problem struct {
	Document string `json:"document"` // its key
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Message  string `json:"message"`
	Fatal    bool   `json:"fatal"` // a restore with it is refused; requests that need it are answered 500
}

// api is one revision of an API at one path.
type api struct {
	info         *policy.APIInfo
	prefix       string // lower case
	version      string
	scheme       string // of the version: "", "query" or "header"
	versionName  string // of the query parameter or header
	keyHeader    string
	keyQuery     string
	subscription bool // a key is needed
	service      exchange.URL
	operations   tree
	products     []*product
	open         *product // the product without subscription that holds it
	preflight    *policy.Pipeline
	kind         string
}

// operation is one operation of an API.
type operation struct {
	info     *policy.OperationInfo
	method   string
	template string
	params   []string
	wildcard string
	query    []queryParam
	plain    *policy.Pipeline              // without a product
	products map[*product]*policy.Pipeline // in a product's context
	broken   string                        // why its policies cannot run; empty: they can
}

type queryParam struct{ name, param string }

// product is one product.
type product struct {
	info  *policy.ProductInfo
	apis  map[string]bool // root names in lower case
	needs bool            // a subscription
	unit  *policy.Unit
}

// subscription is one subscription with its keys.
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

// backend is a named backend.
type backend struct {
	info policy.BackendInfo
	base exchange.URL
	doc  *apim.Document
}

// allows tells whether a subscription opens an API, and in which product's context.
func (s *subscription) allows(a *api, now time.Time) (*product, bool) {
	if !s.active || !s.start.IsZero() && now.Before(s.start) || !s.end.IsZero() && !now.Before(s.end) {
		return nil, false
	}
	name := strings.ToLower(a.info.ID)
	switch {
	case s.all, s.api != "" && s.api == name:
		return nil, true
	case s.product != nil && s.product.apis[name]:
		return s.product, true
	}
	return nil, false
}

// parseBase reads a backend's address.
func parseBase(address string) (exchange.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return exchange.URL{}, err
	}
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return exchange.URL{}, fmt.Errorf("%q is not an address with http:// or https:// and a host", address)
	}
	return exchange.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.EscapedPath(), "/"), Query: u.RawQuery}, nil
}

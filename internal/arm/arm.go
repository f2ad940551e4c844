// Package arm is the wire of Azure Resource Manager: routes, ids, envelopes, errors, ETags, paging, $filter, api-versions
// and long-running operations. It knows nothing of API Management; resource providers hand it routes, and it hands them
// requests that are authenticated, authorised and parsed.
package arm

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"tandem"
)

// Principal is who calls.
type Principal struct {
	TenantID string
	ObjectID string // of the service principal: what role assignments name
	AppID    string // client id
	Name     string
}

// Authoriser decides who may do what. Errors of kind Unauthenticated become 401, of kind Denied 403, in Azure's words;
// an *Error is passed on as it is.
type Authoriser interface {
	// Authenticate reads a bearer token (without the word Bearer).
	Authenticate(ctx context.Context, token string) (Principal, error)
	// Authorise asks whether p may do action (for example Microsoft.ApiManagement/service/backup/action) at scope, a
	// resource id.
	Authorise(ctx context.Context, p Principal, action, scope string) error
}

// Request is one call, parsed.
type Request struct {
	HTTP       *http.Request
	Method     string
	Path       string            // collapsed, without a slash at the end, in the client's case
	Params     map[string]string // by the placeholder's name in the pattern, percent-decoded
	Query      Query
	APIVersion string
	Principal  Principal
	Body       []byte // at most the server's limit
	Base       string // scheme and host the client used, for absolute links: "https://127.0.0.1:8443"
	RequestID  string
}

// Query holds query parameters by lower-case name ("$filter", "api-version"); the first value wins.
type Query map[string]string

// ParseQuery reads a raw query string. Only & parts it: a semicolon is a character like any other, since filters name
// API revisions ("echo;rev=2").
func ParseQuery(raw string) (Query, error) {
	q := make(Query)
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, err
		}
		if _, known := q[lower(name)]; !known {
			q[lower(name)] = value
		}
	}
	return q, nil
}

// Response is an answer. A nil Body sends none; json.RawMessage and []byte go out as they are.
type Response struct {
	Status int
	Header http.Header
	Body   any
}

// Handler serves one route.
type Handler func(ctx context.Context, r *Request) (*Response, error)

// Route binds a method and a path to a handler. Literal segments match without regard to case; a {name} segment matches one
// segment; a last segment {name...} matches the rest, one segment or more. Literals win over placeholders. A pattern that
// begins with /{scope...}/providers/ is an extension resource: it matches at every scope, the root included, and wins over
// everything; its parameter "scope" is the id in front of the path's last "providers", empty or with a slash in front.
type Route struct {
	Method  string // "GET", ...; a HEAD route must be stated
	Pattern string // "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/..."
	// Action is what the caller must be allowed to do at Scope. Empty: derived from the pattern's provider types and the
	// method (GET, HEAD: read; PUT, PATCH: write; DELETE: delete; POST x: x/action).
	Action string
	// Scope is the id that is checked; nil: the request's path (for lists and actions, of the resource they are on).
	Scope     func(r *Request) string
	Anonymous bool // no token is asked for
	// AnyPrincipal asks for a token but for no role: the handler answers with what the caller may see.
	AnyPrincipal bool
	// AnyVersion serves the route without an api-version.
	AnyVersion bool
	Handler    Handler
}

// Provider contributes routes and tells what it serves.
type Provider interface {
	Namespace() string // "Microsoft.ApiManagement"; empty for ARM's own
	Types() []TypeInfo
	Routes() []Route
}

// TypeInfo is a resource type as GET /providers tells it.
type TypeInfo struct {
	Name        string // "service/apis"
	Locations   []string
	APIVersions []string
	// AnyVersion serves every date-shaped api-version; APIVersions then only tells clients what to prefer.
	AnyVersion bool
}

// Resource is the envelope of every resource.
type Resource struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Location   string            `json:"location,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Properties json.RawMessage   `json:"properties,omitempty"`
}

// ResourceID parses the request's path as an id.
func (r *Request) ResourceID() (tandem.ResourceID, error) { return tandem.ParseResourceID(r.Path) }

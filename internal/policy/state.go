package policy

import (
	"context"
	"encoding/hex"
	"time"

	"tandem/internal/csharp"
	"tandem/internal/exchange"
)

// State is one request's run through a pipeline. The gateway fills the exported fields before Run; it belongs to the
// goroutine that serves the request.
type State struct {
	*exchange.Exchange

	Host         *Host
	API          *APIInfo
	Operation    *OperationInfo
	Product      *ProductInfo
	Subscription *SubscriptionInfo
	User         *UserInfo
	Workspace    *WorkspaceInfo
	Deployment   *DeploymentInfo
	RequestID    [16]byte // in the order it is written
	Tracing      bool
	Tracer       Tracer                                 // nil: no trace is wanted
	Note         func(severity, source, message string) // takes the trace policy's messages for diagnostics; nil: nobody

	Original       exchange.URL // what the client asked for
	OriginalMethod string
	Base           exchange.URL // the backend's base: scheme, host and a path without "/" at its end
	BackendID      string       // the backend that set-backend-service named; empty: Base alone counts
	Matched        []Param      // parameters of the operation's URL template
	GraphQL        *GraphQLInfo // of a resolver

	LastError *LastError
	Forwarded bool // a forward-request has sent the request

	vars       variables
	section    Section
	consumed   [2]bool // the request's and the response's body was read without preserving it
	env        csharp.Env
	globals    [1]csharp.Value
	noResponse bool // context.Response is null: nothing was answered yet
	skipTo     bool // the answer came from the cache: outbound begins after cache-store
	caching    *cachePlan
	semantic   *semanticPlan
	after      []func(*State) // run when the answer's head is final
	hold       *outgoing      // the request that send-request composes; set-header and others work on it
	auth       *outgoingAuth  // what authentication and proxy policies chose for the forward
	retries    int
	cors       int // how many cors policies directly in inbound are still to come
}

// Param is a parameter of a URL template with its value.
type Param struct{ Name, Value string }

// APIInfo is context.Api.
type APIInfo struct {
	ID, Name, Path, Revision, Version string
	Current                           bool
	ServiceURL                        exchange.URL
	Protocols                         []string
	KeyHeader, KeyQuery               string
}

// ProductInfo is context.Product.
type ProductInfo struct {
	ID, Name             string
	State                string // "NotPublished" or "Published"
	ApprovalRequired     bool
	SubscriptionRequired bool
	SubscriptionsLimit   *int
	Groups               []GroupInfo
	APIs                 []*APIInfo
}

// GroupInfo is a group of users.
type GroupInfo struct{ ID, Name string }

// SubscriptionInfo is context.Subscription. Keys are secrets.
type SubscriptionInfo struct {
	ID, Name, Key, PrimaryKey, SecondaryKey string
	Created                                 time.Time
	Start, End                              time.Time // zero: none
}

// UserInfo is context.User.
type UserInfo struct {
	ID, FirstName, LastName, Email, Note string
	Registered                           time.Time
	Groups                               []GroupInfo
	Identities                           []IdentityInfo
}

// IdentityInfo is how a user signs in.
type IdentityInfo struct{ ID, Provider string }

// WorkspaceInfo is context.Workspace.
type WorkspaceInfo struct{ ID, Name string }

// DeploymentInfo is context.Deployment.
type DeploymentInfo struct {
	GatewayID, InstanceID string // GatewayID is "managed" for the service's own gateway
	Managed               bool
	Region                string
	ServiceID             string
	ServiceName           string
}

// GraphQLInfo is what a resolver is asked.
type GraphQLInfo struct {
	Arguments []byte // JSON
	Parent    []byte // JSON
}

// Tracer takes what happens in a run, for a debugger or a trace.
type Tracer interface {
	Step(TraceStep)
}

// TraceStep is one executed policy.
type TraceStep struct {
	Section Section        `json:"section"`
	Scope   Scope          `json:"scope,omitempty"`
	Policy  string         `json:"policy"`
	Path    string         `json:"path"`
	Line    int            `json:"line,omitempty"`
	Message string         `json:"message,omitempty"` // what the policy says of itself
	Error   string         `json:"error,omitempty"`
	Set     map[string]any `json:"variables,omitempty"` // variables that it set
}

// RequestIDText writes the request's id as a GUID.
func (s *State) RequestIDText() string {
	var b [36]byte
	hex.Encode(b[0:8], s.RequestID[0:4])
	hex.Encode(b[9:13], s.RequestID[4:6])
	hex.Encode(b[14:18], s.RequestID[6:8])
	hex.Encode(b[19:23], s.RequestID[8:10])
	hex.Encode(b[24:], s.RequestID[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// Target is the URL that forward-request asks: Base with the request's path and query.
func (s *State) Target() exchange.URL {
	u := s.Base
	u.Path = joinPath(s.Base.Path, s.Request.URL.Path)
	u.Query = s.Request.URL.Query
	return u
}

func joinPath(base, path string) string {
	for len(base) > 0 && base[len(base)-1] == '/' {
		base = base[:len(base)-1]
	}
	if path == "" || path[0] != '/' {
		path = "/" + path
	}
	if base == "" {
		return path
	}
	if path == "/" {
		return base + "/"
	}
	return base + path
}

// Now is the host's time.
func (s *State) Now() time.Time { return s.Host.Clock.Now() }

// Ctx ends when the client goes away or the gateway stops.
func (s *State) Ctx() context.Context {
	if s.Context == nil {
		return context.Background()
	}
	return s.Context
}

// SetVariable gives a variable its value, boxed as package csharp boxes.
func (s *State) SetVariable(name string, boxed any) { s.vars.set(name, boxed) }

// Variable gives a variable.
func (s *State) Variable(name string) (any, bool) { return s.vars.get(name) }

// variables are few: a list is faster than a map.
type variables struct {
	list  []variable
	space [4]variable // the first of them need no memory of their own
}

type variable struct {
	name  string
	value any
}

func (v *variables) get(name string) (any, bool) {
	for i := range v.list {
		if v.list[i].name == name {
			return v.list[i].value, true
		}
	}
	return nil, false
}

func (v *variables) set(name string, value any) {
	for i := range v.list {
		if v.list[i].name == name {
			v.list[i].value = value
			return
		}
	}
	if v.list == nil {
		v.list = v.space[:0]
	}
	v.list = append(v.list, variable{name, value})
}

// resetResponse begins a new answer in place of what there is.
func (s *State) resetResponse() {
	s.Response = exchange.Response{}
	s.consumed[1] = false
	s.noResponse = false
}

// later runs f when the request has its answer.
func (s *State) later(f func(*State)) { s.after = append(s.after, f) }

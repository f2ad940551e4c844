package policy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"time"

	"tandem"
	"tandem/internal/exchange"
)

// Host is what a gateway lends its policies. A nil part is absent: a policy that needs it is a problem when its document
// is compiled. Every part may be used by many requests at once.
type Host struct {
	Clock         tandem.Clock
	Client        Client    // send-request and the policies that call a service
	Forwarder     Forwarder // forward-request
	Backends      Backends  // named backends
	Cache         Cache     // the cache inside the gateway
	External      Cache     // the configured external cache
	Counters      Counters
	Gates         Gates
	Certificates  Certificates
	Tokens        TokenSource    // managed identities
	Authorization Authorizations // the credential manager
	Loggers       Loggers        // log-to-eventhub
	Metrics       Metrics
	Schemas       Schemas                     // schemas of the service and of an operation
	OpenID        *OpenID                     // OpenID configurations and keys
	Vectors       Vectors                     // the semantic cache of language models
	Bus           MessageBus                  // send-service-bus-message
	Subscribers   Subscribers                 // publish-event
	Go            func(func(context.Context)) // runs work that no request waits for; the gateway owns it. nil: at once
	Dapr          string                      // base URL of the Dapr sidecar, for example "http://localhost:3500"
	MaxBody       int64                       // how many bytes of a body a policy may read; 0: 16 MiB
	Regex         time.Duration               // a pattern's time limit; 0: one second
}

// Client sends requests of policies' own.
type Client interface {
	// Do sends r and returns when the head of the answer is here; the body may still stream. It follows no redirect. An
	// answer with any status is no error. Errors are ErrTimeout or ErrConnection, wrapped.
	Do(ctx context.Context, r *exchange.Request, o SendOptions) (*exchange.Response, error)
}

// SendOptions says how a request is sent.
type SendOptions struct {
	Timeout     time.Duration // until the head of the answer; 0: the gateway's default
	Certificate *tls.Certificate
	Proxy       *Proxy
}

// Proxy is an HTTP proxy to go through.
type Proxy struct{ URL, Username, Password string }

// Forwarder sends the current request to its backend.
type Forwarder interface {
	// Forward sends s.Request to s.Target and sets s.Response. It must be callable again (retry): a body that was held
	// is sent again. Errors are ErrTimeout, ErrConnection or ErrClientGone, wrapped.
	Forward(s *State, o ForwardOptions) error
}

// ForwardOptions are forward-request's.
type ForwardOptions struct {
	Timeout         time.Duration // until the head of the answer; 0: none beyond the gateway's
	ContinueTimeout time.Duration // for "100 Continue"; 0: do not wait for it
	FollowRedirects bool
	BufferRequest   bool // hold the body so that it can be sent again
	BufferResponse  bool // false: pass each piece on as it comes
	HTTPVersion     string
	Certificate     *tls.Certificate
	Proxy           *Proxy
}

// Backends knows the service's backends.
type Backends interface {
	Backend(id string) (BackendInfo, bool)
}

// BackendInfo is what policies see of a backend.
type BackendInfo struct {
	ID          string
	URL         string // empty for a pool, whose member the forwarder chooses
	Pool        bool
	AzureRegion string
}

// Cache keeps bytes under keys for some time. A key that is absent gives ok == false. Values are the caller's own copy.
type Cache interface {
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Delete(ctx context.Context, key string) error
}

// Counters count calls, bytes and tokens.
type Counters interface {
	// Take adds n to key's count in w if the sum stays within w.Limit; n == 0 asks whether one more would. Force adds in
	// any case.
	Take(key string, n int64, w Window, force bool) Count
}

// Window is a limit over a time.
type Window struct {
	Limit  int64
	Period time.Duration // 0: for ever
	Kind   WindowKind
	Start  time.Time // of the first period, for Fixed; zero: the first use
}

// WindowKind is how a window moves.
type WindowKind uint8

// The kinds of window.
const (
	Sliding  WindowKind = iota // the last Period, as rate limits have it
	Fixed                      // periods one after another, as quotas have it
	Calendar                   // periods of the calendar in UTC: hour, day, week from Sunday, month, year
)

// Count is a counter after Take.
type Count struct {
	Allowed   bool
	Used      int64
	Remaining int64
	After     time.Duration // until something of the limit is free again; rounded up by the caller
}

// Gates bound how many requests are in a place at once.
type Gates interface {
	// Enter asks for a place under key, of which there are limit. leave must be called once if ok.
	Enter(key string, limit int) (leave func(), ok bool)
}

// Certificates finds the service's certificates, with their keys.
type Certificates interface {
	ByID(id string) (*tls.Certificate, bool)
	ByThumbprint(hex string) (*tls.Certificate, bool)
	IDs() []string
	Roots() *x509.CertPool // trusted authorities for client certificates; nil: the system's
}

// TokenSource gives tokens of the service's managed identities, or of what stands for them outside Azure.
type TokenSource interface {
	// Token gives an access token for a resource. clientID names a user-assigned identity; empty: the service's own.
	Token(ctx context.Context, resource, clientID string) (string, error)
}

// Authorizations is the credential manager.
type Authorizations interface {
	Authorization(ctx context.Context, provider, id, identityType, identity string) (Authorization, error)
}

// Authorization is what get-authorization-context stores.
type Authorization struct {
	AccessToken string
	Claims      map[string]any
}

// Loggers takes events to named loggers (log-to-eventhub).
type Loggers interface {
	Has(logger string) bool
	Log(ctx context.Context, logger string, e LogEvent) error
}

// LogEvent is one event.
type LogEvent struct{ Data, PartitionKey, PartitionID string }

// Metrics takes custom metrics.
type Metrics interface {
	Emit(namespace, name string, value float64, dimensions []Dimension)
}

// Dimension is a metric's dimension.
type Dimension struct{ Name, Value string }

// MessageBus takes messages for Service Bus.
type MessageBus interface {
	SendMessage(ctx context.Context, namespace, queue, topic, clientID string, properties []Dimension, payload string) error
}

// Subscribers takes GraphQL events.
type Subscribers interface {
	Publish(ctx context.Context, subscription string, payload []byte) error
}

// Schemas gives the schemas that validation policies and mock-response use.
type Schemas interface {
	// Schema gives a schema of the service: its type ("json" or "xml") and its text.
	Schema(id string) (kind, text string, ok bool)
}

// Vectors finds texts by what they mean: the store of the semantic cache.
type Vectors interface {
	// Nearest gives the value stored under partition whose vector is nearest, if its distance (one minus the cosine) is
	// at most threshold.
	Nearest(ctx context.Context, partition string, vector []float32, threshold float64) (value []byte, ok bool, err error)
	Store(ctx context.Context, partition string, vector []float32, value []byte, ttl time.Duration) error
}

// NewHost makes a host with the parts that live in this process: a cache of 64 MiB, counters, gates and a vector store. The
// gateway adds its client, its forwarder and what the service has; OpenID follows from the client: NewOpenID.
func NewHost(clock tandem.Clock) *Host {
	counters := NewMemoryCounters(clock)
	return &Host{Clock: clock, Cache: NewMemoryCache(clock, 64<<20), Counters: counters, Gates: counters, Vectors: NewMemoryVectors(clock, 10_000)}
}

func (h *Host) maxBody() int64 {
	if h == nil || h.MaxBody == 0 {
		return 16 << 20
	}
	return h.MaxBody
}

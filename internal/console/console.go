package console

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"

	"filippo.io/age"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/gateway"
	"tandem/internal/traffic/nameserver"
	"tandem/internal/vault"
)

// Config is what a Console needs; all of it.
type Config struct {
	Clock tandem.Clock
	Log   *slog.Logger
	// TenantID and SubscriptionID are the deployment's.
	TenantID, SubscriptionID string
	// Authority is the token authority, in process.
	Authority http.Handler
	// ARM is the front door of the management plane, in process: it authenticates, authorises, and passes calls on to other
	// regions.
	ARM http.Handler
	// Authoriser decides over what has no ARM call: the state of gateways, blobs, the record of activity.
	Authoriser arm.Authoriser
	// Sealer seals session cookies.
	Sealer Sealer
	// Deployment tells what the ARM calls do not.
	Deployment Deployment
	// Identities open backups.
	Identities []age.Identity
}

// Sealer is what seals cookies: the deployment's master key.
type Sealer interface {
	Seal(plaintext, context []byte) (string, error)
	Open(sealed string, context []byte) ([]byte, error)
}

// Deployment tells what the nodes know of themselves. Its methods decide over no roles; the console asks before it calls.
type Deployment interface {
	// Regions are all regions with their gateways, the home first. A region that does not answer says so in Err.
	Regions(ctx context.Context) []Region
	// Answer is what DNS answers a client now for a profile's relative name; see traffic.Service.
	Answer(relativeName string, client netip.Addr) ([]nameserver.Record, uint32, bool)
	// PrincipalName is the display name of a service principal; empty where it is unknown.
	PrincipalName(objectID string) string
	// Container opens a container of a storage account of the deployment.
	Container(ctx context.Context, account, container string) (vault.Vault, error)
	// Activity are the newest management calls that could change something, newest first, of all regions that answer.
	Activity(ctx context.Context) []arm.AuditRecord
}

// Region is one region as it stands.
type Region struct {
	Name     tandem.Region `json:"name"`
	Home     bool          `json:"home"`
	Address  string        `json:"address"` // IP address
	Err      error         `json:"-"`       // it does not answer
	Gateways []Gateway     `json:"gateways"`
}

// Gateway is the gateway of one service.
type Gateway struct {
	Service string         `json:"service"` // resource id
	URL     string         `json:"url"`
	Status  gateway.Status `json:"status"`
}

// Console serves the pages. It is an http.Handler.
type Console struct {
	Config
	handler   http.Handler
	templates *template.Template
	assets    map[string]asset
	manifests *manifests
	attempts  *attempts
	signedOut *signedOut

	closing chan struct{} // ends the streams
	once    sync.Once
}

// New makes a console.
func New(c Config) (*Console, error) {
	if c.Clock == nil || c.Log == nil || c.Authority == nil || c.ARM == nil || c.Authoriser == nil || c.Sealer == nil || c.Deployment == nil {
		return nil, &tandem.Error{Op: "make console", Kind: tandem.Invalid, Err: errors.New("a part is missing"), Remedy: "set every field of its configuration"}
	}
	s := &Console{Config: c, manifests: newManifests(), attempts: &attempts{clock: c.Clock}, signedOut: &signedOut{clock: c.Clock}, closing: make(chan struct{})}
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.templates, err = s.parse(); err != nil {
		return nil, err
	}
	s.handler = s.guard(s.routes())
	return s, nil
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// Close ends all streams, so that a server that stops does not wait for them.
func (c *Console) Close() error {
	c.once.Do(func() { close(c.closing) })
	return nil
}

func (c *Console) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/{version}/{name}", c.serveAsset)
	mux.HandleFunc("GET /sign-in", c.showSignIn)
	mux.HandleFunc("POST /sign-in", c.signIn)
	mux.HandleFunc("POST /sign-out", c.signOut)
	show := func(pattern string, v view) { mux.HandleFunc("GET "+pattern, c.show(v)) }
	do := func(pattern string, act func(*visit) (string, error)) { mux.HandleFunc("POST "+pattern, c.act(act)) }

	show("/{$}", view{name: "overview", title: "Overview", nav: "overview", load: loadOverview})
	show("/traffic", view{name: "traffic", title: "Traffic", nav: "traffic", load: loadTraffic})
	show("/traffic/{group}/{profile}", view{name: "profile", title: "Traffic", nav: "traffic", load: loadProfile})
	show("/traffic/{group}/{profile}/ask", view{name: "ask", title: "Ask as a client", nav: "traffic", load: loadAsk})
	show("/traffic/{group}/{profile}/{kind}/{endpoint}/{action}", view{name: "endpoint-action", title: "Change an endpoint", nav: "traffic", load: loadEndpointAction})
	do("/traffic/{group}/{profile}/{kind}/{endpoint}/{action}", doEndpointAction)

	show("/backups", view{name: "backups", title: "Backups", nav: "backups", load: loadBackups})
	show("/backups/{account}/{container}/{blob...}", view{name: "backup", title: "Backup", nav: "backups", load: loadBackup})
	show("/services/{group}/{service}/backup", view{name: "back-up", title: "Back up", nav: "backups", load: loadBackUp})
	do("/services/{group}/{service}/backup", doBackUp)
	show("/services/{group}/{service}/restore", view{name: "restore", title: "Restore", nav: "backups", load: loadRestore})
	do("/services/{group}/{service}/restore", doRestore)
	show("/operation", view{name: "operation", title: "Operation", nav: "backups", load: loadOperation})

	show("/services", view{name: "services", title: "Services", nav: "services", load: loadServices})
	show("/services/{group}/{service}", view{name: "service", title: "Service", nav: "services", load: loadService})
	show("/services/{group}/{service}/apis/{api}", view{name: "api", title: "API", nav: "services", load: loadAPI})
	mux.HandleFunc("POST /services/{group}/{service}/subscriptions/{sid}/keys", c.revealKeys)

	show("/activity", view{name: "activity", title: "Activity", nav: "activity", load: loadActivity})
	mux.HandleFunc("/", c.notFound)
	return mux
}

// Package agent is a node's part in recovery groups: for each service of the node that is a member of a group it holds the
// lease, keeps writes out that have no right (law 4), feeds or follows the replication stream, and carries out the tasks
// that the group's controller gives it.
//
// # What is kept
//
// Below "recovery/" in the region's own store: the memberships, so that a holder that restarts without any control plane
// still knows that it needs a lease; the number of starts of the process, which tells readings of its clock apart; and the
// outcomes of tasks, so that a task that is given again is not carried out again.
//
// # Two agents
//
// The agents of a group's two members speak to each other over the nodes' mutual TLS: the standby follows the holder's
// stream, and a former primary reads the holder's documents and brings it what is merged. Package replica has the stream.
package agent

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/failover"
	"tandem/internal/gateway"
	"tandem/internal/recovery"
	"tandem/internal/replica"
	"tandem/internal/store"
	"tandem/internal/vault"
)

// Gateways are the gateways of the region's services.
type Gateways interface {
	replica.Gateways
	// Detail is what the service's gateway finds when it looks at itself, its backends included.
	Detail(ctx context.Context, service tandem.ResourceID) (gateway.Detail, error)
	// Address is where the gateway's listener accepts, "host:port".
	Address(service tandem.ResourceID) (string, error)
}

// Config is what an agent works with. Recipients, Identities, Counters and Roots may be missing.
type Config struct {
	Store  store.Store // the region's own
	APIM   *apim.Provider
	Sealer apim.Sealer
	Clock  tandem.Clock
	Log    *slog.Logger
	Region tandem.Region
	// Control is the leading controller, wherever it is.
	Control  recovery.Control
	Client   *http.Client // for other nodes: presents this node's certificate; it has no Timeout
	Gateways Gateways
	// Vault opens a blob container by its ARM id; it makes the container where that is missing.
	Vault func(ctx context.Context, container string) (vault.Vault, error)
	// Aside is where orphaned writes are kept for groups that have no vault.
	Aside      vault.Vault
	Recipients []age.Recipient
	Identities []age.Identity
	// Counters are those of a service's gateways. Nil: they do not replicate.
	Counters func(ctx context.Context, service string) (replica.Counters, error)
	// Roots are the authorities a gateway's certificate may come from, the deployment's own among them; nil: the system's.
	Roots *x509.CertPool
	// Heartbeat is how often a source proves that a follower has everything; zero: a fifth of a second.
	Heartbeat time.Duration
}

// Agent is one node's. It implements recovery.Site for the node's services.
type Agent struct {
	Config
	boot   uint64
	server *replica.Server
	life   context.Context
	end    context.CancelFunc

	joining sync.Mutex // held while a membership changes
	mu      sync.Mutex
	members map[string]*member // by lower-case service id
	tasks   map[string]*pending
	begun   bool // Run was called
}

var _ recovery.Site = (*Agent)(nil)

const defaultHeartbeat = 200 * time.Millisecond

// New loads what the node knew of its groups. From its return on, writes to members are refused until their lease is granted;
// nothing is asked for before Run.
func New(ctx context.Context, c Config) (*Agent, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Heartbeat <= 0 {
		c.Heartbeat = defaultHeartbeat
	}
	a := &Agent{Config: c, members: map[string]*member{}, tasks: map[string]*pending{}}
	a.life, a.end = context.WithCancel(context.Background())
	a.server = replica.NewServer(replica.ServerConfig{Source: a.source, Clock: c.Clock, Log: c.Log, Acknowledged: a.acknowledged})
	var err error
	if a.boot, err = raiseBoot(ctx, c.Store); err != nil {
		return nil, err
	}
	known, err := loadMemberships(ctx, c.Store)
	if err != nil {
		return nil, err
	}
	for _, m := range known {
		member, err := a.newMember(m)
		if err != nil {
			return nil, err
		}
		a.members[keyOf(m.Service)] = member
	}
	return a, nil
}

// Run asks for leases and replicates until ctx ends; all that it began has ended when it returns. It is called once.
func (a *Agent) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, a.end)
	defer stop()
	a.joining.Lock()
	a.mu.Lock()
	a.begun = true
	for _, m := range a.members {
		m.play(a.life)
	}
	a.mu.Unlock()
	a.joining.Unlock()
	<-ctx.Done()
	a.end()
	a.server.Close()
	a.joining.Lock() // a Join that runs now sees that life has ended
	defer a.joining.Unlock()
	for _, m := range a.all() {
		m.stop()
	}
	return context.Cause(ctx)
}

func keyOf(service string) string { return strings.ToLower(strings.TrimRight(service, "/")) }

// member finds the member of a service; nil where the service belongs to no group.
func (a *Agent) member(service string) *member {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.members[keyOf(service)]
}

func (a *Agent) all() []*member {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]*member, 0, len(a.members))
	for _, m := range a.members {
		out = append(out, m)
	}
	return out
}

// known is member, with an error where there is none.
func (a *Agent) known(service string) (*member, error) {
	if m := a.member(service); m != nil {
		return m, nil
	}
	return nil, &tandem.Error{Op: "find member of a recovery group", Subject: service, Kind: tandem.NotFound, Err: errors.New("this node knows of no group that it belongs to"),
		Remedy: "see that the service is of this region and that the group was created"}
}

// State implements recovery.Site.
func (a *Agent) State(ctx context.Context, service string) (recovery.SiteState, error) {
	m, err := a.known(service)
	if err != nil {
		return recovery.SiteState{}, err
	}
	return m.state(ctx)
}

// tick is the clock that leases are timed by.
func (a *Agent) tick() failover.Tick { return tickOf(tandem.Boottime(a.Clock)) }

func tickOf(d time.Duration) failover.Tick { return failover.Tick(d / time.Millisecond) }

func duration(t failover.Tick) time.Duration { return time.Duration(t) * time.Millisecond }

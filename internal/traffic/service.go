package traffic

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/traffic/geo"
	"tandem/internal/traffic/health"
	"tandem/internal/traffic/nameserver"
)

// Config is what a Service needs.
type Config struct {
	Store store.Store
	Clock tandem.Clock
	Log   *slog.Logger
	// Dir keeps the last state, from which a start goes on when the store is away (law 8). Empty: nothing is kept.
	Dir string
	// Zone is the suffix of profiles' names; empty: trafficmanager.net.
	Zone string
	// Listen is where DNS is answered, UDP and TCP: "192.0.2.1:53". Empty: this node probes and does not answer.
	Listen string
	// NameServers and Addresses are the zone's NS names and their glue; see nameserver.ZoneConfig.
	NameServers []string
	Addresses   []netip.Addr
	// Delegated gives whole names that were delegated to this server (NS records) a profile, by its relative name:
	// "api.contoso.com": "contoso-api". Endpoints by name are answered there by address. Resolve looks addresses up; nil: the
	// system's resolver.
	Delegated map[string]string
	Resolve   func(ctx context.Context, host string) ([]netip.Addr, error)
	// TLSListen and TLS open DNS over TLS beside Listen; empty: none.
	TLSListen string
	TLS       *tls.Config
	// OnQuery is told one in Sample questions; see nameserver.Config. nil with a Sample: they go to Log, a few each second.
	Sample  uint32
	OnQuery func(nameserver.Query)
	// Region is where this node is: clients of unknown place are taken to be near.
	Region string
	// GeoDatabase is the path of a MaxMind-format file; empty: clients' places are not known.
	GeoDatabase string
	// Key signs the zone (ECDSA P-256 or Ed25519); nil: it is not signed.
	Key crypto.Signer
	// Peers are the other vantage points (package vantage); nil: this node decides alone. Quorum says how votes are counted;
	// zero with Peers: a majority of all places, verdicts fresh for 2 s, alone after 10 s.
	Peers  health.Peers
	Quorum health.QuorumRule
	// RateLimit is of answers per second and client network; see nameserver.Config.
	RateLimit int
	// CookieSecret is shared by the servers of one zone; zero: made at start.
	CookieSecret [16]byte
	// NSID names this server to who asks.
	NSID string
}

// Service watches the store's profiles, probes their endpoints and answers DNS for them.
type Service struct {
	config         Config
	zone           *nameserver.Zone
	delegated      map[string]*nameserver.Zone
	targetsChanged chan struct{}
	server         *nameserver.Server
	monitor        *health.Monitor
	places         *geo.Table

	cancel context.CancelFunc
	work   sync.WaitGroup
	wake   chan struct{} // something changed: the state on disk is old

	mu       sync.Mutex
	profiles map[string]*Profile // by key
	revision tandem.Revision     // that profiles stand for
	compiled map[string]compiled // by profile key: what the zone holds
	good     map[string]map[string]bool
	drains   map[string]time.Time // since when endpoints drain, by id
	drained  map[string]bool
	steered  map[string]steered      // orders in force, by profile key
	expiry   time.Time               // when the next override ends; zero: none
	failback map[string]int64        // the failback count acted on, by endpoint id
	flat     map[string][]netip.Addr // addresses of endpoints by name, for delegated names
	problems map[string]error        // profiles that could not be compiled, by key
}

var _ Health = (*Service)(nil)

// New prepares a service; the database and the key are read here.
func New(c Config) (*Service, error) {
	if c.Store == nil || c.Clock == nil || c.Log == nil {
		return nil, &tandem.Error{Op: "make traffic service", Kind: tandem.Invalid, Err: errors.New("the store, the clock or the log is missing"), Remedy: "set Store, Clock and Log"}
	}
	if c.Zone == "" {
		c.Zone = defaultZone
	}
	if c.Peers != nil && c.Quorum == (health.QuorumRule{}) {
		c.Quorum = health.QuorumRule{Fresh: 2 * time.Second, Alone: 10 * time.Second}
	}
	s := &Service{config: c, places: geo.Unknown(), wake: make(chan struct{}, 1), profiles: map[string]*Profile{}, compiled: map[string]compiled{},
		good: map[string]map[string]bool{}, drains: map[string]time.Time{}, drained: map[string]bool{}, failback: map[string]int64{}, steered: map[string]steered{}, problems: map[string]error{},
		flat: map[string][]netip.Addr{}, targetsChanged: make(chan struct{}, 1)}
	var err error
	if c.GeoDatabase != "" {
		if s.places, err = geo.Load(c.GeoDatabase); err != nil {
			return nil, err
		}
	}
	zc := nameserver.ZoneConfig{Name: c.Zone, NameServers: c.NameServers, Addresses: c.Addresses, NegativeTTL: negativeTTL}
	if c.Key != nil {
		zc.Keys = &nameserver.Keys{Signer: c.Key, Clock: c.Clock}
	}
	if s.zone, err = nameserver.NewZone(zc); err != nil {
		return nil, err
	}
	if s.delegated, err = newDelegated(c, zc.Keys); err != nil {
		return nil, err
	}
	if c.Sample > 0 && c.OnQuery == nil {
		c.OnQuery = (&queryLog{clock: c.Clock, log: c.Log}).write
	}
	if c.Listen != "" {
		zones := []*nameserver.Zone{s.zone}
		for _, z := range s.delegated {
			zones = append(zones, z)
		}
		s.server, err = nameserver.New(nameserver.Config{Listen: c.Listen, Zones: zones, Clock: c.Clock, RateLimit: c.RateLimit, CookieSecret: c.CookieSecret, NSID: c.NSID,
			TLSListen: c.TLSListen, TLS: c.TLS, Sample: c.Sample, OnQuery: c.OnQuery, Area: s.area()})
		if err != nil {
			return nil, err
		}
	}
	s.monitor = health.New(health.Config{Clock: c.Clock, OnChange: s.changed, Peers: c.Peers, Quorum: c.Quorum})
	return s, nil
}

// negativeTTL is how long, in seconds, a "no" may be believed: a name or a type may come back with the next failover.
const negativeTTL = 1

// Start restores the last state, answers DNS from it at once, and follows the store from then on until Stop. It does not
// wait for the store.
func (s *Service) Start(ctx context.Context) error {
	saved, err := s.restore()
	if err != nil {
		return err
	}
	s.take(saved.Profiles, saved.Revision, saved.States)
	if s.server != nil {
		if err := s.server.Start(); err != nil {
			s.monitor.Stop()
			return err
		}
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.work.Go(func() { s.follow(run) })
	s.work.Go(func() { s.keep(run) })
	s.work.Go(func() { s.tick(run) })
	if len(s.delegated) > 0 {
		s.work.Go(func() { s.resolve(run) })
	}
	return nil
}

// Stop ends probing and answering, and saves the state.
func (s *Service) Stop() error {
	if s.cancel != nil {
		s.cancel()
	}
	s.monitor.Stop()
	if s.server != nil {
		s.server.Stop()
	}
	s.work.Wait()
	if s.cancel == nil { // never started: what is on disk is better than what is known
		return nil
	}
	return s.save()
}

// Addr is where DNS is answered, with the real port; only after Start, and only where Listen was set.
func (s *Service) Addr() netip.AddrPort { return s.server.Addr() }

// DoH serves DNS over HTTPS, to be mounted at /dns-query; nil where this node does not answer.
func (s *Service) DoH() http.Handler {
	if s.server == nil {
		return nil
	}
	return s.server
}

// DS is the record for the parent zone; empty where the zone is not signed.
func (s *Service) DS() string { return s.zone.DS() }

// Views implements Health.
func (s *Service) Views() map[string]health.View { return s.monitor.Views() }

// Results implements Health.
func (s *Service) Results(endpoint string) []health.Result { return s.monitor.Results(endpoint) }

// Events implements Health.
func (s *Service) Events() []health.Change { return s.monitor.Events() }

// Revision is the store's revision that DNS answers stand for.
func (s *Service) Revision() tandem.Revision {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revision
}

// Problems tells the profiles that cannot be answered and why, by their key in the store; empty is good.
func (s *Service) Problems() map[string]error {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]error, len(s.problems))
	for k, v := range s.problems {
		out[k] = v
	}
	return out
}

// Answer tells what a client at an address would be answered now for a profile's relative name; exists is false where the
// name does not exist.
func (s *Service) Answer(relativeName string, client netip.Addr) (records []nameserver.Record, ttl uint32, exists bool) {
	n := s.zone.Lookup(relativeName)
	if n == nil {
		return nil, 0, false
	}
	return n.Records(client)
}

// ServerStats gives the DNS server's counters; nil where this node does not answer.
func (s *Service) ServerStats() *nameserver.ServerStats {
	if s.server == nil {
		return nil
	}
	return s.server.Stats()
}

// changed is called by the monitor after an endpoint's status changed.
func (s *Service) changed(c health.Change) {
	level := slog.LevelInfo
	if c.To == health.Degraded {
		level = slog.LevelWarn
	}
	s.config.Log.Log(context.Background(), level, "endpoint status changed", "endpoint", c.Endpoint, "from", c.From, "to", c.To, "why", c.Why)
	s.mu.Lock()
	s.compile()
	s.mu.Unlock()
	s.dirty()
}

func (s *Service) dirty() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

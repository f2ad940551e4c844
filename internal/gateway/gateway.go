package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	oteltrace "go.opentelemetry.io/otel/trace"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/gateway/sink"
	"tandem/internal/policy"
	"tandem/internal/store"
)

// Config is what a gateway works with.
type Config struct {
	Service string // its name
	ID      string // its resource id
	Region  tandem.Region
	Space   *store.Space
	Sealer  apim.Sealer
	Clock   tandem.Clock
	Log     *slog.Logger
	// State is the file in which the gateway keeps the documents it serves, secrets sealed; empty: none.
	State string
	// Access says what is written of requests.
	Access AccessLog
	// ProbeToken opens the whole of the detailed status to who sends it; empty: nobody. ProbeCAs do for client certificates.
	ProbeToken string
	ProbeCAs   *x509.CertPool
	// Traces takes OpenTelemetry spans of requests and of calls to backends; nil: none are made.
	Traces oteltrace.TracerProvider
	// Host is what policies may use beside what the gateway gives them itself (forwarding, backends); its Clock is taken
	// from Config.
	Host policy.Host
}

// Gateway serves one service.
type Gateway struct {
	Config
	clock      tandem.Clock
	host       *policy.Host
	deployment *policy.DeploymentInfo
	compiler   *compiler
	upstreams  *upstreams
	roots      rootStore
	metrics    *metrics
	debugger   *debugger
	reach      reach
	runs       sync.Pool

	current  atomic.Pointer[generation]
	loaded   atomic.Pointer[time.Time]
	settings atomic.Pointer[Settings]
	own      atomic.Pointer[GetCertificate]
	front    atomic.Pointer[frontTLS]
	fromDisk atomic.Bool
	draining atomic.Bool
	inflight atomic.Int64

	requests, failures, failureSecond atomic.Int64 // of the access log's sampling

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at each swap
	told      map[Problem]bool
	listeners []string

	background background
	counters   counters
	sinks      *sink.Group
	tracer     oteltrace.Tracer // nil: no spans
	saved      tandem.Revision
}

// New makes a gateway. It serves what its state file holds at once, if there is one; Run keeps it up to date.
func New(c Config) *Gateway {
	g := &Gateway{Config: c, clock: c.Clock, changed: make(chan struct{}), metrics: newMetrics(), debugger: newDebugger(), reach: reach{clock: c.Clock}, told: map[Problem]bool{}}
	g.runs.New = func() any { return new(run) }
	host := c.Host
	host.Clock = c.Clock
	g.host = &host
	g.sinks = sink.NewGroup(c.Clock)
	if c.Traces != nil {
		g.tracer = c.Traces.Tracer("tandem/gateway")
	}
	g.counters.MemoryCounters = policy.NewMemoryCounters(c.Clock)
	if host.Counters == nil {
		host.Counters = &g.counters
		g.restoreQuotas()
	}
	if host.Metrics == nil {
		host.Metrics = &g.metrics.custom
	}
	if host.Gates == nil {
		host.Gates = g.counters.MemoryCounters
	}
	g.upstreams = newUpstreams(c.Clock, &g.roots)
	if host.Client == nil {
		host.Client = client{g.upstreams}
	}
	if host.OpenID == nil {
		host.OpenID = policy.NewOpenID(host.Client, c.Clock)
	}
	if host.Go == nil {
		g.background.start()
		host.Go = g.background.run
	}
	g.deployment = &policy.DeploymentInfo{GatewayID: "managed", InstanceID: c.Service, Managed: true, Region: string(c.Region), ServiceID: c.ID, ServiceName: c.Service}
	g.compiler = g.newCompiler(nil)
	g.compiler.stats, g.compiler.connect, g.compiler.sinks = g.metrics.of, g.connect, g.sink
	g.startFromDisk()
	return g
}

func (g *Gateway) newCompiler(docs map[string]*apim.Document) *compiler {
	c := newCompiler(g.Sealer, g.host, &g.roots, docs)
	c.region = string(g.Region)
	if g.host.Forwarder == nil {
		c.forward = func(gen *generation) policy.Forwarder { return forwarder{g, gen} }
	}
	return c
}

// Run follows the service's documents until ctx ends. It returns ctx's cause, or NotFound when the service was removed.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.save(true)
	var keeping sync.WaitGroup
	keeping.Go(func() { g.keepQuotas(ctx) })
	defer keeping.Wait()
	wait := 50 * time.Millisecond
	for {
		err := g.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case tandem.KindOf(err) == tandem.NotFound:
			return err
		case tandem.KindOf(err) == tandem.Compacted:
			wait = 50 * time.Millisecond
		default:
			g.Log.Warn("the gateway cannot follow its service's documents; it goes on with what it has", "service", g.Service, "error", err)
		}
		if err := g.clock.Sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// manyDocuments make a service large.
const manyDocuments = 5000

// letGo gives memory back after a whole service was read: that leaves more garbage than the service is large.
func (g *Gateway) letGo(documents int) {
	if documents > manyDocuments {
		debug.FreeOSMemory()
	}
}

var errReload = errors.New("another generation is active")

// follow loads all documents and applies changes until something ends it.
func (g *Gateway) follow(ctx context.Context) error {
	for {
		snap, err := g.Space.Snapshot(ctx)
		if err != nil {
			return err
		}
		docs, err := decode(snap.Documents(ctx))
		if err != nil {
			return err
		}
		g.compiler.reset(docs)
		g.swap(everything(), snap.Head.Active, snap.Revision)
		n := len(docs)
		docs = nil
		g.letGo(n)
		err = g.Space.Watch(ctx, snap.Revision, func(e store.SpaceEvent) error {
			if e.Swapped {
				return errReload
			}
			return g.apply(e)
		})
		if !errors.Is(err, errReload) {
			return err
		}
	}
}

func (g *Gateway) apply(e store.SpaceEvent) error {
	if len(e.Changes) == 0 {
		return nil
	}
	keys := make([]string, 0, len(e.Changes))
	for _, c := range e.Changes {
		keys = append(keys, c.Key)
		if c.Deleted {
			g.compiler.source.drop(c.Key)
			continue
		}
		d, err := apim.Decode(c.Key, c.Document)
		if err != nil {
			return err
		}
		g.compiler.source.put(d)
	}
	g.swap(g.compiler.source.touched(keys), e.Head.Active, e.Revision)
	return nil
}

// swap compiles the documents and serves the result from now on; requests under way end with what they began with (law 2).
func (g *Gateway) swap(d dirt, number tandem.Generation, revision tandem.Revision) {
	gen := g.compiler.compile(d, number, revision)
	now := g.clock.Now()
	g.loaded.Store(&now)
	g.fromDisk.Store(false)
	g.current.Store(gen)
	g.useServer(gen.shared.server)
	g.mu.Lock()
	close(g.changed)
	g.changed = make(chan struct{})
	g.mu.Unlock()
	g.tellProblems(gen.problems)
	g.save(false)
}

// tellProblems logs each problem once, when it appears.
func (g *Gateway) tellProblems(problems []Problem) {
	g.mu.Lock()
	var news []Problem
	for _, p := range problems {
		if !g.told[p] {
			g.told[p] = true
			news = append(news, p)
		}
	}
	if len(g.told) > 2*len(problems)+1000 { // what is long gone may be told again
		clear(g.told)
		for _, p := range problems {
			g.told[p] = true
		}
	}
	g.mu.Unlock()
	for _, p := range news {
		g.Log.Warn("a part of the configuration cannot be honoured", "service", g.Service, "document", p.Document, "line", p.Line, "problem", p.Message, "fatal", p.Fatal)
	}
}

// WaitFor returns when the gateway serves the generation, at the revision or a later one.
func (g *Gateway) WaitFor(ctx context.Context, number tandem.Generation, revision tandem.Revision) error {
	for {
		g.mu.Lock()
		changed := g.changed
		g.mu.Unlock()
		if gen := g.current.Load(); gen != nil && !g.fromDisk.Load() && gen.number == number && gen.revision >= revision {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &tandem.Error{Op: "wait for generation", Subject: fmt.Sprintf("%d of %s", number, g.Service), Kind: tandem.Unavailable, Err: context.Cause(ctx), Remedy: "look at the gateway's problems"}
		}
	}
}

// Prepare compiles documents dry, as a restore needs it before it swaps: what the gateway could not honour is returned, and
// nothing that it serves changes.
func (g *Gateway) Prepare(documents iter.Seq2[store.Document, error]) ([]Problem, error) {
	docs, err := decode(documents)
	if err != nil {
		return nil, err
	}
	return g.newCompiler(docs).compile(everything(), 0, 0).problems, nil
}

// sink gives the sink that the serving generation has for the same logger, or a new one.
func (g *Gateway) sink(made string, s sink.Sender, buffered bool) *sink.Sink {
	if gen := g.current.Load(); gen != nil && gen.shared.loggers.used[made] != nil {
		return gen.shared.loggers.used[made]
	}
	every := time.Second
	if !buffered {
		every = 20 * time.Millisecond
	}
	return g.sinks.New(s, every, func(err error) {
		g.Log.Warn("a logger did not take events; they are lost", "service", g.Service, "error", err)
	})
}

// Close lets go of the connections to backends, after Run has returned and the fronts have stopped.
func (g *Gateway) Close() {
	g.background.stop()
	g.sinks.Close()
	g.upstreams.close()
	g.useServer(nil)
}

// Drain makes the status page answer 503, so that traffic goes elsewhere before the gateway stops.
func (g *Gateway) Drain() { g.draining.Store(true) }

func decode(documents iter.Seq2[store.Document, error]) (map[string]*apim.Document, error) {
	docs := map[string]*apim.Document{}
	for d, err := range documents {
		if err != nil {
			return nil, err
		}
		doc, err := apim.Decode(d.Key, d)
		if err != nil {
			return nil, err
		}
		docs[d.Key] = doc
	}
	return docs, nil
}

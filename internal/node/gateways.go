package node

import (
	"context"
	"crypto/tls"
	"errors"
	"iter"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	oteltrace "go.opentelemetry.io/otel/trace"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/gateway"
	"tandem/internal/keys"
	"tandem/internal/policy"
	"tandem/internal/store"
)

// gateways runs one gateway, with a listener of its own, for each service of the region.
type gateways struct {
	n  *Node
	mu sync.Mutex
	by map[string]*running // by lower-case service id

	traces oteltrace.TracerProvider // of requests; nil: none are made
}

type running struct {
	gateway *gateway.Gateway
	url     string
	stop    func() error
}

// portKey keeps the port of a service's gateway over restarts.
func portKey(service string) string { return "gateway-ports/" + strings.ToLower(service) }

// sync starts and stops gateways so that every live service of the region has one.
func (s *gateways) sync(ctx context.Context) error {
	records, err := s.n.apim.Records(ctx)
	if err != nil {
		return err
	}
	live := map[string]bool{}
	var errs []error
	for _, rec := range records {
		if rec.Deleted != "" || rec.State == "Created" {
			continue
		}
		live[strings.ToLower(rec.ID)] = true
		if err := s.start(ctx, rec); err != nil {
			errs = append(errs, err)
		}
	}
	s.mu.Lock()
	var gone []*running
	for id, r := range s.by {
		if !live[id] {
			gone = append(gone, r)
			delete(s.by, id)
		}
	}
	s.mu.Unlock()
	for _, r := range gone {
		errs = append(errs, r.stop())
	}
	return errors.Join(errs...)
}

func (s *gateways) start(ctx context.Context, rec *apim.Record) error {
	id, err := tandem.ParseResourceID(rec.ID)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.by[strings.ToLower(rec.ID)]; r != nil {
		r.gateway.Apply(gateway.ReadSettings(rec.Properties))
		return nil
	}
	service, err := s.n.apim.Open(ctx, rec)
	if err != nil {
		return err
	}
	l, err := s.listen(ctx, id.Name())
	if err != nil {
		return err
	}
	token, err := s.n.probeToken()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	own, err := s.n.ca.Source(keys.Leaf{Name: id.Name() + " gateway", Hosts: append([]string{s.n.Address, "localhost", id.Name() + ".azure-api.net"}, s.n.Names...)})
	if err != nil {
		return errors.Join(err, l.Close())
	}
	g := gateway.New(gateway.Config{Traces: s.traces, ProbeToken: token, ProbeCAs: s.n.ca.Pool(), Access: gateway.AccessLog{Log: s.n.Log, Every: s.n.AccessLogEvery},
		Service: id.Name(), ID: rec.ID, Region: s.n.Region, Space: service.Space, Sealer: s.n.master, Clock: s.n.Clock, Log: s.n.Log,
		State: filepath.Join(s.n.path("gateways"), strings.ToLower(id.Name())+".json"), Host: s.n.policyHost()})
	g.Apply(gateway.ReadSettings(rec.Properties))
	config := g.TLSConfig(own.GetCertificate)
	front := gateway.NewFront(g, drainWithin)
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := g.Run(run); run.Err() == nil {
			s.n.Log.Error("a gateway follows its service no more", "service", id.Name(), "error", err)
		}
	})
	wait.Go(func() {
		if err := front.Serve(serving, tls.NewListener(l, config)); err != nil {
			s.n.Log.Error("a gateway's listener ended", "service", id.Name(), "error", err)
		}
	})
	s.by[strings.ToLower(rec.ID)] = &running{gateway: g, url: "https://" + l.Addr().String(), stop: func() error {
		g.Drain()
		stopServing()
		cancel()
		wait.Wait()
		g.Close()
		return nil
	}}
	return nil
}

// listen opens the port of a service's gateway: the configured one, else the one it had last time, else a free one.
func (s *gateways) listen(ctx context.Context, service string) (net.Listener, error) {
	if port := s.n.Gateways[service]; port != 0 {
		return s.n.listen(port)
	}
	d, err := s.n.store.Get(ctx, portKey(service), 0)
	if err == nil {
		if port, err := strconv.Atoi(string(d.Value)); err == nil {
			if l, err := s.n.listen(port); err == nil {
				return l, nil
			}
		}
	}
	l, err := s.n.listen(0)
	if err != nil {
		return nil, err
	}
	_, err = s.n.store.Commit(ctx, store.Batch{Put: []store.Write{{Key: portKey(service), Value: []byte(strconv.Itoa(portOf(l)))}}})
	return l, err
}

func (s *gateways) find(service tandem.ResourceID) (*running, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.by[service.Key()]; r != nil {
		return r, nil
	}
	return nil, &tandem.Error{Op: "find gateway", Subject: service.String(), Kind: tandem.Unavailable, Remedy: "wait until the service's gateway has started"}
}

// all lists the running gateways.
func (s *gateways) all() []*gateway.Gateway {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*gateway.Gateway, 0, len(s.by))
	for _, r := range s.by {
		out = append(out, r.gateway)
	}
	return out
}

// URL is where a service's gateway answers; empty before it runs.
func (s *gateways) URL(service string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.by {
		if strings.EqualFold(r.gateway.Service, service) {
			return r.url
		}
	}
	return ""
}

// Prepare implements replica.Gateways.
func (s *gateways) Prepare(_ context.Context, service tandem.ResourceID, documents iter.Seq2[store.Document, error]) ([]gateway.Problem, error) {
	r, err := s.find(service)
	if err != nil {
		return nil, err
	}
	return r.gateway.Prepare(documents)
}

// WaitFor implements replica.Gateways.
func (s *gateways) WaitFor(ctx context.Context, service tandem.ResourceID, g tandem.Generation, rev tandem.Revision) error {
	r, err := s.find(service)
	if err != nil {
		return err
	}
	return r.gateway.WaitFor(ctx, g, rev)
}

// run keeps the gateways in step with the services until ctx ends, then stops them.
func (s *gateways) run(ctx context.Context) {
	defer s.openTraces(ctx)()
	wait := 100 * time.Millisecond
	for ctx.Err() == nil {
		at, err := s.n.store.Revision(ctx)
		if err == nil {
			err = s.sync(ctx)
		}
		if err == nil {
			err = s.n.store.Watch(ctx, "services/", at, func(store.Event) error { return s.sync(ctx) })
		}
		if ctx.Err() != nil {
			break
		}
		s.n.Log.Warn("gateways cannot be brought in step with the services; trying again", "error", err)
		_ = s.n.Clock.Sleep(ctx, wait) // ended by ctx, which the loop looks at
	}
	s.mu.Lock()
	all := s.by
	s.by = map[string]*running{}
	s.mu.Unlock()
	var wg sync.WaitGroup
	for _, r := range all {
		wg.Go(func() {
			if err := r.stop(); err != nil {
				s.n.Log.Warn("a gateway did not stop cleanly", "error", err)
			}
		})
	}
	wg.Wait()
}

// openTraces has gateways export spans where OpenTelemetry's own variables say where to. The result ends that.
func (s *gateways) openTraces(ctx context.Context) func() {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return func() {}
	}
	provider, err := gateway.OpenTraces(ctx, gateway.TracesConfig{}, s.n.Address, s.n.Region)
	if err != nil {
		s.n.Log.Warn("no traces are exported", "error", err)
		return func() {}
	}
	s.traces = provider
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			s.n.Log.Warn("the last traces were not exported", "error", err)
		}
	}
}

// policyHost is what the policies of this node's gateways may use.
func (n *Node) policyHost() policy.Host {
	return policy.Host{Clock: n.Clock, Cache: n.cache}
}

package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/gateway"
	"tandem/internal/keys"
	"tandem/internal/policy"
	"tandem/internal/snapshot"
	"tandem/internal/store"
	"tandem/internal/store/etcd"
)

// Scratch is a service inside the process, with a store of its own in a temporary folder and a gateway: where a backup is
// restored to prove that it can be. It is like a real one in everything but its address.
type Scratch struct {
	Service *apim.Service
	Record  *apim.Record
	clock   tandem.Clock
	gateway *gateway.Gateway
	dir     string
	store   store.Store
	stop    context.CancelFunc
	wait    sync.WaitGroup
}

// cacheOfScratch is the memory of its cache, in bytes.
const cacheOfScratch = 8 << 20

// NewScratch makes an empty scratch service that is called like the snapshot's source. The caller closes it.
func NewScratch(ctx context.Context, clock tandem.Clock, m snapshot.Manifest) (s *Scratch, err error) {
	s = &Scratch{clock: clock}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "tandem-scratch-"); err != nil {
		return s, err
	}
	name := m.Source.Name
	if name == "" {
		name = "scratch"
	}
	id, err := tandem.ParseResourceID(m.Source.ID)
	if err != nil {
		id = tandem.ResourceID{Subscription: "scratch", ResourceGroup: "scratch", Provider: apim.Namespace, Types: []string{"service"}, Names: []string{name}}
	}
	log := slog.New(slog.DiscardHandler)
	master, err := keys.OpenMaster(filepath.Join(s.dir, "master.key"), keys.MasterOptions{Create: true, Clock: clock})
	if err != nil {
		return s, err
	}
	st, err := etcd.Open(ctx, etcd.Config{Dir: filepath.Join(s.dir, "etcd"), Name: "scratch", Log: log, Clock: clock})
	if err != nil {
		return s, err
	}
	s.store = st
	space, err := store.OpenSpace(ctx, s.store, "scratch")
	if err != nil {
		return s, err
	}
	s.Service = &apim.Service{ID: id, Space: space, Table: apim.NewTable(), Sealer: master, Clock: clock}
	s.Record = &apim.Record{ID: id.String(), Location: m.Source.Location, Sku: apim.Sku{Name: m.Source.SKU, Capacity: 1}, Properties: map[string]any{}}
	counters := policy.NewMemoryCounters(clock)
	s.gateway = gateway.New(gateway.Config{Service: name, ID: id.String(), Region: m.Region, Space: space, Sealer: master, Clock: clock, Log: log,
		Host: policy.Host{Clock: clock, Cache: policy.NewMemoryCache(clock, cacheOfScratch), Counters: counters, Gates: counters}})
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.wait.Go(func() { _ = s.gateway.Run(run) }) // it ends with run, and what it serves is asked for by WaitFor
	return s, nil
}

// Prepare implements Gateways.
func (s *Scratch) Prepare(_ context.Context, _ tandem.ResourceID, documents iter.Seq2[store.Document, error]) ([]gateway.Problem, error) {
	return s.gateway.Prepare(documents)
}

// WaitFor implements Gateways.
func (s *Scratch) WaitFor(ctx context.Context, _ tandem.ResourceID, g tandem.Generation, r tandem.Revision) error {
	return s.gateway.WaitFor(ctx, g, r)
}

// Restore puts resources into the scratch service the way a real restore does, and reads them back.
func (s *Scratch) Restore(ctx context.Context, all []snapshot.Resource) (back []snapshot.Resource, warnings []gateway.Problem, err error) {
	for _, r := range all {
		if r.Path == "" && len(r.Properties) > 0 {
			if err := json.Unmarshal(r.Properties, &s.Record.Properties); err != nil {
				return nil, nil, notAResource("service", err)
			}
		}
	}
	if warnings, err = Apply(ctx, s.Service, "verify", "restore into a scratch service", all, s); err != nil {
		return nil, warnings, err
	}
	back, err = readAll(ctx, s.Service, s.Record)
	return back, warnings, err
}

// Serve makes the scratch service's gateway answer on a loopback address until it is closed.
func (s *Scratch) Serve(ctx context.Context) (url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	before := s.stop
	s.stop = func() { stop(); before() }
	s.wait.Go(func() { _ = gateway.NewFront(s.gateway, time.Second).Serve(run, l) }) // it ends with run
	return "http://" + l.Addr().String(), nil
}

// Close ends the scratch service and removes its folder.
func (s *Scratch) Close() error {
	if s.stop != nil {
		s.stop()
		s.wait.Wait()
		s.gateway.Close()
	}
	var errs []error
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// Rehearse restores the snapshot that was proven into a scratch service, compares what is there with what was in the file,
// and replays requests with the client against it and, where its address is given, against the original.
func (p *Proof) Rehearse(ctx context.Context, clock tandem.Clock, requests []ReplayRequest, original string, client *http.Client) (err error) {
	if p.Outcome == Failed {
		return nil
	}
	s, err := NewScratch(ctx, clock, p.Manifest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	back, problems, err := s.Restore(ctx, p.all)
	if err != nil {
		p.Failures = append(p.Failures, Reason{Message: "the restore into a scratch service failed: " + err.Error()})
		p.settle()
		return nil
	}
	for _, pr := range problems {
		p.Warnings = append(p.Warnings, Reason{pr.Document, pr.Line, pr.Message})
	}
	d, err := Diff(p.all, back)
	if err != nil {
		return err
	}
	p.Restored = true
	for what, changes := range map[string][]Change{"was not in the snapshot": d.Added, "came back changed": d.Changed, "did not come back": d.Deleted} {
		for _, c := range changes {
			p.Failures = append(p.Failures, Reason{Path: c.Path, Message: "restored into a scratch service, it " + what})
		}
	}
	if len(requests) > 0 {
		url, err := s.Serve(ctx)
		if err != nil {
			return err
		}
		p.replay(ctx, client, requests, url, original)
	}
	p.settle()
	return nil
}

func (r Reason) String() string {
	out := r.Message
	if r.Line > 0 {
		out = fmt.Sprintf("line %d: %s", r.Line, out)
	}
	if r.Path != "" {
		out = r.Path + ": " + out
	}
	return out
}

package recovery

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	groupID  = "/subscriptions/s/resourceGroups/rg/providers/Tandem.Recovery/recoveryGroups/prod"
	eastID   = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ApiManagement/service/east"
	westID   = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ApiManagement/service/west"
	profile  = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/trafficManagerProfiles/tm"
	vaultID  = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/a/blobServices/default/containers/c"
	testRPO  = Duration(10 * time.Second)
	minute   = time.Minute
	testNote = "ann"
)

// site is a member in this process: it does its tasks as a node does, each id once.
type site struct {
	id    string
	clock tandem.Clock

	mu      sync.Mutex
	dead    bool
	gates   failover.Results
	did     map[failover.ActionID]int
	order   []string
	member  Membership
	epoch   tandem.Epoch
	lease   failover.Lease
	outcome func(t Task) (Outcome, error) // nil: the ordinary one
	promote []tandem.Epoch
}

func newSite(id string, c tandem.Clock) *site {
	s := &site{id: id, clock: c, did: map[failover.ActionID]int{}, lease: failover.NewLease(1)}
	for g := range s.gates {
		s.gates[g] = failover.Pass
	}
	return s
}

func down(id string) error {
	return &tandem.Error{Op: "call", Subject: id, Kind: tandem.Unavailable}
}

func (s *site) tick() failover.Tick { return failover.Tick(tandem.Boottime(s.clock).Milliseconds()) }

func (s *site) Join(_ context.Context, m Membership) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return down(s.id)
	}
	if m.Version >= s.member.Version {
		s.member, s.epoch = m, max(s.epoch, m.Epoch)
		if m.Holder != m.Index {
			s.lease = s.lease.Drop()
		}
	}
	return nil
}

func (s *site) State(context.Context, string) (SiteState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return SiteState{}, down(s.id)
	}
	return SiteState{Service: s.id, Epoch: s.epoch, Revision: 7, Stamp: failover.Stamp{Boot: 1, At: s.tick()}, Writes: s.lease.MayAcknowledge(s.tick())}, nil
}

func (s *site) Do(_ context.Context, t Task) (Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return Outcome{}, down(s.id)
	}
	if t.Epoch < s.epoch {
		return Outcome{}, &tandem.Error{Op: t.ID.Step.String(), Subject: s.id, Kind: tandem.Precondition, Err: fmt.Errorf("epoch %d is over", t.Epoch)}
	}
	s.did[t.ID]++
	s.order = append(s.order, t.ID.Step.String())
	if s.outcome != nil {
		if out, err := s.outcome(t); err != nil || out.Findings != nil || out.Outcome != (failover.Outcome{}) {
			return out, err
		}
	}
	switch t.ID.Step {
	case failover.Prove, failover.Rehearse:
		return Outcome{Outcome: failover.Outcome{Gates: s.gates}, Findings: []Finding{{failover.KeysGate, s.gates[failover.KeysGate], "12 keys of 12 open"}}}, nil
	case failover.Fence, failover.Drain:
		s.lease = s.lease.Drop()
		return Outcome{Outcome: failover.Outcome{Revision: 7}}, nil
	case failover.Sync:
		return Outcome{Outcome: failover.Outcome{Revision: t.Upto}}, nil
	case failover.Promote:
		s.epoch = t.Epoch
		s.promote = append(s.promote, t.Epoch)
	}
	return Outcome{}, nil
}

// points notes where traffic was pointed.
type points struct {
	mu sync.Mutex
	to []string
}

func (p *points) Direct(_ context.Context, _, member string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = append(p.to, member)
	return nil
}

func (p *points) Auto(context.Context, string) error {
	return p.Direct(context.Background(), "", "auto")
}

func (p *points) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.to) == 0 {
		return ""
	}
	return p.to[len(p.to)-1]
}

// world is a group with its two sites, three witnesses, and controllers, on a bubble's clock.
type world struct {
	t       *testing.T
	ctx     context.Context
	store   store.Store
	clock   tandem.Clock
	east    *site
	west    *site
	traffic *points
	config  func(*ControllerConfig)

	mu      sync.Mutex
	leader  *Controller
	stop    context.CancelFunc
	all     sync.WaitGroup
	writers string // both held the right at one moment
}

func testGroup() Group {
	return Group{ID: groupID, Name: "prod", Type: Namespace + "/" + TypeName, Properties: Properties{Primary: Member{ResourceID: eastID}, Standby: Member{ResourceID: westID},
		TrafficProfile: profile, Mode: Continuous, Objectives: Objectives{RPO: testRPO}}}
}

func newWorld(t *testing.T, g Group, config func(*ControllerConfig)) *world {
	t.Helper()
	if problems := g.Check(); len(problems) > 0 {
		t.Fatal(problems)
	}
	ctx, end := context.WithCancel(t.Context())
	w := &world{t: t, ctx: ctx, store: storetest.Memory(), clock: bubbleClock{tandem.SystemClock{}}, traffic: &points{}, config: config}
	w.east, w.west = newSite(eastID, w.clock), newSite(westID, w.clock)
	p, err := place(g.ID)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := write(groupPrefix+p, groupDoc{Group: g})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Commit(ctx, store.Batch{Put: []store.Write{doc}}); err != nil {
		t.Fatal(err)
	}
	w.lead()
	for i := range 3 {
		w.all.Go(func() { w.witness(i) })
	}
	w.all.Go(func() { w.renew(failover.First, w.east) })
	w.all.Go(func() { w.renew(failover.Second, w.west) })
	w.all.Go(w.judge)
	t.Cleanup(func() {
		end()
		w.all.Wait()
		_ = w.store.Close()
		if w.writers != "" {
			t.Error(w.writers)
		}
	})
	return w
}

func (w *world) controller() *Controller {
	c := ControllerConfig{Store: w.store, Clock: w.clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Traffic: w.traffic, Sites: func(service string) (Site, error) {
		if sameID(service, eastID) {
			return w.east, nil
		}
		return w.west, nil
	}}
	if w.config != nil {
		w.config(&c)
	}
	return NewController(c)
}

// lead starts a leader; the one before stops, as if it had crashed: what it had in memory is lost.
func (w *world) lead() *Controller {
	c := w.controller()
	ctx, stop := context.WithCancel(w.ctx)
	w.mu.Lock()
	if w.stop != nil {
		w.stop()
	}
	w.leader, w.stop = c, stop
	w.mu.Unlock()
	w.all.Go(func() { _ = c.Run(ctx) })
	return c
}

func (w *world) current() *Controller {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.leader
}

// witness reports what it sees of the sites every 200 ms.
func (w *world) witness(i int) {
	for w.clock.Sleep(w.ctx, 200*time.Millisecond) == nil {
		e := failover.Observed{Witness: i}
		for s, x := range []*site{w.east, w.west} {
			x.mu.Lock()
			e.Seen[s] = failover.Up
			if x.dead {
				e.Seen[s] = failover.Down
			}
			x.mu.Unlock()
		}
		_ = w.current().Observed(w.ctx, groupID, e) // nobody may lead
	}
}

// renew asks for the right as an agent does, and as the standby reports the position.
func (w *world) renew(index failover.Service, x *site) {
	for w.clock.Sleep(w.ctx, 500*time.Millisecond) == nil {
		x.mu.Lock()
		m, epoch, dead := x.member, x.epoch, x.dead
		now := x.tick()
		var q failover.Renewal
		if !dead && m.Group != "" && m.Holder == index {
			x.lease, q = x.lease.Ask(epoch, now)
		}
		x.mu.Unlock()
		if q.Seq == 0 {
			continue
		}
		_ = w.current().Replicated(w.ctx, groupID, failover.Replicated{Epoch: epoch, Source: failover.Stamp{Boot: 1, At: now}, Revision: 7}) // as above
		if g, err := w.current().Renew(w.ctx, groupID, index, q); err == nil {
			x.mu.Lock()
			if !x.dead {
				x.lease = x.lease.Granted(g, x.tick())
			}
			x.mu.Unlock()
		}
	}
}

// judge looks for law 4: never two that may write.
func (w *world) judge() {
	for w.clock.Sleep(w.ctx, 20*time.Millisecond) == nil {
		w.east.mu.Lock()
		w.west.mu.Lock()
		// A dead site's process may only be cut off: its right counts until its own clock ends it.
		if w.east.lease.MayAcknowledge(w.east.tick()) && w.west.lease.MayAcknowledge(w.west.tick()) {
			w.writers = "two services held the right to write at " + w.clock.Now().String()
		}
		w.west.mu.Unlock()
		w.east.mu.Unlock()
	}
}

func (w *world) kill(s *site)   { s.mu.Lock(); s.dead = true; s.mu.Unlock() }
func (w *world) revive(s *site) { s.mu.Lock(); s.dead = false; s.mu.Unlock() }

func (w *world) state() failover.State {
	w.t.Helper()
	doc, _, err := read[stateDoc](w.ctx, w.store, statePrefix+"s/rg/prod")
	if err != nil {
		w.t.Fatal(err)
	}
	return doc.State
}

// until waits on the bubble's clock for a condition.
func (w *world) until(what string, ok func(failover.State) bool) failover.State {
	w.t.Helper()
	for range 20 * 60 * 10 {
		if s := w.state(); ok(s) {
			return s
		}
		if w.clock.Sleep(w.ctx, 50*time.Millisecond) != nil {
			break
		}
	}
	w.t.Fatalf("%s did not happen: %s\n%s", what, w.state(), w.facts())
	return failover.State{}
}

func (w *world) facts() string {
	all, err := readAll[Entry](w.ctx, w.store, factPrefix+"s/rg/prod/", store.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range all {
		b.WriteString(e.Text + "\n")
	}
	return b.String()
}

func (w *world) runRecord(id string) Record {
	w.t.Helper()
	rec, revision, err := read[Record](w.ctx, w.store, runPrefix+"s/rg/prod/"+id)
	if err != nil || revision == 0 {
		w.t.Fatalf("run %s: %v", id, err)
	}
	return rec
}

func steady(s failover.State) bool {
	return s.Tenure.Given && s.Standby.Known && s.Health[0].Verdict == failover.Up
}

// bubbleClock is the bubble's clock in all it tells: the machine's Boottime does not go by it.
type bubbleClock struct{ tandem.Clock }

package agent

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/gateway"
	"tandem/internal/recovery"
	"tandem/internal/store"
)

func wantKind(t *testing.T, what string, err error, k tandem.Kind) {
	t.Helper()
	if tandem.KindOf(err) != k {
		t.Errorf("%s: got %v, want kind %q", what, err, k)
	}
}

// TestTasks: what a site refuses, with the same kinds of error over the wire, and that a task is carried out once.
func TestTasks(t *testing.T) {
	w := newWorld(t)
	west, _ := begin(t, w)
	good := recovery.Task{Group: groupID, Service: serviceID(0), Epoch: 1, ID: failover.ActionID{Run: 9, Step: failover.Drain}}
	for _, c := range []struct {
		name   string
		change func(*recovery.Task)
		kind   tandem.Kind
	}{
		{"another service", func(t *recovery.Task) { t.Service += "x" }, tandem.NotFound},
		{"an old epoch", func(t *recovery.Task) { t.Epoch = 0 }, tandem.Precondition},
		{"another group", func(t *recovery.Task) { t.Group += "x" }, tandem.Precondition},
		{"no task of a site", func(t *recovery.Task) { t.ID.Step = failover.Redirect }, tandem.Unsupported},
	} {
		task := good
		c.change(&task)
		for name, site := range map[string]recovery.Site{"directly": west.agent, "over the wire": west.site()} {
			_, err := site.Do(t.Context(), task)
			wantKind(t, c.name+" "+name, err, c.kind)
		}
	}
	_, err := west.site().State(t.Context(), serviceID(0)+"x")
	wantKind(t, "the state of another service", err, tandem.NotFound)
	wantKind(t, "an empty membership", west.site().Join(t.Context(), recovery.Membership{}), tandem.Invalid)
	stale := w.membership(0)
	stale.Version, stale.Holder = 0, failover.Second
	must(t, west.site().Join(t.Context(), stale))
	if s, err := west.site().State(t.Context(), serviceID(0)); err != nil || !s.Writes || s.Epoch != 1 {
		t.Errorf("after an old message: %+v, %v", s, err)
	}
	other := w.membership(0)
	other.Group += "-other"
	wantKind(t, "a second group", west.site().Join(t.Context(), other), tandem.Exists)

	first, err := west.site().Do(t.Context(), good)
	must(t, err)
	west.mustPut("more", "1")
	west.restart()
	var again recovery.Outcome
	insist(t, func() (err error) { again, err = west.site().Do(t.Context(), good); return err })
	if again.Outcome != first.Outcome || first.Revision == 0 {
		t.Errorf("the same drain gives %+v and then %+v", first.Outcome, again.Outcome)
	}
	// A service that leaves is written as any other.
	left := w.membership(0)
	left.Left = true
	must(t, west.site().Join(t.Context(), left))
	w.mu.Lock()
	w.dead = true
	w.mu.Unlock()
	if !west.put("free", "1") {
		t.Error("a service that left its group takes no writes")
	}
}

// TestDrain: writes under way are finished and acknowledged, new ones refused; a drain that is given up lets them go on.
func TestDrain(t *testing.T) {
	w := newWorld(t)
	west, _ := begin(t, w)
	end, err := west.agent.Begin(serviceID(0))
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	drain := func(ctx context.Context, run uint32) chan error {
		done := make(chan error, 1)
		go func() {
			_, err := west.agent.Do(ctx, recovery.Task{Group: groupID, Service: serviceID(0), Epoch: 1, ID: failover.ActionID{Run: run, Step: failover.Drain}})
			done <- err
		}()
		await(t, "new writes are refused", func() bool {
			code, body := west.call("PUT", "namedValues/x", `{"properties":{"displayName":"x","value":"1"}}`)
			return code == http.StatusServiceUnavailable && strings.Contains(body, "SwitchoverInProgress")
		})
		return done
	}
	done := drain(ctx, 1)
	cancel()
	wantKind(t, "a drain that is given up", <-done, tandem.Unavailable)
	west.mustPut("goes-on", "1")
	done = drain(t.Context(), 2)
	if err := end(); err != nil {
		t.Errorf("the write under way is not acknowledged: %v", err)
	}
	must(t, <-done)
}

// TestRefuseBeyondObjective: with onLag refuse the primary stops acknowledging when the standby is too far behind.
func TestRefuseBeyondObjective(t *testing.T) {
	w := newWorld(t, func(c *failover.Config) { c.Refuse, c.Lease, c.Margin, c.Objective = true, 3_600_000, 10_000, 300_000 })
	west, east := begin(t, w)
	west.clock.ahead.Add(int64(400 * time.Second))
	west.mustPut("caught-up", "1") // the standby follows, and says so by the new reading
	await(t, "the standby has it", func() bool { return east.values()["caught-up"] == "1" })
	east.handler.Store(nil)
	east.server.CloseClientConnections()
	east.stop()
	east.stop = func() {}
	west.clock.ahead.Add(int64(400 * time.Second))
	if code, body := west.call("PUT", "namedValues/x", `{"properties":{"displayName":"x","value":"1"}}`); code != http.StatusServiceUnavailable || !strings.Contains(body, "PrimaryNotConfirmed") {
		t.Errorf("beyond the objective: %d %s", code, body)
	}
	east.start()
	west.mustPut("again", "1")
}

// apart cuts the members and lets each go its own way, then makes the former primary reachable again.
func apart(t *testing.T, w *world, west, east *place) {
	t.Helper()
	w.run(failover.Failover)
	west.handler.Store(nil)
	west.server.CloseClientConnections()
	w.sees(failover.Down, failover.Up)
	w.drive(nil, nil)
	if s := w.snapshot(); s.Holder != failover.Second || !s.Apart {
		t.Fatalf("after the failover: %v", w.facts)
	}
	h := west.agent.Handler()
	west.handler.Store(&h)
	w.tell()
	w.sees(failover.Up, failover.Up)
}

func secret(t *testing.T, p *place, name, value string) {
	t.Helper()
	await(t, "the secret is written", func() bool {
		code, _ := p.call(http.MethodPut, "namedValues/"+name, fmt.Sprintf(`{"properties":{"displayName":%q,"value":%q,"secret":true}}`, name, value))
		return code/100 == 2
	})
}

// TestConflicts: what both changed waits for a person, with both sides shown and no secret told; a decision settles it.
func TestConflicts(t *testing.T) {
	w := newWorld(t, func(c *failover.Config) { c.Lease, c.Margin = 500, 10 })
	west, east := begin(t, w)
	secret(t, west, "password", "open sesame")
	west.mustPut("both", "0")
	west.mustPut("gone", "0")
	await(t, "the standby has it", func() bool { return east.text() == west.text() })
	apart(t, w, west, east)
	orphan(t, west, "both", "west")
	orphan(t, west, "mine", "west")
	orphan(t, west, "gone", "changed in the west")
	east.mustPut("both", "east")
	secret(t, east, "password", "mellon")
	orphanSecret(t, west, "password", "abracadabra")
	await(t, "it is deleted", func() bool { code, _ := east.call("DELETE", "namedValues/gone", ""); return code/100 == 2 })
	w.run(failover.Rejoin)
	w.drive(nil, nil)
	s := w.snapshot()
	if s.Run.Step != failover.Resolve {
		t.Fatalf("the run is in %s: %v", s.Run.Step, w.facts)
	}
	ask := recovery.Task{Group: groupID, Service: serviceID(0), Epoch: s.Epoch, ID: failover.ActionID{Run: s.Run.Number, Round: 7, Step: failover.Reconcile}}
	out, err := west.site().Do(t.Context(), ask)
	must(t, err)
	var keys []string
	for _, c := range out.Conflicts {
		keys = append(keys, c.Key)
	}
	if got := strings.Join(keys, " "); got != "namedvalues/both namedvalues/gone namedvalues/password" || out.Outcome.Conflicts != 3 {
		t.Errorf("conflicts: %s (%d)", got, out.Outcome.Conflicts)
	}
	shown := fmt.Sprintf("%+v", out.Conflicts)
	for _, secret := range []string{"sesame", "mellon", "abracadabra"} {
		if strings.Contains(shown, secret) {
			t.Errorf("the conflicts tell %q", secret)
		}
	}
	if !strings.Contains(shown, "(secret 1)") || !strings.Contains(shown, "(secret 2)") || !strings.Contains(shown, "(secret 3)") {
		t.Errorf("the conflicts do not tell that the secrets differ: %s", shown)
	}
	if east.values()["mine"] != "" {
		t.Error("a merge with open conflicts has written something")
	}
	decisions := map[string]failover.Side{"namedvalues/both": failover.Theirs, "namedvalues/gone": failover.Ours, "namedvalues/password": failover.Ours}
	w.mu.Lock()
	w.step(failover.Resolved{Run: s.Run.Number, By: "ann"})
	w.mu.Unlock()
	w.drive(func(t *recovery.Task) { t.Decisions = decisions }, nil)
	if s := w.snapshot(); s.Apart {
		t.Fatalf("after the decision: %v", w.facts)
	}
	await(t, "both are one", func() bool { return west.text() == east.text() })
	got := east.values()
	if got["both"] != "west" || got["mine"] != "west" || got["gone"] != "" {
		t.Errorf("after the merge: %v", got)
	}
	for _, p := range []*place{west, east} {
		if _, body := p.call("POST", "namedValues/password/listValue", ""); !strings.Contains(body, "mellon") {
			t.Errorf("the password at %s: %s", serviceID(p.index), body)
		}
	}
}

// TestForgottenBase: the store has forgotten the common revision. The vault's journal knows it; where there is none, all
// that differs is a conflict, and nothing is deleted.
func TestForgottenBase(t *testing.T) {
	for _, journal := range []bool{true, false} {
		t.Run(fmt.Sprintf("journal %v", journal), func(t *testing.T) {
			w := newWorld(t, func(c *failover.Config) { c.Lease, c.Margin = 500, 10 })
			west, east := begin(t, w)
			if journal {
				await(t, "the journal has it", func() bool {
					m := west.agent.member(serviceID(0))
					m.mu.Lock()
					defer m.mu.Unlock()
					return m.journal != nil && m.journal.Lag().Known && m.journal.Lag().Commits == 0
				})
			}
			apart(t, w, west, east)
			orphan(t, west, "first", "west")
			orphan(t, west, "mine", "west")
			east.mustPut("theirs", "east")
			now, err := west.store.Revision(t.Context())
			must(t, err)
			must(t, west.store.Compact(t.Context(), now))
			if !journal {
				for _, p := range w.places {
					m := p.agent.member(serviceID(p.index))
					m.mu.Lock()
					m.now.Vault = ""
					m.mu.Unlock()
					p.agent.Aside = w.vault
				}
			}
			out, err := west.agent.Do(t.Context(), recovery.Task{Group: groupID, Service: serviceID(0), Epoch: 2, ID: failover.ActionID{Run: 50, Step: failover.Reconcile}})
			must(t, err)
			if journal {
				if len(out.Conflicts) != 0 || east.values()["first"] != "west" || east.values()["mine"] != "west" || east.values()["theirs"] != "east" {
					t.Errorf("with the journal: %+v, %v", out, east.values())
				}
				return
			}
			if len(out.Conflicts) != 1 || out.Conflicts[0].Key != "namedvalues/first" || !strings.Contains(fmt.Sprint(out.Findings), "forgotten") {
				t.Errorf("without any base: %+v", out)
			}
		})
	}
}

func orphanSecret(t *testing.T, p *place, name, value string) {
	t.Helper()
	m := p.agent.member(serviceID(p.index))
	m.mu.Lock()
	now := m.now
	m.now.Left = true // as a write that was begun before
	m.mu.Unlock()
	secret(t, p, name, value)
	m.mu.Lock()
	m.now = now
	m.mu.Unlock()
}

// TestHeld: a mass deletion at the primary waits at the standby for a person.
func TestHeld(t *testing.T) {
	w := newWorld(t)
	west, east := begin(t, w)
	for i := range 40 {
		west.mustPut(fmt.Sprint("v", i), "1")
	}
	await(t, "the standby has all", func() bool { return east.text() == west.text() })
	for i := range 40 {
		if code, body := west.call("DELETE", fmt.Sprint("namedValues/v", i), ""); code/100 != 2 {
			t.Fatalf("delete: %d %s", code, body)
		}
	}
	held := ""
	await(t, "the guard holds it", func() bool {
		s, err := east.site().State(t.Context(), serviceID(1))
		held = s.Held
		return err == nil && held != ""
	})
	if len(east.values()) < 15 {
		t.Errorf("the standby has %d values left", len(east.values()))
	}
	releaser := east.site().(recovery.Releaser)
	wantKind(t, "the release of something else", releaser.Release(t.Context(), serviceID(1), "something else"), tandem.Precondition)
	must(t, releaser.Release(t.Context(), serviceID(1), held))
	await(t, "it passes", func() bool { return east.text() == west.text() })
}

// TestProve: each gate passes and fails by what is found, and says it in words.
func TestProve(t *testing.T) {
	w := newWorld(t)
	_, east := begin(t, w)
	ask := recovery.Task{Group: groupID, Service: serviceID(1), Epoch: 1, ID: failover.ActionID{Run: 1, Step: failover.Prove}}
	good := gateway.Detail{KeyCheck: "ok", FullDetail: &gateway.FullDetail{Backends: []gateway.BackendStatus{{Name: "orders", Address: "orders.test:443", Reachable: true}}}}
	for _, c := range []struct {
		name   string
		change func(*gateway.Detail, *recovery.Task)
		gates  failover.Results
		words  string
	}{
		{"all well", func(*gateway.Detail, *recovery.Task) {}, failover.Results{0, failover.Pass, failover.Pass, failover.Pass, failover.Pass}, "1 backends of 1 answer"},
		{"a policy that cannot be honoured", func(d *gateway.Detail, _ *recovery.Task) {
			d.Problems = []gateway.Problem{{Document: "policies/policy", Line: 4, Message: "no such element", Fatal: true}}
		}, failover.Results{0, failover.Fail, failover.Pass, failover.Pass, failover.Pass}, "policies/policy, line 4: no such element"},
		{"another master key", func(d *gateway.Detail, _ *recovery.Task) { d.KeyCheck = "cannot be opened" }, failover.Results{0, failover.Pass, failover.Fail, failover.Pass, failover.Pass}, "cannot be opened"},
		{"a backend that is dead from here", func(d *gateway.Detail, _ *recovery.Task) {
			d.Backends = append(d.Backends, gateway.BackendStatus{Name: "stock", Address: "stock.test:443", Problem: "no route"})
		}, failover.Results{0, failover.Pass, failover.Pass, failover.Pass, failover.Fail}, "stock (stock.test:443) does not answer: no route"},
		{"a backend that was not looked at", func(d *gateway.Detail, _ *recovery.Task) {
			d.Backends = append(d.Backends, gateway.BackendStatus{Name: "stock", Problem: "it is behind a proxy and was not looked at"})
		}, failover.Results{0, failover.Pass, failover.Pass, failover.Pass, failover.Unproven}, "behind a proxy"},
		{"no listener for the traffic name", func(_ *gateway.Detail, task *recovery.Task) { task.TrafficName = "shop.trafficmanager.net" }, failover.Results{0, failover.Pass, failover.Pass, failover.Unproven, failover.Pass}, "no listener"},
	} {
		d, task := good, ask
		full := *good.FullDetail
		d.FullDetail = &full
		c.change(&d, &task)
		east.fakes.mu.Lock()
		east.fakes.detail = d
		east.fakes.mu.Unlock()
		out, err := east.site().Do(t.Context(), task)
		must(t, err)
		if out.Gates != c.gates || !strings.Contains(fmt.Sprint(out.Findings), c.words) {
			t.Errorf("%s: gates %v, findings %v", c.name, out.Gates, out.Findings)
		}
	}
}

// TestRehearsal: a rehearsal restores the journal beside what serves, finds what does not compile, and leaves nothing behind.
func TestRehearsal(t *testing.T) {
	w := newWorld(t)
	west, east := begin(t, w)
	ask := recovery.Task{Group: groupID, Service: serviceID(1), Epoch: 1, ID: failover.ActionID{Run: 1, Step: failover.Rehearse}}
	await(t, "the journal reaches the vault", func() bool {
		out, err := east.site().Do(t.Context(), ask)
		must(t, err)
		return out.Gates == failover.Results{0, failover.Pass, failover.Pass, failover.Pass, failover.Pass} && strings.Contains(fmt.Sprint(out.Findings), "journal gives revision")
	})
	west.mustPut("bad", "not to be compiled")
	await(t, "the rehearsal finds it", func() bool {
		out, err := east.site().Do(t.Context(), ask)
		must(t, err)
		return out.Gates[failover.GenerationGate] == failover.Fail && strings.Contains(fmt.Sprint(out.Findings), "namedvalues/bad, line 3")
	})
	ask.ID.Step = failover.Tidy
	_, err := east.site().Do(t.Context(), ask)
	must(t, err)
	if l, err := east.store.List(t.Context(), "recovery/scratch/", store.ListOptions{}); err != nil || len(l.Documents) > 0 {
		t.Errorf("%d documents of the rehearsal are left, %v", len(l.Documents), err)
	}
}

package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem"
	"tandem/internal/failover"
)

// limit is how long one try of a task may take.
func limit(s failover.StepKind) time.Duration {
	switch s {
	case failover.Fence, failover.Promote:
		return 5 * time.Second
	case failover.Prove, failover.Drain, failover.Sync, failover.Redirect:
		return 30 * time.Second
	case failover.Rehearse, failover.Reconcile:
		return time.Hour
	default:
		return 10 * time.Minute
	}
}

// watchEvery is how often a service that cannot be fenced is asked for writes after its epoch.
const watchEvery = 15 * time.Second

// act begins the tasks among the actions, and ends those that are not wanted any more.
func (r *runner) act(actions []failover.Action) {
	current := r.current()
	r.dropTasks(func(id failover.ActionID) bool { return id != current })
	for s, end := range r.watching {
		if !r.doc.State.Watching[s] {
			end()
			delete(r.watching, s)
		}
	}
	for _, a := range actions {
		if a.Kind != failover.Do {
			continue
		}
		switch a.ID.Step {
		case failover.Approve, failover.Resolve: // people answer these
		case failover.Watch:
			r.watch(a)
		default:
			if a.ID == current {
				r.begin(a)
			}
		}
	}
}

func (r *runner) dropTasks(unwanted func(failover.ActionID) bool) {
	for id, end := range r.tasks {
		if unwanted(id) {
			end()
			delete(r.tasks, id)
		}
	}
}

// begin carries a task out once, in a goroutine of its own; its outcome comes back as an event. Trying again is the core's business.
func (r *runner) begin(a failover.Action) {
	if _, ok := r.tasks[a.ID]; ok {
		return
	}
	ctx, end := context.WithCancel(r.ctx)
	r.tasks[a.ID] = end
	task := Task{Group: r.group.ID, Service: r.member(a.Service), ID: a.ID, Epoch: a.Epoch, Upto: a.Upto, Rule: r.group.Properties.Rule(), TrafficName: r.group.Properties.TrafficName()}
	if run := r.doc.State.Run; a.ID.Step == failover.Promote && run.Kind != failover.Failover {
		last := run.Last
		task.Last = &last
	}
	profile, runID := r.group.Properties.TrafficProfile, coreRunID(a.ID.Run)
	r.live.Go(func() {
		defer end()
		try, stop := context.WithTimeout(ctx, limit(a.ID.Step))
		out, err := r.carryOut(try, task, profile, runID)
		stop()
		q := question{event: failover.ActionDone{ID: a.ID, Outcome: out.Outcome}, detail: &out}
		if err != nil {
			final := !errors.Is(err, tandem.Unavailable) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, tandem.Locked)
			q = question{event: failover.ActionFailed{ID: a.ID, Why: err.Error(), Final: final}}
		}
		q.over = &a.ID
		_, _ = r.put(ctx, q) // where it is lost, the core asks again
	})
}

func (r *runner) carryOut(ctx context.Context, t Task, profile, run string) (Outcome, error) {
	if t.ID.Step == failover.Redirect {
		return Outcome{}, r.direct(ctx, profile, t.Service)
	}
	if t.ID.Step == failover.Reconcile {
		d, _, err := read[map[string]failover.Side](ctx, r.c.Store, decisionPrefix+r.place+"/"+run)
		if err != nil {
			return Outcome{}, err
		}
		t.Decisions = d
	}
	site, err := r.c.Sites(t.Service)
	if err != nil {
		return Outcome{}, err
	}
	out, err := site.Do(ctx, t)
	if err == nil && t.ID.Step == failover.Reconcile {
		err = r.keepConflicts(ctx, run, out.Conflicts)
	}
	return out, err
}

// direct points the traffic profile to a member.
func (r *runner) direct(ctx context.Context, profile, member string) error {
	if profile == "" {
		return nil
	}
	if r.c.Traffic == nil {
		return &tandem.Error{Op: "move traffic", Subject: profile, Kind: tandem.Unsupported, Remedy: "run the recovery role on a node that reaches the traffic manager"}
	}
	return r.c.Traffic.Direct(ctx, profile, member)
}

// moveTraffic makes the profile follow what the core put on record. The DNS servers have moved by themselves already.
func (r *runner) moveTraffic(to failover.Service) {
	profile, member := r.group.Properties.TrafficProfile, r.member(to)
	if profile == "" || r.c.Traffic == nil {
		return
	}
	if r.moving != nil {
		r.moving()
	}
	ctx, end := context.WithCancel(r.ctx)
	r.moving = end
	r.live.Go(func() {
		for ctx.Err() == nil {
			err := r.direct(ctx, profile, member)
			if err == nil {
				return
			}
			r.c.Log.Warn("traffic could not be moved; it is tried again", "profile", profile, "member", member, "error", err)
			_ = r.c.Clock.Sleep(ctx, retryEvery) // the loop looks at ctx
		}
	})
}

// watch asks an unfenceable service for writes after its epoch, until it is not watched any more (law 4).
func (r *runner) watch(a failover.Action) {
	if _, ok := r.watching[a.Service]; ok {
		return
	}
	ctx, end := context.WithCancel(r.ctx)
	r.watching[a.Service] = end
	t := Task{Group: r.group.ID, Service: r.member(a.Service), ID: a.ID, Epoch: a.Epoch}
	r.live.Go(func() {
		defer end()
		for ctx.Err() == nil {
			site, err := r.c.Sites(t.Service)
			if err == nil {
				var out Outcome
				if out, err = site.Do(ctx, t); err == nil {
					_, err = r.ask(ctx, failover.LateWrites{Service: a.Service, Count: uint64(out.Orphans)}, nil)
				}
			}
			if err != nil && ctx.Err() == nil {
				r.c.Log.Warn("a service that cannot be fenced could not be watched; it is tried again", "service", t.Service, "error", err)
			}
			_ = r.c.Clock.Sleep(ctx, watchEvery) // the loop looks at ctx
		}
	})
}

func coreRunID(number uint32) string { return fmt.Sprintf("run-%d", number) }

package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/recovery"
	"tandem/internal/store"
)

// pending is a task that is being carried out; whoever asks for it meanwhile gets the same outcome.
type pending struct {
	done    chan struct{}
	outcome recovery.Outcome
	err     error
}

// Do implements recovery.Site. The outcome of a task is on record before it is told, and is told again to whoever asks
// again, also after a restart. A task that failed may be tried again.
func (a *Agent) Do(ctx context.Context, t recovery.Task) (recovery.Outcome, error) {
	m, err := a.known(t.Service)
	if err != nil {
		return recovery.Outcome{}, err
	}
	if now := m.membership(); t.Group != now.Group || t.Epoch < now.Epoch || now.Left {
		return recovery.Outcome{}, &tandem.Error{Op: t.ID.Step.String(), Subject: t.Service, Kind: tandem.Precondition,
			Err: fmt.Errorf("the task is of epoch %d of %s, the service knows epoch %d of %s", t.Epoch, t.Group, now.Epoch, now.Group), Remedy: "read the group's state anew: another run has come between"}
	}
	key := outcomeKey(t)
	for {
		a.mu.Lock()
		p := a.tasks[key]
		if p == nil {
			p = &pending{done: make(chan struct{})}
			a.tasks[key] = p
			a.mu.Unlock()
			p.outcome, p.err = a.once(ctx, m, t, key)
			a.mu.Lock()
			delete(a.tasks, key)
			a.mu.Unlock()
			close(p.done)
			return p.outcome, p.err
		}
		a.mu.Unlock()
		select {
		case <-p.done:
			if p.err == nil {
				return p.outcome, nil
			}
			if ctx.Err() != nil {
				return p.outcome, p.err
			}
			// The other caller may just have gone away.
		case <-ctx.Done():
			return recovery.Outcome{}, &tandem.Error{Op: t.ID.Step.String(), Subject: t.Service, Kind: tandem.Unavailable, Err: context.Cause(ctx), Remedy: "ask again; the task goes on"}
		}
	}
}

// once carries a task out unless it was before.
func (a *Agent) once(ctx context.Context, m *member, t recovery.Task, key string) (recovery.Outcome, error) {
	out, found, err := a.recall(ctx, key)
	if found || err != nil {
		return out, err
	}
	if out, err = m.carryOut(ctx, t); err != nil {
		return recovery.Outcome{}, err
	}
	if !lasting(t.ID.Step, out) {
		return out, nil
	}
	return out, a.remember(context.WithoutCancel(ctx), m, t, key, out)
}

// lasting tells the outcomes that a repetition may not change. A proof is as good as the moment it was made in, and tried
// again it tells the newer truth; a merge that waits for a person is looked at again.
func lasting(step failover.StepKind, o recovery.Outcome) bool {
	switch step {
	case failover.Prove, failover.Rehearse, failover.Tidy:
		return false
	case failover.Reconcile:
		return o.Outcome.Conflicts == 0
	}
	return true
}

func (m *member) carryOut(ctx context.Context, t recovery.Task) (recovery.Outcome, error) {
	switch t.ID.Step {
	case failover.Prove:
		return m.prove(ctx, t)
	case failover.Fence:
		return m.fence(ctx)
	case failover.Drain:
		return m.drain(ctx)
	case failover.Sync:
		return m.sync(ctx, t)
	case failover.Promote:
		return m.promote(ctx, t)
	case failover.Keep:
		return m.keep(ctx, t)
	case failover.Reconcile:
		return m.reconcile(ctx, t)
	case failover.Rehearse:
		return m.rehearse(ctx, t)
	case failover.Tidy:
		return m.tidy(ctx)
	}
	return recovery.Outcome{}, &tandem.Error{Op: "carry out task", Subject: t.ID.String(), Kind: tandem.Unsupported, Err: fmt.Errorf("a site has no part in the step %s", t.ID.Step), Remedy: "use the same version of Tandem on all nodes"}
}

const outcomesPrefix = "recovery/outcomes/"

// keepRuns is for how many runs outcomes are remembered. A task of an older one is refused: its epoch or its run is over.
const keepRuns = 16

func outcomesOf(t recovery.Task) string {
	return outcomesPrefix + strings.Trim(keyOf(t.Service), "/") + "/"
}

func runKey(t recovery.Task, run uint32) string { return fmt.Sprintf("%s%010d/", outcomesOf(t), run) }

// outcomeKey names a task for good, whichever group gave it.
func outcomeKey(t recovery.Task) string {
	return fmt.Sprintf("%s%05d.%s/%s", runKey(t, t.ID.Run), t.ID.Round, t.ID.Step, strings.Trim(strings.ToLower(t.Group), "/"))
}

func (a *Agent) recall(ctx context.Context, key string) (out recovery.Outcome, found bool, err error) {
	d, err := a.Store.Get(ctx, key, 0)
	switch tandem.KindOf(err) {
	case "":
	case tandem.NotFound:
		return out, false, nil
	default:
		return out, false, err
	}
	if err := json.Unmarshal(d.Value, &out); err != nil {
		return out, false, &tandem.Error{Op: "read outcome of task", Subject: key, Kind: tandem.Corrupt, Err: err, Remedy: "delete the document; the task is carried out again, which changes nothing that was done"}
	}
	return out, true, nil
}

// remember puts an outcome on record, and forgets those of runs long past.
func (a *Agent) remember(ctx context.Context, m *member, t recovery.Task, key string, out recovery.Outcome) error {
	value, err := json.Marshal(out)
	if err != nil {
		return err
	}
	b := store.Batch{Put: []store.Write{{Key: key, Value: value}}}
	if t.ID.Run > keepRuns {
		l, err := a.Store.List(ctx, outcomesOf(t), store.ListOptions{Limit: store.MaxOps / 2})
		if err != nil {
			return err
		}
		oldest := runKey(t, t.ID.Run-keepRuns)
		for _, d := range l.Documents {
			if d.Key < oldest {
				b.Delete = append(b.Delete, d.Key)
			}
		}
	}
	if _, err = a.Store.Commit(ctx, b); err != nil {
		a.Log.Warn("what a task brought is done and cannot be put on record; it is done again when it is asked for again", "service", m.id.String(), "task", t.ID.String(), "error", err)
	}
	return err
}

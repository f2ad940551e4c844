package recovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/failover"
	"tandem/internal/store"
)

// The runs that the core does not decide.
const (
	jobBackup = "backup" // backup and proof
	jobSync   = "sync"   // mode native: backup, proof, restore, proof; mode logical: capture, plan, apply
)

// scheduled is what a group's schedule does.
func scheduled(m Mode) string {
	if m == Continuous {
		return jobBackup // the standby follows by itself
	}
	return jobSync
}

// jobTries is how often a step of a job is tried while what it needs does not answer.
const jobTries = 6

// schedules starts what is due. A moment that passed while nobody led is made up for once.
func (r *runner) schedules() {
	if !r.loaded || r.group.Deleting {
		return
	}
	if s := r.group.Properties.Schedule; s != nil && r.due("schedule", *s) && len(r.jobs) == 0 && !r.doc.State.Run.Active() {
		r.startJob(scheduled(r.group.Properties.Mode), "", "schedule") //nolint:errcheck // it stays due
	}
	for i, d := range r.group.Properties.Drills {
		name := fmt.Sprintf("drill-%d", i)
		if !r.due(name, d.Schedule) || r.doc.State.Run.Active() {
			continue
		}
		q := question{event: failover.Requested{Kind: failover.Drill, By: "the schedule"}, change: r.fired(name)}
		if d.Kind == "full" { // it moves traffic: a person has to start it
			q.event = failover.Elapsed{}
		}
		if _, err := r.step(q); err == nil && d.Kind == "full" {
			r.notify.post(r.group, Notice{Group: r.group.ID, Time: r.c.Clock.Now().UTC(), Kind: "full drill due", Title: "Recovery group " + r.group.Name + ": a full drill is due",
				Text: "It swaps the roles for real, so a person starts it: tandem drill " + r.group.Name + " --full"})
		}
	}
}

// due is whether a schedule's moment has come.
func (r *runner) due(name string, s Schedule) bool {
	now := r.c.Clock.Now()
	at, ok := r.next[name]
	if !ok {
		from := r.doc.Fired[name]
		if from.IsZero() {
			from = now
		}
		next, err := s.next(from)
		if err != nil {
			return false // the group was checked when it was written
		}
		at = next
		r.next[name] = at
	}
	return !now.Before(at)
}

// fired notes that a schedule's moment is taken.
func (r *runner) fired(name string) func(*batch) error {
	delete(r.next, name)
	return func(b *batch) error {
		b.doc.Fired = maps.Clone(b.doc.Fired)
		if b.doc.Fired == nil {
			b.doc.Fired = map[string]time.Time{}
		}
		b.doc.Fired[name] = b.now
		return nil
	}
}

// startJob writes the record of a job and begins it; schedule names what fired it, empty for a person's wish.
func (r *runner) startJob(kind, by, schedule string) (*Record, error) {
	if len(r.jobs) > 0 {
		return nil, &tandem.Error{Op: "start " + kind, Subject: r.group.ID, Kind: tandem.Locked, Err: errors.New("another backup or sync runs"), Remedy: "wait for it or cancel it"}
	}
	var rec *Record
	st := r.doc.State
	_, err := r.step(question{event: failover.Elapsed{}, change: func(b *batch) error {
		if schedule != "" {
			if err := r.fired(schedule)(b); err != nil {
				return err
			}
		}
		b.doc.Jobs++
		rec = &Record{ID: fmt.Sprintf("%s-%d", kind, b.doc.Jobs), Kind: kind, Status: Running, By: by, To: r.member(st.Holder.Other()), Started: b.now, Epoch: st.Epoch, Steps: []StepRecord{}}
		rec.Backup = fmt.Sprintf("%s-%s-%s", strings.ToLower(r.group.Name), b.now.Format("20060102T150405Z"), rec.ID)
		return b.put(runPrefix+r.place+"/"+rec.ID, rec)
	}})
	if err != nil {
		return nil, err
	}
	r.work(rec)
	return rec, nil
}

// job is the handler of POST …/backup and …/sync.
func (p *Provider) job(kind string) arm.Handler {
	return func(ctx context.Context, r *arm.Request) (*arm.Response, error) {
		if _, _, err := p.load(ctx, r); err != nil {
			return nil, err
		}
		run, err := p.c.runner("start "+kind, idOf(r))
		if err != nil {
			return nil, err
		}
		rec, err := run.wantJob(ctx, kind, person(r))
		if err != nil {
			return nil, err
		}
		return &arm.Response{Status: http.StatusAccepted, Header: http.Header{"Location": {r.Link(idOf(r)+"/runs/"+rec.ID, "api-version="+APIVersion)}}, Body: map[string]any{"run": rec.ID, "kind": kind}}, nil
	}
}

// wantJob starts a job from beside the loop.
func (r *runner) wantJob(ctx context.Context, kind, by string) (rec *Record, err error) {
	_, asked := r.put(ctx, question{do: func() { rec, err = r.startJob(kind, by, "") }})
	return rec, errors.Join(asked, err)
}

func (p *Provider) cancelJob(ctx context.Context, r *arm.Request, id string) (*arm.Response, error) {
	run, err := p.c.runner("cancel run", idOf(r))
	if err != nil {
		return nil, err
	}
	found := false
	if _, err := run.put(ctx, question{do: func() {
		if end := run.jobs[id]; end != nil {
			end(errCancelled(person(r)))
			found = true
		}
	}}); err != nil {
		return nil, err
	}
	if !found {
		return nil, arm.Errorf(http.StatusConflict, "NoSuchRun", "No such run is active; see the group's runs.")
	}
	return &arm.Response{Status: http.StatusAccepted, Body: map[string]any{"run": id}}, nil
}

type errCancelled string

// Error implements error.
func (e errCancelled) Error() string { return "cancelled by " + string(e) }

// resumeJobs goes on with what a former leader left, and seals what it did not seal.
func (r *runner) resumeJobs() {
	all, err := r.c.runsOf(r.ctx, r.group.ID)
	if err != nil {
		r.loaded = false // it is read again
		return
	}
	for i := range all {
		rec := &all[i]
		core := strings.HasPrefix(rec.ID, "run-")
		switch {
		case rec.Ended.IsZero() && !core && r.jobs[rec.ID] == nil:
			r.work(rec)
		case !rec.Ended.IsZero() && rec.Evidence == 0:
			r.seal(*rec)
		}
	}
	keep := 200
	if k := r.group.Properties.Retention; k != nil && k.Runs > 0 {
		keep = k.Runs
	}
	var old store.Batch
	for _, rec := range all[min(keep, len(all)):] {
		if !rec.Ended.IsZero() && len(old.Delete) < store.MaxOps {
			old.Delete = append(old.Delete, runPrefix+r.place+"/"+rec.ID)
		}
	}
	if len(old.Delete) > 0 {
		if _, err := r.c.Store.Commit(r.ctx, old); err != nil {
			r.c.Log.Warn("old runs could not be forgotten; the next leader tries again", "group", r.group.ID, "error", err)
		}
	}
}

// work does a job in a goroutine of its own.
func (r *runner) work(rec *Record) {
	ctx, end := context.WithCancelCause(r.ctx)
	r.jobs[rec.ID] = end
	j := &job{r: r, ctx: ctx, rec: rec.clone(), group: r.group, holder: r.doc.State.Holder, term: r.doc.State.Term, epoch: r.doc.State.Epoch, apart: r.doc.State.Apart, unfenced: r.doc.State.Config.Unfenceable[r.doc.State.Holder]}
	r.live.Go(func() {
		defer end(nil)
		err := j.run()
		if r.ctx.Err() != nil {
			return // the next leader goes on
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		j.finish(err)
	})
}

// job is one backup or sync under way. Only its goroutine uses it.
type job struct {
	r        *runner
	ctx      context.Context
	rec      *Record
	group    groupDoc
	holder   failover.Service
	epoch    tandem.Epoch
	term     uint64
	apart    bool
	unfenced bool
}

func (j *job) run() error {
	p, s := j.group.Properties, j.r.c.Services
	from, to, vault := p.Members()[j.holder], p.Members()[j.holder.Other()], p.Vault.Place()
	bad := func(why, remedy string) error {
		return &tandem.Error{Op: j.rec.Kind, Subject: j.group.ID, Kind: tandem.Unsupported, Err: errors.New(why), Remedy: remedy}
	}
	switch {
	case s == nil:
		return bad("this node cannot reach the management API", "run the recovery role beside a management plane")
	case j.rec.Epoch != j.epoch:
		return bad("the roles changed meanwhile", "start it again")
	case j.rec.Kind == jobSync && j.apart:
		return bad("the services went apart: the standby has writes that a restore would discard", "run rejoin or failback first")
	case vault == "" && (j.rec.Kind == jobBackup || p.Mode == Native):
		return bad("the group has no vault", "name one in the group")
	}
	if j.rec.Stamp.Boot == 0 {
		if err := j.step("stamp", from, func(ctx context.Context) (any, error) { return j.stamp(ctx, from) }); err != nil {
			return err
		}
	}
	var revision tandem.Revision
	if j.rec.Kind == jobSync && p.Mode != Native {
		if err := j.step("sync", to, func(ctx context.Context) (any, error) {
			out, err := s.Sync(ctx, from, to, p.Overlay)
			revision = out.Revision
			return out, err
		}); err != nil {
			return err
		}
	} else {
		if err := j.always("backup", from, func(ctx context.Context) (any, error) {
			out, err := s.Backup(ctx, from, vault, j.rec.Backup)
			revision = out.Revision
			return out, err
		}); err != nil {
			return err
		}
		if err := j.step("verify", "", func(ctx context.Context) (any, error) { return nil, s.Verify(ctx, vault, j.rec.Backup) }); err != nil {
			return err
		}
		if k := p.Retention; k != nil && k.Backups > 0 {
			if err := j.step("prune", "", func(ctx context.Context) (any, error) {
				return nil, s.Prune(ctx, vault, strings.ToLower(j.group.Name)+"-", k.Backups)
			}); err != nil {
				return err
			}
		}
	}
	if j.rec.Kind == jobBackup {
		return nil
	}
	if p.Mode == Native {
		if err := j.step("restore", to, func(ctx context.Context) (any, error) { return s.Restore(ctx, to, vault, j.rec.Backup, p.Overlay) }); err != nil {
			return err
		}
	}
	if err := j.step("serve", to, func(ctx context.Context) (any, error) { return nil, s.Serves(ctx, to) }); err != nil {
		return err
	}
	_, err := j.r.ask(j.ctx, failover.Replicated{Epoch: j.rec.Epoch, Source: j.rec.Stamp, Revision: revision}, nil)
	return err
}

// stamp reads the source's clock before it is read: what the standby will have at least. A service without leases is timed by
// the leader.
func (j *job) stamp(ctx context.Context, from string) (any, error) {
	if j.unfenced {
		j.rec.Stamp = failover.Stamp{Boot: j.term, At: j.r.now()}
		return j.rec.Stamp, nil
	}
	site, err := j.r.c.Sites(from)
	if err != nil {
		return nil, err
	}
	st, err := site.State(ctx, from)
	j.rec.Stamp = st.Stamp
	return st.Stamp, err
}

// step does one step once: a step that succeeded before a crash is not done again.
func (j *job) step(name, service string, do func(context.Context) (any, error)) error {
	if slices.ContainsFunc(j.rec.Steps, func(s StepRecord) bool { return s.Name == name && s.Status == Succeeded }) {
		return nil
	}
	return j.always(name, service, do)
}

// always does a step with its tries, each end on record. A step that a crash interrupted is done again.
func (j *job) always(name, service string, do func(context.Context) (any, error)) error {
	j.rec.Steps = slices.DeleteFunc(slices.Clone(j.rec.Steps), func(s StepRecord) bool { return s.Name == name })
	j.rec.Steps = append(j.rec.Steps, StepRecord{Name: name, Service: service, Status: Running, Started: j.r.c.Clock.Now().UTC(), Inputs: map[string]any{"backup": j.rec.Backup}})
	s := &j.rec.Steps[len(j.rec.Steps)-1]
	wait := time.Second
	for {
		s.Attempts++
		if err := j.save(); err != nil {
			return err
		}
		out, err := do(j.ctx)
		if err == nil {
			s.Status, s.Ended, s.Outputs = Succeeded, j.r.c.Clock.Now().UTC(), out
			return j.save()
		}
		if len(s.Errors) < maxErrors {
			s.Errors = append(s.Errors, err.Error())
		}
		again := errors.Is(err, tandem.Unavailable) || errors.Is(err, tandem.Locked)
		if !again || s.Attempts >= jobTries || j.r.c.Clock.Sleep(j.ctx, wait) != nil {
			s.Status, s.Ended = Failed, j.r.c.Clock.Now().UTC()
			return fmt.Errorf("%s: %w", name, err)
		}
		wait = min(2*wait, time.Minute)
	}
}

// save writes the record.
func (j *job) save() error {
	rec := j.rec.clone()
	for try := 1; ; try++ {
		_, err := j.r.put(j.ctx, question{event: failover.Elapsed{}, change: func(b *batch) error { return b.put(runPrefix+j.r.place+"/"+rec.ID, rec) }})
		if err == nil || try == jobTries || j.r.c.Clock.Sleep(j.ctx, retryEvery) != nil {
			return err
		}
	}
}

// finish ends the job's record.
func (j *job) finish(err error) {
	j.ctx = j.r.ctx
	j.rec.Ended = j.r.c.Clock.Now().UTC()
	j.rec.Status = Succeeded
	var stopped errCancelled
	switch {
	case errors.As(err, &stopped):
		j.rec.Status, j.rec.Reason = Cancelled, err.Error()
	case err != nil:
		j.rec.Status, j.rec.Reason = Failed, err.Error()
	}
	j.rec.closeStep(j.rec.Status, j.rec.Ended)
	err = j.save()
	_, gone := j.r.put(j.r.ctx, question{do: func() {
		delete(j.r.jobs, j.rec.ID)
		if err == nil {
			j.r.seal(*j.rec)
		}
	}})
	if err = errors.Join(err, gone); err != nil && j.r.ctx.Err() == nil {
		j.r.c.Log.Warn("the end of a run could not be kept; the next leader goes on with it", "run", j.rec.ID, "error", err)
	}
	if j.rec.Status == Failed {
		j.r.notify.post(j.group, Notice{Group: j.group.ID, Time: j.rec.Ended, Run: j.rec.ID, Kind: j.rec.Kind + " failed",
			Title: "Recovery group " + j.group.Name + ": " + j.rec.Kind + " failed", Text: j.rec.Reason})
	}
}

// concluded acts on what a commit ended or began: reports are sealed, and jobs that write to the standby make room.
func (r *runner) concluded(b *batch) {
	for _, e := range b.entries {
		if e.Fact.Kind == failover.Began && e.Fact.Of != failover.Drill {
			for id, end := range r.jobs {
				if strings.HasPrefix(id, jobSync) {
					end(errors.New("a " + e.Fact.Of.String() + " comes first"))
				}
			}
		}
	}
	if b.record != nil && !b.record.Ended.IsZero() && b.record.Evidence == 0 {
		r.seal(*b.record)
	}
}

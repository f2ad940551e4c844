package recovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/store"
)

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// tickEvery is how often the core is told that time has passed.
const tickEvery = 100 * time.Millisecond

// outdonePause is how long a leader waits that was outdone by another one.
const outdonePause = 2 * time.Second

// commitTimeout bounds one commit: the store spans sites and may have lost its quorum.
const commitTimeout = 5 * time.Second

// runner is one group in the hands of the leader. One goroutine, run, owns everything below the line.
type runner struct {
	c     *Controller
	place string
	end   context.CancelFunc
	in    chan question
	news  chan groupDoc // the newest version of the group; one place
	live  sync.WaitGroup

	mu     sync.Mutex // guards last, for readers beside the loop
	last   glimpse
	notify *notifier

	// ----
	ctx      context.Context
	group    groupDoc
	doc      stateDoc
	revision tandem.Revision
	loaded   bool
	outdone  bool    // another leader decided: give it time, and us to hear of it
	record   *Record // of the core's newest run
	tasks    map[failover.ActionID]context.CancelFunc
	watching map[failover.Service]context.CancelFunc
	told     uint64 // the version of the membership that the announcers have
	leaving  bool
	moving   context.CancelFunc // the profile is being pointed
	members  [2]*announcer
	jobs     map[string]context.CancelCauseFunc
	next     map[string]time.Time // by schedule
}

// glimpse is what readers beside the loop see of a group: it may be newer than the store, by renewals and positions.
type glimpse struct {
	doc    stateDoc
	group  groupDoc
	now    failover.Tick
	lag    failover.Bound
	loaded bool
}

// question is an event with a way back.
type question struct {
	event  failover.Event
	detail *Outcome           // of ActionDone: what the record keeps beside the core's outcome
	over   *failover.ActionID // the task that has ended
	change func(*batch) error // a change of the group's own documents, in the same commit; nil: none
	answer chan<- reply
	do     func() // done in the loop instead of an event; nil: none
}

type reply struct {
	state   failover.State
	actions []failover.Action
	err     error
}

func newRunner(c *Controller, place string, g groupDoc, end context.CancelFunc) *runner {
	r := &runner{c: c, place: place, end: end, in: make(chan question), news: make(chan groupDoc, 1), group: g,
		tasks: map[failover.ActionID]context.CancelFunc{}, watching: map[failover.Service]context.CancelFunc{},
		jobs: map[string]context.CancelCauseFunc{}, next: map[string]time.Time{}}
	r.notify = newNotifier(c, place)
	return r
}

// configure brings a newer version of the group. The controller's lock is held.
func (r *runner) configure(g groupDoc) {
	for {
		select {
		case r.news <- g:
			return
		case <-r.news: // an older one that was not read yet
		}
	}
}

// ask hands an event to the loop and waits for its commit.
func (r *runner) ask(ctx context.Context, e failover.Event, detail *Outcome) (reply, error) {
	return r.put(ctx, question{event: e, detail: detail})
}

func (r *runner) put(ctx context.Context, q question) (reply, error) {
	back := make(chan reply, 1)
	q.answer = back
	gone := func() (reply, error) {
		return reply{}, &tandem.Error{Op: "ask the leader", Subject: r.group.ID, Kind: tandem.Unavailable, Err: context.Cause(ctx), Remedy: "ask again"}
	}
	select {
	case r.in <- q:
	case <-ctx.Done():
		return gone()
	case <-r.stopped():
		return gone()
	}
	select {
	case a := <-back:
		return a, a.err
	case <-ctx.Done():
		return gone()
	case <-r.stopped():
		return gone()
	}
}

// stopped is closed when the runner ends.
func (r *runner) stopped() <-chan struct{} { return r.notify.done }

func (r *runner) member(s failover.Service) string { return r.group.Properties.Members()[s&1] }

func (r *runner) now() failover.Tick {
	return failover.Tick(tandem.Boottime(r.c.Clock).Milliseconds())
}

// run leads the group until ctx ends.
func (r *runner) run(ctx context.Context) {
	r.ctx = ctx
	defer r.live.Wait()
	defer close(r.notify.done)
	r.live.Go(func() { r.notify.run(ctx) })
	for i := range r.members {
		r.members[i] = r.announce(ctx)
	}
	wait := retryEvery
	for ctx.Err() == nil {
		if !r.loaded {
			if r.outdone {
				r.outdone = false
				_ = r.c.Clock.Sleep(ctx, outdonePause) // the loop looks at ctx
			}
			if err := r.takeOver(ctx); err != nil {
				if ctx.Err() == nil {
					r.c.Log.Warn("a recovery group cannot be taken over; it is tried again", "group", r.group.ID, "error", err)
				}
				_ = r.c.Clock.Sleep(ctx, wait) // the loop looks at ctx
				wait = min(2*wait, 8*time.Second)
				select {
				case r.group = <-r.news: // it may be deleted before it began
				default:
				}
				continue
			}
			wait = retryEvery
		}
		select {
		case <-ctx.Done():
		case g := <-r.news:
			r.reconfigure(g)
		case q := <-r.in:
			if q.do != nil {
				q.do()
				q.answer <- reply{state: r.doc.State}
				break
			}
			a, err := r.step(q)
			q.answer <- reply{r.doc.State, a, err}
		case <-r.c.Clock.After(tickEvery):
			if _, ok := r.tasks[r.current()]; ok {
				r.doc.State.Run.Tried = r.now() // the site is at work; its own time limit ends that
			}
			if _, err := r.step(question{event: failover.Elapsed{}}); err != nil && ctx.Err() == nil {
				r.c.Log.Warn("a decision could not be kept; it is made again", "group", r.group.ID, "error", err)
			}
			r.schedules()
		}
		r.show()
	}
}

// takeOver reads the group's document, or makes the first one, and begins a new term.
func (r *runner) takeOver(ctx context.Context) error {
	doc, revision, err := read[stateDoc](ctx, r.c.Store, statePrefix+r.place)
	if err != nil {
		return err
	}
	if r.loaded = true; revision == 0 {
		if r.group.Deleting {
			r.loaded = false
			return r.forget(ctx)
		}
		doc = stateDoc{State: failover.New(r.group.Properties.Config(), 0, r.now()), Since: r.c.Clock.Now().UTC()}
		if doc.State.Epoch, err = r.firstEpoch(ctx); err != nil {
			r.loaded = false
			return err
		}
	}
	r.doc, r.revision = doc, revision
	if err := r.loadRecord(ctx); err != nil {
		r.loaded = false
		return err
	}
	if _, err := r.step(question{event: failover.TookOver{Term: doc.State.Term + 1}}); err != nil {
		return err
	}
	if c := r.group.Properties.Config(); c != r.doc.State.Config {
		if _, err := r.step(question{event: failover.Configured{Config: c}}); err != nil {
			return err
		}
	}
	if r.c.lost != r.doc.State.Lost {
		if _, err := r.step(question{event: failover.SitesLost{Back: !r.c.lost}}); err != nil {
			return err
		}
	}
	if r.group.Deleting {
		r.leave()
		return nil
	}
	if r.doc.State.Runs > 0 {
		r.moveTraffic(r.doc.State.Traffic)
	}
	r.resumeJobs()
	return nil
}

// step is the protocol of package failover: decide, commit, and only then act.
func (r *runner) step(q question) ([]failover.Action, error) {
	if q.over != nil {
		delete(r.tasks, *q.over)
	}
	before := r.doc.State
	next, actions := failover.Step(before, q.event, r.now())
	if !matters(before, next, actions) && q.change == nil && r.revision != 0 {
		r.doc.State = next
		r.act(actions)
		return actions, nil
	}
	b := &batch{doc: r.doc, now: r.c.Clock.Now().UTC()}
	b.doc.State = next
	if next.Epoch != before.Epoch {
		b.doc.Since = b.now
	}
	r.history(b, q, before, actions)
	if told := r.membershipText(next); told != b.doc.Told {
		b.doc.Told, b.doc.Version = told, b.doc.Version+1
	}
	if q.change != nil {
		if err := q.change(b); err != nil {
			return nil, err
		}
	}
	if err := r.commit(b); err != nil {
		return nil, err
	}
	r.doc = b.doc
	r.record = cmp.Or(b.record, r.record)
	r.tell()
	for _, e := range b.entries {
		r.notify.fact(r.group, r.doc, e)
	}
	if next.Traffic != before.Traffic && next.Run.Step != failover.Redirect {
		r.moveTraffic(next.Traffic)
	}
	r.act(actions)
	r.concluded(b)
	return actions, nil
}

// matters is whether a decision must be on disk before it is acted on. The last reports of witnesses, the standby's latest position and
// the times of tries need not: a new leader starts them anew, or takes an older position, which makes the bound on the loss larger.
func matters(before, next failover.State, actions []failover.Action) bool {
	for _, a := range actions {
		if a.Kind != failover.Do {
			return true
		}
	}
	quiet := func(s failover.State) failover.State {
		s.Panel, s.Standby, s.Health, s.Run.Tried, s.Run.Attempts = failover.Panel{}, failover.Position{}, [2]failover.Trend{}, 0, 0
		return s
	}
	return quiet(before) != quiet(next)
}

// batch is one commit of a group's documents.
type batch struct {
	doc     stateDoc
	now     time.Time
	entries []Entry
	record  *Record // changed; nil: not
	puts    []store.Write
	deletes []string
}

func (b *batch) put(key string, v any) error {
	w, err := write(key, v)
	b.puts = append(b.puts, w)
	return err
}

// commit writes a batch if nobody else decided meanwhile. After any failure what is in memory is dropped: another leads, or it is
// not known whether the commit happened.
func (r *runner) commit(b *batch) error {
	err := b.put(statePrefix+r.place, b.doc)
	for _, e := range b.entries {
		err = errors.Join(err, b.put(numbered(factPrefix, r.place, e.Number), e))
	}
	if b.record != nil {
		err = errors.Join(err, b.put(runPrefix+r.place+"/"+b.record.ID, b.record))
	}
	if err != nil {
		return err
	}
	ctx, done := context.WithTimeout(r.ctx, commitTimeout)
	defer done()
	revision, err := r.c.Store.Commit(ctx, store.Batch{If: []store.Condition{{Key: statePrefix + r.place, Revision: r.revision}}, Put: b.puts, Delete: b.deletes})
	if err == nil {
		r.revision = revision
		return nil
	}
	r.loaded, r.outdone = false, errors.Is(err, tandem.Precondition)
	r.dropTasks(func(failover.ActionID) bool { return true })
	return fmt.Errorf("commit decision of %s: %w", r.group.ID, err)
}

// reconfigure takes a newer version of the group.
func (r *runner) reconfigure(g groupDoc) {
	old := r.group
	r.group = g
	r.next = map[string]time.Time{}
	if g.Deleting {
		r.leave()
		return
	}
	if old.Properties.Members() != g.Properties.Members() {
		for i, m := range old.Properties.Members() {
			if !strings.EqualFold(m, g.Properties.Members()[i]) {
				r.dismiss(old, failover.Service(i))
			}
		}
	}
	if _, err := r.step(question{event: failover.Configured{Config: g.Properties.Config()}}); err != nil && r.ctx.Err() == nil {
		r.c.Log.Warn("a recovery group's configuration could not be taken; it is tried again", "group", g.ID, "error", err)
	}
}

// show gives readers beside the loop what they may see.
func (r *runner) show() {
	now := r.now()
	r.mu.Lock()
	r.last = glimpse{doc: r.doc, group: r.group, now: now, lag: r.doc.State.Loss(now), loaded: r.loaded}
	r.mu.Unlock()
}

func (r *runner) look() glimpse {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// current is the id of the run's task.
func (r *runner) current() failover.ActionID {
	run := r.doc.State.Run
	return failover.ActionID{Run: run.Number, Round: run.Round, Step: run.Step}
}

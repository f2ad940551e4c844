package recovery

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/failover"
	"tandem/internal/store"
)

// ControllerConfig is what a Controller works with. Store, Clock, Log and Sites are needed.
type ControllerConfig struct {
	Store store.Store // the one that spans the three sites
	Clock tandem.Clock
	Log   *slog.Logger
	// Sites gives the site of a member by its ARM id. It is asked before each task; the address may change.
	Sites func(service string) (Site, error)
	// Node gives the internal address of the node that has a member: "https://10.1.0.4:7443". Nil: members are not told.
	Node func(service string) string
	// Traffic moves clients; nil: groups with a traffic profile have no effect on it.
	Traffic Traffic
	// Services runs backups and restores over the management API; nil: scheduled runs fail with a clear error.
	Services Services
	// Leader gives the internal address of the node that leads, where it is known; for errors. Nil: not known.
	Leader func() string
	// Sealer seals the secrets of notifications (law 7); nil: groups with secrets are refused.
	Sealer Sealer
	// HTTP sends notifications and heartbeats; nil: http.DefaultClient's defaults with a timeout.
	HTTP *http.Client
	// Evidence seals reports; nil: runs leave their history alone.
	Evidence EvidenceConfig
}

// Sealer seals secrets at rest (law 7). keys.Master is one.
type Sealer interface {
	Seal(plaintext, context []byte) (string, error)
	Open(sealed string, context []byte) ([]byte, error)
}

// Controller carries out what is decided for all groups of a store, where and as long as its node leads. It also implements
// Control. All methods may be called from many goroutines.
type Controller struct {
	ControllerConfig
	lost bool // it works on one site's copy: two sites are lost

	mu      sync.Mutex
	runners map[string]*runner // by place; nil: not leading
}

var _ Control = (*Controller)(nil)

// NewController makes a controller. It does nothing until Run.
func NewController(c ControllerConfig) *Controller {
	if c.HTTP == nil {
		c.HTTP = &http.Client{Timeout: notifyTimeout}
	}
	return &Controller{ControllerConfig: c}
}

// retryEvery is the pause after the shared store did not answer.
const retryEvery = 500 * time.Millisecond

// Run leads: it takes over every group, and new ones as they come, until ctx ends. End ctx when leadership ends. It returns
// when all it started has ended.
func (c *Controller) Run(ctx context.Context) error {
	c.mu.Lock()
	if c.runners != nil {
		c.mu.Unlock()
		return &tandem.Error{Op: "lead recovery", Kind: tandem.Exists, Remedy: "run a controller once at a time"}
	}
	c.runners = map[string]*runner{}
	c.mu.Unlock()
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		all.Wait()
		c.mu.Lock()
		c.runners = nil
		c.mu.Unlock()
	}()
	all.Go(func() { c.beat(ctx) })
	for ctx.Err() == nil {
		err := c.follow(ctx, &all)
		if ctx.Err() != nil {
			break
		}
		if !errors.Is(err, tandem.Compacted) {
			c.Log.Warn("the shared store does not answer; recovery groups are read again", "error", err)
		}
		_ = c.Clock.Sleep(ctx, retryEvery) // the loop looks at ctx
	}
	return context.Cause(ctx)
}

// follow keeps one runner for each group, until the store fails.
func (c *Controller) follow(ctx context.Context, all *sync.WaitGroup) error {
	list, err := c.Store.List(ctx, groupPrefix, store.ListOptions{})
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, d := range list.Documents {
		there[strings.TrimPrefix(d.Key, groupPrefix)] = true
		c.has(ctx, all, d)
	}
	c.mu.Lock()
	for p, r := range c.runners {
		if !there[p] {
			r.end()
			delete(c.runners, p)
		}
	}
	c.mu.Unlock()
	return c.Store.Watch(ctx, groupPrefix, list.Revision, func(e store.Event) error {
		for _, change := range e.Changes {
			if !change.Deleted {
				c.has(ctx, all, change.Document)
				continue
			}
			p := strings.TrimPrefix(change.Key, groupPrefix)
			c.mu.Lock()
			if r := c.runners[p]; r != nil {
				r.end()
				delete(c.runners, p)
			}
			c.mu.Unlock()
		}
		return nil
	})
}

// has brings a version of a group to its runner, and makes the runner where there is none.
func (c *Controller) has(ctx context.Context, all *sync.WaitGroup, d store.Document) {
	var g groupDoc
	if err := decode(d, &g); err != nil {
		c.Log.Error("a recovery group cannot be read and is left alone", "key", d.Key, "error", err)
		return
	}
	p := strings.TrimPrefix(d.Key, groupPrefix)
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.runners[p]; r != nil {
		r.configure(g)
		return
	}
	own, end := context.WithCancel(ctx)
	r := newRunner(c, p, g, end)
	c.runners[p] = r
	all.Go(func() {
		defer end()
		r.run(own)
	})
}

// runner finds the runner of a group by its ARM id.
func (c *Controller) runner(op, group string) (*runner, error) {
	p, err := place(group)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r := c.runners[p]; {
	case c.runners == nil:
		leader := ""
		if c.Leader != nil {
			leader = c.Leader()
		}
		return nil, notLeading(op, group, leader)
	case r == nil:
		return nil, &tandem.Error{Op: op, Subject: group, Kind: tandem.NotFound, Remedy: "look at 'tandem group list'"}
	default:
		return r, nil
	}
}

// Renew implements Control.
func (c *Controller) Renew(ctx context.Context, group string, s failover.Service, q failover.Renewal) (failover.Grant, error) {
	const op = "renew the right to write"
	r, err := c.runner(op, group)
	if err != nil {
		return failover.Grant{}, err
	}
	a, err := r.ask(ctx, failover.Renewing{Service: s, Renewal: q}, nil)
	if err != nil {
		return failover.Grant{}, err
	}
	for _, x := range a.actions {
		if x.Kind == failover.Answer {
			return x.Grant, nil
		}
	}
	if a.state.Holder != s || a.state.Epoch != q.Epoch {
		return failover.Grant{}, &tandem.Error{Op: op, Subject: group, Kind: tandem.Precondition, Err: errorf("epoch %d is held by %s", a.state.Epoch, r.member(a.state.Holder)),
			Remedy: "write to the service that holds the epoch"}
	}
	return failover.Grant{}, &tandem.Error{Op: op, Subject: group, Kind: tandem.Unavailable, Err: errorf("the right is being ended by run %d", a.state.Run.Number), Remedy: "ask again when the run is over"}
}

// Replicated implements Control.
func (c *Controller) Replicated(ctx context.Context, group string, e failover.Replicated) error {
	return c.tell(ctx, "report replication", group, e)
}

// Observed implements Control.
func (c *Controller) Observed(ctx context.Context, group string, e failover.Observed) error {
	return c.tell(ctx, "report health", group, e)
}

func (c *Controller) tell(ctx context.Context, op, group string, e failover.Event) error {
	r, err := c.runner(op, group)
	if err != nil {
		return err
	}
	_, err = r.ask(ctx, e, nil)
	return err
}

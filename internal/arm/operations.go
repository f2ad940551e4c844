package arm

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"tandem"
)

// OperationsConfig says how operations are kept. Store, Clock, Log and Runner are needed.
type OperationsConfig struct {
	Store OperationStore
	Clock tandem.Clock
	Log   *slog.Logger
	// Runner names this process among those that share the store, the same after a restart.
	Runner string
	// Region goes into the ids.
	Region string
	// RetryAfter is how long clients are told to wait between polls; zero: one second. Below a second it is also sent as
	// Retry-After-Ms, since Retry-After has whole seconds.
	RetryAfter time.Duration
	// Retention is how long finished operations can be polled; zero: 24 hours.
	Retention time.Duration
}

// Operations runs long-running operations and answers the polls for them.
type Operations struct {
	OperationsConfig
	ctx     context.Context
	stop    context.CancelCauseFunc
	running sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	swept   time.Time // when old operations were last forgotten
	kinds   map[string]OperationKind
}

// NewOperations makes an Operations. Register the kinds, then Recover, then serve; Close ends it.
func NewOperations(c OperationsConfig) *Operations {
	if c.RetryAfter == 0 {
		c.RetryAfter = time.Second
	}
	if c.Retention == 0 {
		c.Retention = 24 * time.Hour
	}
	ctx, stop := context.WithCancelCause(context.Background())
	return &Operations{OperationsConfig: c, ctx: ctx, stop: stop, kinds: map[string]OperationKind{}}
}

// Register tells what to do with operations of a code.
func (o *Operations) Register(k OperationKind) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kinds[k.Code] = k
}

func (o *Operations) kind(code string) OperationKind {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kinds[code]
}

// Close cancels what runs and waits for it. Operations that were cancelled so stay InProgress in the store; Recover of the
// next process settles them.
func (o *Operations) Close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.stop(tandem.Closed)
	o.running.Wait()
}

// Recover settles what this runner left when its process ended: kinds with Resume go on, others are reported as failed.
func (o *Operations) Recover(ctx context.Context) error {
	all, err := o.Store.ListOperations(ctx)
	if err != nil {
		return err
	}
	for _, op := range all {
		if op.Status != InProgress || op.Runner != o.Runner {
			continue
		}
		if resume := o.kind(op.Code).Resume; resume != nil {
			o.spawn(op, func(ctx context.Context) (json.RawMessage, error) { return resume(ctx, op) })
		} else if err := o.Store.PutOperation(ctx, o.ended(op, nil, interrupted(op))); err != nil {
			return err
		}
	}
	return o.sweep(ctx, all)
}

// sweep forgets operations that ended longer ago than the retention.
func (o *Operations) sweep(ctx context.Context, all []Operation) error {
	for _, op := range all {
		if op.Status != InProgress && o.Clock.Now().Sub(op.Ended) > o.Retention {
			if err := o.Store.DeleteOperation(ctx, op.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepIfDue sweeps at the end of an operation, at most once an hour.
func (o *Operations) sweepIfDue() {
	o.mu.Lock()
	due := o.Clock.Now().Sub(o.swept) > time.Hour
	if due {
		o.swept = o.Clock.Now()
	}
	o.mu.Unlock()
	if !due {
		return
	}
	all, err := o.Store.ListOperations(o.ctx)
	if err == nil {
		err = o.sweep(o.ctx, all)
	}
	if err != nil && o.ctx.Err() == nil {
		o.Log.Warn("old operations cannot be forgotten; it is tried again in an hour", "error", err)
	}
}

// Start stores the operation, runs it in the background, and gives the answer that tells the client where to poll.
func (o *Operations) Start(ctx context.Context, r *Request, s Start) (*Response, error) {
	op := Operation{ID: newOperationID(o.Region, s.Resource, s.Code), Resource: s.Resource, Code: s.Code, Status: InProgress,
		Started: o.Clock.Now().UTC(), Runner: o.Runner, Principal: r.Principal.ObjectID, Data: s.Data}
	if err := o.Store.PutOperation(ctx, op); err != nil {
		return nil, err
	}
	if !o.spawn(op, s.Run) {
		return nil, &tandem.Error{Op: "start operation", Subject: s.Code, Kind: tandem.Closed, Remedy: "try again when the server has restarted"}
	}
	resp := s.Reply
	if resp == nil {
		resp = &Response{Status: http.StatusAccepted}
	}
	base := s.PollBase
	if base == "" {
		base = s.Resource
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	o.pollHeaders(resp.Header, r, base, op.ID, s.Async)
	return resp, nil
}

func (o *Operations) pollHeaders(h http.Header, r *Request, base, id string, async bool) {
	version := "api-version=" + r.APIVersion
	h.Set("Location", r.Link(base+"/operationresults/"+id, version))
	if async {
		h.Set("Azure-AsyncOperation", r.Link(base+"/operationStatuses/"+id, version))
	}
	o.retryHeaders(h)
}

func (o *Operations) retryHeaders(h http.Header) {
	h.Set("Retry-After", seconds(o.RetryAfter))
	if o.RetryAfter < time.Second {
		ms, _ := json.Marshal(o.RetryAfter.Milliseconds())
		h.Set("Retry-After-Ms", string(ms))
	}
}

// spawn runs the operation in a goroutine of its own; false: Operations is closed.
func (o *Operations) spawn(op Operation, run func(ctx context.Context) (json.RawMessage, error)) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	o.running.Go(func() {
		result, err := o.run(op, run)
		if err != nil && o.ctx.Err() != nil && errors.Is(err, context.Canceled) || errors.Is(err, tandem.Closed) && o.ctx.Err() != nil {
			return
		}
		o.settle(o.ended(op, result, err))
		o.sweepIfDue()
	})
	return true
}

func (o *Operations) run(op Operation, run func(ctx context.Context) (json.RawMessage, error)) (result json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			o.Log.Error("an operation panicked", "operation", op.Code, "resource", op.Resource, "panic", p, "stack", string(debug.Stack()))
			err = Errorf(http.StatusInternalServerError, "InternalServerError", "The operation %s failed on an internal error; report it with the id %s.", op.Code, op.ID)
		}
	}()
	return run(o.ctx)
}

// settleTimeout bounds one try to store an operation's end, and with it how long Close can wait for it.
const settleTimeout = 5 * time.Second

// settle writes an operation's end, and tries again while the store is away: a client waits for it.
func (o *Operations) settle(op Operation) {
	wait := 100 * time.Millisecond
	for {
		// Also when the process is being stopped: what was done must not be reported as interrupted.
		ctx, done := context.WithTimeout(context.WithoutCancel(o.ctx), settleTimeout)
		err := o.Store.PutOperation(ctx, op)
		done()
		if err == nil {
			return
		}
		o.Log.Error("the end of an operation cannot be stored", "operation", op.Code, "resource", op.Resource, "error", err)
		if o.Clock.Sleep(o.ctx, wait) != nil {
			return
		}
		wait = min(2*wait, 10*time.Second)
	}
}

func (o *Operations) ended(op Operation, result json.RawMessage, err error) Operation {
	op.Ended, op.Status, op.Result = o.Clock.Now().UTC(), Succeeded, result
	if err != nil {
		e := AsError(err)
		if e.Status >= 500 {
			o.Log.Error("operation failed", "operation", op.Code, "resource", op.Resource, "error", err)
		}
		op.Status, op.Result, op.Failure = Failed, nil, &Failure{Status: e.Status, Error: e}
	}
	return op
}

// newOperationID makes an id as API Management does: base64 of "region:name_Code_xxxxxxxx", in one path segment.
func newOperationID(region, resource, code string) string {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails since Go 1.24
	name := resource[strings.LastIndexByte(resource, '/')+1:]
	id := base64.StdEncoding.EncodeToString([]byte(region + ":" + name + "_" + code + "_" + hex.EncodeToString(random)))
	return strings.NewReplacer("/", "-", "+", ".").Replace(id)
}

package replica

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/store"
)

// FollowerConfig describes a Follower.
type FollowerConfig struct {
	Address   string       // of the primary's node with StreamPath: "https://10.1.0.4:7443/tandem/v1/stream"
	Service   string       // the ARM id of the primary
	Name      string       // of this follower, for people
	Client    *http.Client // presents this node's certificate and trusts Tandem's CA alone; it has no Timeout
	Applier   *Applier
	Clock     tandem.Clock
	Log       *slog.Logger
	Heartbeat time.Duration // how often the follower says how far it is while nothing happens; zero: half a second
	Patience  time.Duration // how long it waits for the source to say anything; zero: five seconds
	// Applied is told every entry once it is applied, without its documents and changes; it must be quick. Nil: nobody is.
	Applied func(Entry)
}

// Follower keeps a standby equal to its primary over whatever network there is: it connects, applies what comes, and
// begins again from what is applied. It holds one entry at a time; what it cannot apply yet stays with the source.
type Follower struct {
	FollowerConfig
	meter *lagMeter
}

const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// NewFollower makes a follower.
func NewFollower(c FollowerConfig) *Follower {
	if c.Heartbeat <= 0 {
		c.Heartbeat = defaultHeartbeat
	}
	if c.Patience <= 0 {
		c.Patience = defaultPatience
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Follower{FollowerConfig: c, meter: newLagMeter(c.Clock)}
}

// Lag is the standby's lag, by its own clock.
func (f *Follower) Lag() Lag { return f.meter.lag() }

// Run follows until ctx ends, which is its error, or the standby refuses the stream for good: its epoch is over, or the
// fence is reached (Precondition).
func (f *Follower) Run(ctx context.Context) error {
	pause := firstPause
	for {
		progress, err := f.once(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if f.over(ctx, err) {
			return err
		}
		if progress {
			pause = firstPause
		}
		f.Log.Info("the replication stream is cut; it begins again", "service", f.Service, "after", pause, "error", err)
		released := f.Applier.released()
		if f.Applier.Held() == nil {
			released = nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-released:
		case <-f.Clock.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// over tells whether the refusal stays: a gap is closed by asking again, an old epoch is not made young.
func (f *Follower) over(ctx context.Context, err error) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	state, _, err := ReadState(ctx, f.Applier.Space)
	if err != nil {
		return false // the next try tells
	}
	h, err := f.Applier.Space.Head(ctx)
	if err != nil {
		return false
	}
	return r.epoch < max(h.Epoch, state.Epoch) || state.fenced(r.epoch, r.revision)
}

// once connects and applies until something ends it, and tells whether anything was applied.
func (f *Follower) once(ctx context.Context) (progress bool, err error) {
	at, err := f.Applier.Position(ctx)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	body, acks := io.Pipe()
	c := &connection{Follower: f, ack: acknowledgement{revision: at.Revision}, changed: make(chan struct{}, 1)}
	c.wait(true)
	var running sync.WaitGroup
	running.Go(func() { c.watch(ctx, cancel) })
	running.Go(func() { cancel(c.say(ctx, acks)) })
	defer func() {
		f.meter.attach(false)
		cancel(nil)
		_ = body.CloseWithError(io.ErrClosedPipe)
		running.Wait()
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(cause, context.Canceled) {
			err = errors.Join(err, cause)
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.Address+"?"+url.Values{
		"version": {strconv.Itoa(streamVersion)}, "service": {f.Service}, "follower": {f.Name},
		"epoch": {digits(at.Epoch)}, "generation": {digits(at.Generation)}, "revision": {digits(at.Revision)},
	}.Encode(), body)
	if err != nil {
		return false, err
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close() //nolint:errcheck // the stream is over
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != streamType {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return false, &tandem.Error{Op: "follow", Subject: f.Service, Kind: tandem.Unavailable, Err: fmt.Errorf("the primary's node answered %s: %s", resp.Status, strings.TrimSpace(string(text)))}
	}
	if c.boot, err = strconv.ParseUint(resp.Header.Get(bootHeader), 10, 64); err != nil {
		return false, badFrame(errors.New("the answer does not tell the source's boot"))
	}
	f.meter.attach(true)
	return c.apply(ctx, bufio.NewReaderSize(resp.Body, 64<<10))
}

func digits[T ~int64](v T) string { return strconv.FormatInt(int64(v), 10) }

// connection is one request.
type connection struct {
	*Follower
	changed chan struct{} // something to say
	boot    uint64        // of the source

	mu      sync.Mutex
	ack     acknowledgement
	waiting time.Time // since when the source is waited for; zero: it is not
}

func (c *connection) wait(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting = (time.Time{}); on {
		c.waiting = c.Clock.Now()
	}
}

func (c *connection) apply(ctx context.Context, r io.Reader) (progress bool, err error) {
	next := func() (frameKind, []byte, error) {
		c.wait(true)
		defer c.wait(false)
		return readFrame(r)
	}
	for {
		k, payload, err := next()
		if err != nil {
			return progress, err
		}
		e, err := readEntry(k, payload, next)
		if err != nil {
			return progress, err
		}
		c.meter.heard(e)
		whole := e.Documents == nil
		if !whole {
			docs := e.Documents
			e.Documents = func(yield func(store.Document, error) bool) {
				stopped := false
				docs(func(d store.Document, err error) bool {
					stopped = !yield(d, err) || err != nil
					return !stopped
				})
				whole = !stopped
			}
		}
		if err := c.Applier.Apply(ctx, e); err != nil {
			return progress, err
		}
		progress = true
		c.meter.done(e)
		c.mu.Lock()
		if c.ack.revision = e.Revision; e.Kind == EntryBeat {
			c.ack.age = e.Age
		}
		c.mu.Unlock()
		if c.Applied != nil {
			told := e
			told.Boot, told.Changes, told.Documents = c.boot, nil, nil
			c.Applied(told)
		}
		select {
		case c.changed <- struct{}{}:
		default: // it is said with what is to say already
		}
		if !whole { // an applied entry that came again was not read
			for _, err := range e.Documents {
				if err != nil {
					return progress, err
				}
			}
		}
	}
}

// say sends acknowledgements: one after each entry, as fast as they go, and one a heartbeat.
func (c *connection) say(ctx context.Context, w *io.PipeWriter) error {
	for {
		c.mu.Lock()
		a := c.ack
		c.mu.Unlock()
		a.mark = c.meter.reading()
		if _, err := w.Write(appendFrame(nil, frameAck, a.append(nil))); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return w.CloseWithError(io.ErrClosedPipe)
		case <-c.changed:
		case <-c.Clock.After(c.Heartbeat):
		}
	}
}

// watch ends the connection to a source that says nothing.
func (c *connection) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	for c.Clock.Sleep(ctx, c.Patience/4) == nil {
		c.mu.Lock()
		since := c.waiting
		c.mu.Unlock()
		if !since.IsZero() && c.Clock.Now().Sub(since) > c.Patience {
			cancel(&tandem.Error{Op: "follow", Subject: c.Service, Kind: tandem.Unavailable, Err: fmt.Errorf("the source has said nothing for %s", c.Patience)})
			return
		}
	}
}

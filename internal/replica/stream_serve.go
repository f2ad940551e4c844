package replica

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tandem"
)

// StreamPath is where a node's internal listener, which demands a certificate of Tandem's CA, serves the stream.
const StreamPath = "/tandem/v1/stream"

const (
	streamVersion = 1
	streamType    = "application/vnd.tandem.stream"
	// defaultPatience is how long one side waits for the other to say anything.
	defaultPatience = 5 * time.Second
)

// ServerConfig describes a Server.
type ServerConfig struct {
	// Source finds the source of a service by its ARM id; an error of kind NotFound or Denied is answered so.
	Source   func(ctx context.Context, service string) (*Source, error)
	Clock    tandem.Clock
	Log      *slog.Logger
	Patience time.Duration // zero: five seconds
	// Acknowledged is told that a follower of the service, by its name, has applied everything that was committed before
	// the reading of the source's clock (Entry.Age). Nil: nobody is.
	Acknowledged func(service, follower string, age time.Duration)
}

// bootHeader tells a follower Entry.Boot of all entries of the answer.
const bootHeader = "Tandem-Boot"

// Server sends the histories of services to followers: one long POST request each, entries in the answer, acknowledgements
// in the request's body. It is an http.Handler; Close ends all streams.
type Server struct {
	ServerConfig
	life context.Context
	end  context.CancelCauseFunc

	mu       sync.Mutex
	sessions map[*session]struct{}
}

// NewServer makes a server.
func NewServer(c ServerConfig) *Server {
	if c.Patience <= 0 {
		c.Patience = defaultPatience
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{ServerConfig: c, sessions: map[*session]struct{}{}}
	s.life, s.end = context.WithCancelCause(context.Background())
	return s
}

// Close ends all streams; followers come back to whoever serves then.
func (s *Server) Close() {
	s.end(&tandem.Error{Op: "serve stream", Kind: tandem.Closed})
}

// session is one follower.
type session struct {
	service, follower string
	source            *Source
	clock             tandem.Clock
	acknowledged      func(service, follower string, age time.Duration)
	end               context.CancelCauseFunc

	mu     sync.Mutex
	heard  time.Time // of the last acknowledgement
	ack    acknowledgement
	newest tandem.Revision
}

// acknowledgement is what a follower says: how far it is, the source's reading at the last beat it applied, and its own clock.
type acknowledgement struct {
	revision tandem.Revision
	age      time.Duration
	mark     time.Duration
}

func (a acknowledgement) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(a.revision))
	b = binary.AppendUvarint(b, uint64(max(0, a.age)))
	return binary.AppendUvarint(b, uint64(max(0, a.mark)))
}

func (d *decoder) acknowledgement() acknowledgement {
	return acknowledgement{tandem.Revision(d.number()), time.Duration(d.number()), time.Duration(d.number())}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, err := parsePosition(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	service := r.URL.Query().Get("service")
	source, err := s.Source(r.Context(), service)
	if err != nil {
		http.Error(w, err.Error(), statusOf(err))
		return
	}
	now := s.Clock.Now()
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	n := &session{service: service, follower: r.URL.Query().Get("follower"), source: source, clock: s.Clock, acknowledged: s.Acknowledged, end: end, heard: now}
	s.mu.Lock()
	s.sessions[n] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.sessions, n)
		s.mu.Unlock()
	}()
	err = s.stream(w, r.WithContext(ctx), n, from)
	s.Log.Info("a replication stream ended", "service", service, "follower", n.follower, "error", err)
}

func statusOf(err error) int {
	switch tandem.KindOf(err) {
	case tandem.NotFound:
		return http.StatusNotFound
	case tandem.Denied:
		return http.StatusForbidden
	}
	return http.StatusServiceUnavailable
}

func parsePosition(r *http.Request) (Position, error) {
	q := r.URL.Query()
	if r.Method != http.MethodPost || q.Get("version") != strconv.Itoa(streamVersion) {
		return Position{}, fmt.Errorf("this is a stream of version %d, opened with POST; use the same version of Tandem on both sides", streamVersion)
	}
	var n [3]int64
	for i, name := range []string{"epoch", "generation", "revision"} {
		v, err := strconv.ParseInt(q.Get(name), 10, 64)
		if err != nil || v < 0 {
			return Position{}, fmt.Errorf("the %s is not a number", name)
		}
		n[i] = v
	}
	return Position{tandem.Epoch(n[0]), tandem.Generation(n[1]), tandem.Revision(n[2])}, nil
}

// stream runs until either side ends it. All it started has ended when it returns.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, n *session, from Position) error {
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	w.Header().Set("Content-Type", streamType)
	w.Header().Set(bootHeader, strconv.FormatUint(n.source.Boot, 10))
	w.WriteHeader(http.StatusOK)
	if err := control.Flush(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	var running sync.WaitGroup
	running.Go(func() { cancel(n.acknowledgements(r)) })
	running.Go(func() { n.watch(ctx, cancel, s.Patience) })
	running.Go(func() {
		select {
		case <-s.life.Done():
			cancel(context.Cause(s.life))
		case <-ctx.Done():
		}
		// What reads or writes on the connection now is not to wait for a peer that may be gone.
		_ = control.SetReadDeadline(time.Unix(1, 0))
		_ = control.SetWriteDeadline(time.Unix(1, 0))
	})
	out := bufio.NewWriterSize(w, 64<<10)
	err := n.source.Follow(ctx, from, n.mark, func(e Entry) error {
		n.mu.Lock()
		n.newest = max(n.newest, e.Newest)
		n.mu.Unlock()
		if err := writeEntry(out, e); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
		return control.Flush()
	})
	cause := context.Cause(ctx)
	cancel(err)
	running.Wait()
	if cause != nil {
		err = cause
	}
	return err
}

// acknowledgements reads what the follower says, until it says no more.
func (n *session) acknowledgements(r *http.Request) error {
	for {
		k, payload, err := readFrame(r.Body)
		if err != nil {
			return err
		}
		d := &decoder{b: payload}
		a := d.acknowledgement()
		if err := d.end(); err != nil {
			return err
		}
		if k != frameAck {
			return badFrame(fmt.Errorf("a frame of kind %d is no acknowledgement", k))
		}
		n.mu.Lock()
		further := a.age > n.ack.age
		n.heard, n.ack = n.clock.Now(), a
		n.mu.Unlock()
		if further && n.acknowledged != nil {
			n.acknowledged(n.service, n.follower, a.age)
		}
	}
}

func (n *session) mark() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ack.mark
}

// watch ends the session of a follower that says nothing.
func (n *session) watch(ctx context.Context, cancel context.CancelCauseFunc, patience time.Duration) {
	for n.clock.Sleep(ctx, patience/4) == nil {
		n.mu.Lock()
		silent := n.clock.Now().Sub(n.heard)
		n.mu.Unlock()
		if silent > patience {
			cancel(&tandem.Error{Op: "serve stream", Subject: n.follower, Kind: tandem.Unavailable, Err: fmt.Errorf("the follower has said nothing for %s", silent)})
			return
		}
	}
}

// End ends the streams of one service: it is no primary any more.
func (s *Server) End(service string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := range s.sessions {
		if strings.EqualFold(n.service, service) {
			n.end(&tandem.Error{Op: "serve stream", Subject: service, Kind: tandem.Closed})
		}
	}
}

// FollowerLag is the lag of one follower as its source measures it.
type FollowerLag struct {
	Service, Follower string
	Lag
}

// Lags are the lags of all followers that are connected. Bound is the source's own measure: the time since the last
// acknowledged beat was made.
func (s *Server) Lags() []FollowerLag {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []FollowerLag
	for n := range s.sessions {
		out = append(out, n.lag())
	}
	slices.SortFunc(out, func(a, b FollowerLag) int {
		if a.Service != b.Service {
			return compareText(a.Service, b.Service)
		}
		return compareText(a.Follower, b.Follower)
	})
	return out
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (n *session) lag() FollowerLag {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := Lag{Known: n.ack.age > 0, Applied: n.ack.revision, Newest: n.newest, Commits: max(0, int64(n.newest-n.ack.revision)), Attached: true}
	if l.Known {
		l.Bound = tandem.Boottime(n.clock) - n.ack.age
		if l.Commits > 0 {
			l.Seconds = l.Bound.Seconds()
		}
	}
	return FollowerLag{n.service, n.follower, l}
}

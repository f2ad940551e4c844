package replica

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"tandem"
	"tandem/internal/policy"
)

// Counter is one rate limit's or quota's count in its period.
type Counter = policy.Counter

// CounterKey hashes the key of a counter.
func CounterKey(key string) [sha256.Size]byte { return policy.CounterKey(key) }

// Counters is what replication needs of the gateways' counters.
type Counters interface {
	// Export gives the counters that changed since the last Export; their number is bounded by the caller's max, and
	// what is left comes with the next one.
	Export(max int) []Counter
	// Import takes what the primary counted: a count never falls below what is known here in the same period, so that
	// what comes twice or late is counted once.
	Import([]Counter)
}

// CountersPath is where a node's internal listener takes counters.
const CountersPath = "/tandem/v1/counters"

const (
	countersType  = "application/vnd.tandem.counters"
	maxCounters   = 1 << 15 // in one request: less than a frame holds
	frameCounters = frameKind(10)
)

func appendCounters(b []byte, all []Counter) []byte {
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, c := range all {
		b = append(b, c.Key[:]...)
		for _, v := range []int64{c.Current, c.Before, int64(c.Elapsed)} {
			b = binary.AppendUvarint(b, uint64(max(0, v)))
		}
	}
	return b
}

func (d *decoder) counters() []Counter {
	n := d.uint()
	if n > maxCounters || n > uint64(len(d.b)) {
		d.fail("it has too many counters")
		return nil
	}
	out := make([]Counter, 0, n)
	for range n {
		var c Counter
		if d.err == nil && len(d.b) < len(c.Key) {
			d.fail("it is too short")
		}
		if d.err != nil {
			return nil
		}
		d.b = d.b[copy(c.Key[:], d.b):]
		c.Current, c.Before, c.Elapsed = d.number(), d.number(), time.Duration(d.number())
		out = append(out, c)
	}
	return out
}

// CounterSender sends what the primary's gateways count to the standby's region, so that a failover admits at most what one
// interval admits beyond the limits.
type CounterSender struct {
	Address  string // of the standby's node with CountersPath
	Service  string // the ARM id of the standby
	Client   *http.Client
	Counters Counters
	Clock    tandem.Clock
	Every    time.Duration // zero: half a second
}

// Run sends until ctx ends, which is its error. What one request loses is sent with the next change of each counter;
// failed, which may be nil, is told of it.
func (s *CounterSender) Run(ctx context.Context, failed func(error)) error {
	every := s.Every
	if every <= 0 {
		every = defaultHeartbeat
	}
	for {
		if err := s.Clock.Sleep(ctx, every); err != nil {
			return err
		}
		for {
			all := s.Counters.Export(maxCounters)
			if len(all) == 0 {
				break
			}
			if err := s.send(ctx, all); err != nil && ctx.Err() == nil {
				if failed != nil {
					failed(err)
				}
				break
			}
		}
	}
}

func (s *CounterSender) send(ctx context.Context, all []Counter) error {
	body := appendFrame(nil, frameCounters, appendCounters(nil, all))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", countersType)
	req.URL.RawQuery = url.Values{"service": {s.Service}}.Encode()
	resp, err := s.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it has no body to lose
	if resp.StatusCode != http.StatusNoContent {
		return &tandem.Error{Op: "send counters", Subject: s.Service, Kind: tandem.Unavailable, Err: fmt.Errorf("the standby's node answered %s", resp.Status)}
	}
	return nil
}

// CounterHandler takes counters for the services that find knows.
func CounterHandler(find func(ctx context.Context, service string) (Counters, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		counters, err := find(r.Context(), r.URL.Query().Get("service"))
		if err != nil {
			http.Error(w, err.Error(), statusOf(err))
			return
		}
		k, payload, err := readFrame(io.LimitReader(r.Body, maxFrame+frameOverhead))
		d := &decoder{b: payload}
		all := d.counters()
		if err = errors.Join(err, d.end()); err != nil || k != frameCounters || r.Method != http.MethodPost {
			http.Error(w, "this is no set of counters", http.StatusBadRequest)
			return
		}
		counters.Import(all)
		w.WriteHeader(http.StatusNoContent)
	})
}

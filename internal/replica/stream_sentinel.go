package replica

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"tandem"
)

// Sentinel measures the true lag from end to end: what is written at the primary's management plane is read through the
// standby's gateway. Both are the caller's: for a Tandem service a named value that a mock operation of an API of its own returns.
type Sentinel struct {
	Clock tandem.Clock
	// Write stores the text at the primary and returns when the write is acknowledged.
	Write func(ctx context.Context, text string) error
	// Read asks the standby's gateway for the text as it serves it now.
	Read func(ctx context.Context) (string, error)
	// Every is the pause between reads; zero: 20 milliseconds. It bounds the precision.
	Every time.Duration
}

// Measurement is one round of a Sentinel.
type Measurement struct {
	Write time.Duration // until the primary acknowledged
	Lag   time.Duration // from the acknowledgement until the standby's gateway served it
	Reads int
}

// Measure writes a text that nobody has used, and reads until the standby serves it or ctx ends; then the error is
// Unavailable, and Lag is the time that was waited: the lag is at least that. One clock, this machine's, measures all.
func (s *Sentinel) Measure(ctx context.Context) (Measurement, error) {
	text := rand.Text()
	every := s.Every
	if every <= 0 {
		every = 20 * time.Millisecond
	}
	var m Measurement
	begin := s.Clock.Now()
	if err := s.Write(ctx, text); err != nil {
		return m, &tandem.Error{Op: "write sentinel", Kind: tandem.Unavailable, Err: err, Remedy: "see whether the primary accepts writes"}
	}
	written := s.Clock.Now()
	m.Write = written.Sub(begin)
	var last error
	for {
		m.Reads++
		got, err := s.Read(ctx)
		m.Lag = s.Clock.Now().Sub(written)
		if err == nil && got == text {
			return m, nil
		}
		if last = err; err == nil {
			last = fmt.Errorf("an older one is served")
		}
		if s.Clock.Sleep(ctx, every) != nil {
			return m, &tandem.Error{Op: "read sentinel", Kind: tandem.Unavailable, Err: fmt.Errorf("not served within %s: %w", m.Lag, last), Remedy: "see whether the stream runs and the standby's gateway follows its store"}
		}
	}
}

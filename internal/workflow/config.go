package workflow

import (
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"tandem"
	"tandem/internal/store"
)

// Sealer encrypts what must not rest in the clear, bound to where it belongs. keys.Master is one.
type Sealer interface {
	Seal(plaintext, context []byte) (string, error)
	Open(sealed string, context []byte) ([]byte, error)
}

// Config says what an Engine or a Provider works with. Store, Sealer and Clock are needed.
type Config struct {
	Store  store.Store
	Sealer Sealer
	Clock  tandem.Clock
	Log    *slog.Logger // nil: nothing is logged

	Hosts    map[string]Endpoint // where host names that workflows use are served here, by host or host:port
	Tokens   TokenSource         // tokens of the managed identity; nil: workflows that use one are refused
	BaseURL  string              // scheme and host of the address at which Request triggers are called
	Location string              // the region that workflows without a location get

	RequestTimeout time.Duration // of one HTTP request; 0: 2 minutes
	PollInterval   time.Duration // between polls of an asynchronous operation that names no Retry-After; 0: 10 s
	CatchUp        time.Duration // a recurrence that was missed by no more than this fires late; 0: 10 minutes
	Retention      time.Duration // how long finished runs are kept; 0: 90 days
	KeepRuns       int           // how many finished runs of one workflow are kept at most; 0: 1000
}

func (c *Config) fill() error {
	for name, missing := range map[string]bool{"Store": c.Store == nil, "Sealer": c.Sealer == nil, "Clock": c.Clock == nil} {
		if missing {
			return &tandem.Error{Op: "set up workflows", Subject: name, Kind: tandem.Invalid, Remedy: "set it in workflow.Config"}
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	def := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	def(&c.RequestTimeout, 2*time.Minute)
	def(&c.PollInterval, 10*time.Second)
	def(&c.CatchUp, 10*time.Minute)
	def(&c.Retention, 90*24*time.Hour)
	if c.KeepRuns == 0 {
		c.KeepRuns = 1000
	}
	return nil
}

func newGUID() string { return uuid.NewString() }

func drawn(n int64) int64 { return rand.Int64N(n) }

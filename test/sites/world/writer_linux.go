package world

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"tandem/internal/arm"
)

// Write is one change of a named value and what became of it.
type Write struct {
	Site        string // of the service that it was sent to
	Name        string
	N           int // the value; it rises with every write to a site
	Sent, Ended time.Time
	OK          bool   // it was acknowledged
	Why         string // the code of a refusal; "unknown" where no answer came: it may have been done
}

// unknown is why of a write without an answer.
const unknown = "unknown"

// Writer writes to the service of a site again and again. Every second write goes to the value that clients see, the others
// to twenty values in turn, so that a lost write is not hidden by the one after it.
type Writer struct {
	w    *World
	site string
	mu   sync.Mutex
	all  []Write
}

// NewWriter makes a writer to the service of a site.
func (w *World) NewWriter(site string) *Writer { return &Writer{w: w, site: site} }

// Run writes until ctx ends, one write after the other.
func (wr *Writer) Run(ctx context.Context, every time.Duration) {
	for n := 1; ctx.Err() == nil; n++ {
		began := wr.w.Clock.Now()
		wr.once(context.WithoutCancel(ctx), n)
		if rest := every - wr.w.Clock.Now().Sub(began); rest > 0 {
			_ = wr.w.Clock.Sleep(ctx, rest) // ended by ctx, which the loop looks at
		}
	}
}

func (wr *Writer) once(ctx context.Context, n int) {
	x := Write{Site: wr.site, Name: sequence, N: n, Sent: wr.w.Clock.Now()}
	if n%2 == 0 {
		x.Name = ledger(n / 2)
	}
	err := put(ctx, wr.w.clients.writer[wr.site], wr.w.servicePath(wr.site)+"/namedValues/"+x.Name, props(object{"displayName": x.Name, "value": strconv.Itoa(n)}))
	x.Ended = wr.w.Clock.Now()
	var refused *arm.Error
	switch {
	case err == nil:
		x.OK = true
	case errors.As(err, &refused):
		x.Why = strconv.Itoa(refused.Status) + " " + refused.Code
	default:
		x.Why = unknown
	}
	wr.mu.Lock()
	defer wr.mu.Unlock()
	wr.all = append(wr.all, x)
}

// All gives all writes in the order in which they were sent.
func (wr *Writer) All() []Write {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	return append([]Write(nil), wr.all...)
}

// Values reads the named values that writers write, from the service of a site.
func (w *World) Values(ctx context.Context, site string) (map[string]int, error) {
	out := map[string]int{}
	names := []string{sequence}
	for i := range ledgers {
		names = append(names, ledger(i))
	}
	for _, name := range names {
		var v struct{ Properties struct{ Value string } }
		resp, err := w.clients.operator.Do(ctx, get(w.servicePath(site)+"/namedValues/"+name))
		if err == nil {
			err = resp.Decode(&v)
		}
		if err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(v.Properties.Value)
		if err != nil {
			return nil, err
		}
		out[name] = n
	}
	return out, nil
}

// Lost gives the acknowledged writes that values do not have: of each name, those above the value that stands. A value may
// be above the newest acknowledged one: a write without an answer may have been done.
func Lost(all []Write, values map[string]int) (lost []Write) {
	for _, x := range all {
		if x.OK && x.N > values[x.Name] {
			lost = append(lost, x)
		}
	}
	return lost
}

package world

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"tandem/internal/rehearsal/parcels"
)

// Call is one request of a client, with the DNS question before it, and what became of it.
type Call struct {
	Began, Ended time.Time
	Site         string // that DNS named; "": none
	Failed       string // why there was no answer of the API; "": there was one
	Wrong        string // what the answer has that it should not have; "": it is right
	Sequence     int    // the named value that it was served with
}

// Good tells whether the client got what it should.
func (c Call) Good() bool { return c.Failed == "" && c.Wrong == "" }

// Caller calls the API at a steady rate, each request by itself, so that a slow one does not hold the next one up.
type Caller struct {
	w   *World
	mu  sync.Mutex
	all []Call
}

// NewCaller makes a caller.
func (w *World) NewCaller() *Caller { return &Caller{w: w} }

// Run calls until ctx ends, and then waits for the calls under way.
func (c *Caller) Run(ctx context.Context, every time.Duration) {
	var under sync.WaitGroup
	for n := 0; ctx.Err() == nil; n++ {
		under.Go(func() { c.once(context.WithoutCancel(ctx), n) })
		_ = c.w.Clock.Sleep(ctx, every) // ended by ctx, which the loop looks at
	}
	under.Wait()
}

func (c *Caller) once(ctx context.Context, n int) {
	x := Call{Began: c.w.Clock.Now()}
	ip, err := c.w.Resolve(ctx)
	if err == nil {
		x.Site = c.w.SiteOf(ip)
		err = c.ask(ctx, &x, parcels.Known()[n%len(parcels.Known())])
	}
	if err != nil {
		x.Failed = err.Error()
	}
	x.Ended = c.w.Clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, x)
}

// ask calls the gateway that DNS named and looks at its answer. A gateway that says that it cannot serve has failed, it is
// not wrong.
func (c *Caller) ask(ctx context.Context, x *Call, want parcels.Parcel) error {
	if x.Site == "" {
		x.Wrong = "DNS gave an address of no site"
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+c.w.At(x.Site, gatewayPort)+"/parcels-api/parcels/"+want.ID, nil)
	if err != nil {
		return err
	}
	req.Host = trafficName
	req.Header.Set("Ocp-Apim-Subscription-Key", c.w.Key)
	resp, err := c.w.clients.data.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it is read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 500 {
		return fmt.Errorf("the gateway answered %s: %s", resp.Status, body)
	}
	x.Wrong = wrong(resp, body, want, x)
	return nil
}

// wrong tells what is wrong with an answer: a status, another parcel, another service than the address is of, a policy that
// did not run, or two generations in one request (law 2).
func wrong(resp *http.Response, body []byte, want parcels.Parcel, x *Call) string {
	var got parcels.Parcel
	before, after := resp.Header.Get("X-Sequence-Before"), resp.Header.Get("X-Sequence")
	n, err := strconv.Atoi(after)
	x.Sequence = n
	switch by := resp.Header.Get("X-Served-By"); {
	case resp.StatusCode != http.StatusOK:
		return fmt.Sprintf("status %d from %s: %s", resp.StatusCode, x.Site, body)
	case json.Unmarshal(body, &got) != nil || got != want:
		return fmt.Sprintf("another body from %s than parcel %s: %s", x.Site, want.ID, body)
	case by != service(x.Site):
		return fmt.Sprintf("X-Served-By is %q at %s", by, x.Site)
	case err != nil:
		return fmt.Sprintf("X-Sequence is %q: the policy of %s did not run", after, x.Site)
	case before != after:
		return fmt.Sprintf("one request was served with %s and with %s at %s (law 2)", before, after, x.Site)
	}
	return ""
}

// All gives all calls that have ended, in the order in which they began.
func (c *Caller) All() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := slices.Clone(c.all)
	slices.SortFunc(out, func(a, b Call) int { return a.Began.Compare(b.Began) })
	return out
}

package rehearsal

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/miekg/dns"

	"tandem"
	"tandem/internal/rehearsal/parcels"
)

// caller is a client of the API that resolves the traffic name through Tandem's DNS server at every request and calls at a
// steady rate. Each answer is checked: a failed call is one without an answer from the API, a wrong one has an answer that
// it should not have.
type caller struct {
	w        *World
	key      string
	regions  map[netip.Addr]tandem.Region
	http     *http.Client
	mu       sync.Mutex
	sent     int
	failed   int
	wrong    int
	firsts   []string // the first few reasons of wrong answers
	timeline []call
	byRegion map[tandem.Region]*endpointCalls
}

// call is one good answer or failure in time.
type call struct {
	at     time.Time
	region tandem.Region // empty: no answer
	ok     bool
	took   time.Duration
}

type endpointCalls struct{ Sent, Failed int }

// callEvery is the pause between calls, callWithin how long one may take.
const (
	callEvery  = 20 * time.Millisecond
	callWithin = 2 * time.Second
)

func (w *World) newCaller(key string) (*caller, error) {
	c := &caller{w: w, key: key, regions: map[netip.Addr]tandem.Region{}, byRegion: map[tandem.Region]*endpointCalls{}}
	for region, site := range map[tandem.Region]Site{PrimaryRegion: w.Primary, StandbyRegion: w.Standby} {
		ip, err := netip.ParseAddr(site.Address)
		if err != nil {
			return nil, err
		}
		c.regions[ip] = region
	}
	c.http = w.dataClient(TrafficName)
	return c, nil
}

// dataClient calls gateways under a name, whatever address is dialled, as a browser with a DNS answer does.
func (w *World) dataClient(name string) *http.Client {
	return &http.Client{Timeout: callWithin, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: w.ca.Pool(), ServerName: name, MinVersion: tls.VersionTLS12}}}
}

// resolve asks Tandem's DNS server for the traffic name.
func (w *World) resolve(ctx context.Context) (netip.Addr, error) {
	q := new(dns.Msg).SetQuestion(dns.Fqdn(TrafficName), dns.TypeA)
	c := &dns.Client{Timeout: time.Second}
	r, _, err := c.ExchangeContext(ctx, q, w.Endpoints.DNSAddr)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, rr := range r.Answer {
		if a, ok := rr.(*dns.A); ok {
			ip, _ := netip.AddrFromSlice(a.A.To4())
			return ip, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("the name %s has no address: %s", TrafficName, dns.RcodeToString[r.Rcode])
}

// run calls until ctx ends, each call in a goroutine of its own, so that a slow one does not slow the rate.
func (c *caller) run(ctx context.Context) {
	var calls sync.WaitGroup
	for n := 0; ctx.Err() == nil; n++ {
		calls.Go(func() { c.once(context.WithoutCancel(ctx), n) })
		_ = c.w.clock.Sleep(ctx, callEvery) // ended by ctx, which the loop looks at
	}
	calls.Wait()
}

func (c *caller) once(ctx context.Context, n int) {
	began := c.w.clock.Now()
	ip, err := c.w.resolve(ctx)
	region := c.regions[ip]
	var wrong error
	if err == nil {
		want := parcels.Known()[n%len(parcels.Known())]
		var got answer
		got, err = c.w.ask(ctx, c.http, ip, "/parcels-api/parcels/"+want.ID, c.key)
		if err == nil {
			wrong = got.check(want, region)
		}
	}
	now := c.w.clock.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent++
	e := c.byRegion[region]
	if e == nil {
		e = &endpointCalls{}
		c.byRegion[region] = e
	}
	e.Sent++
	entry := call{at: now, took: now.Sub(began)}
	switch {
	case err != nil:
		c.failed++
		e.Failed++
	case wrong != nil:
		c.wrong++
		if len(c.firsts) < 5 {
			c.firsts = append(c.firsts, wrong.Error())
		}
	default:
		entry.region, entry.ok = region, true
	}
	c.timeline = append(c.timeline, entry)
}

// answer is what a call to the API gave.
type answer struct {
	status   int
	body     []byte
	servedBy string
	sequence string
	header   http.Header
}

// errRefused is an answer that says that the gateway cannot serve now; it is a failure, not a wrong answer.
var errRefused = errors.New("the gateway answered that it cannot serve")

// ask calls one gateway by its address.
func (w *World) ask(ctx context.Context, c *http.Client, ip netip.Addr, path, key string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort(ip.String(), strconv.Itoa(w.GatewayPort))+path, nil)
	if err != nil {
		return answer{}, err
	}
	req.Host = TrafficName
	if key != "" {
		req.Header.Set("Ocp-Apim-Subscription-Key", key)
	}
	resp, err := c.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // it is read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, body: body, servedBy: resp.Header.Get("X-Served-By"), sequence: resp.Header.Get("X-Sequence"), header: resp.Header}
	if a.status >= 500 {
		return a, fmt.Errorf("%w: %d %s", errRefused, a.status, body)
	}
	return a, nil
}

// check tells what is wrong with an answer: another status, another parcel, another service than the address is of, or a
// policy that did not run.
func (a answer) check(want parcels.Parcel, region tandem.Region) error {
	service := map[tandem.Region]string{PrimaryRegion: PrimaryService, StandbyRegion: StandbyService}[region]
	var got parcels.Parcel
	switch err := json.Unmarshal(a.body, &got); {
	case a.status != http.StatusOK:
		return fmt.Errorf("status %d from %s: %s", a.status, region, a.body)
	case err != nil || got != want:
		return fmt.Errorf("another body from %s than parcel %s: %s", region, want.ID, a.body)
	case a.servedBy != service+"/"+string(region):
		return fmt.Errorf("X-Served-By is %q at the address of %s", a.servedBy, region)
	case a.sequence == "":
		return fmt.Errorf("X-Sequence is missing: the policy of %s did not run", region)
	case a.header.Get("X-Operation") != "parcels:get-parcel":
		return fmt.Errorf("X-Operation is %q from %s", a.header.Get("X-Operation"), region)
	}
	return nil
}

// outage gives the last good answer of one region before, and the first good one of another after, a moment.
func (c *caller) outage(from, to tandem.Region, after time.Time) (last, first time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries := slices.Clone(c.timeline)
	slices.SortFunc(entries, func(a, b call) int { return a.at.Compare(b.at) })
	for _, e := range entries {
		if e.ok && e.region == from {
			last = e.at
		}
		if e.ok && e.region == to && first.IsZero() && e.at.After(after) {
			first = e.at
		}
	}
	return last, first
}

// seconds counts calls by second since the first and by region.
func (c *caller) seconds() []Second {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.timeline) == 0 {
		return nil
	}
	start := c.timeline[0].at
	for _, e := range c.timeline {
		if e.at.Before(start) {
			start = e.at
		}
	}
	var out []Second
	for _, e := range c.timeline {
		n := int(e.at.Sub(start) / time.Second)
		for len(out) <= n {
			out = append(out, Second{At: len(out), Good: map[string]int{}})
		}
		if e.ok {
			out[n].Good[string(e.region)]++
		} else {
			out[n].Failed++
		}
	}
	return out
}

// Command soak runs a gateway on loopback under a steady load while its configuration changes every second and its backend
// restarts now and then, and fails where a request fails, or goroutines, memory or open files grow.
//
//	go run ./bench/soak                      # ten minutes at 5,000 requests/s
//	go run ./bench/soak -for 20s -rate 1000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/gateway"
	"tandem/internal/policy"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

func main() {
	rate := flag.Int("rate", 5000, "requests per second")
	long := flag.Duration("for", 10*time.Minute, "how long")
	conns := flag.Int("conns", 64, "connections")
	every := flag.Duration("change", time.Second, "time between changes of the configuration; every tenth is a whole new generation")
	restart := flag.Duration("restart", 20*time.Second, "time between restarts of the backend; 0: none. What fails meanwhile is counted apart")
	flag.Parse()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := run(ctx, *rate, *conns, *long, *every, *restart); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// plain seals nothing: there is no secret in a soak.
type plain struct{}

// Seal implements apim.Sealer.
func (plain) Seal(p, _ []byte) (string, error) { return string(p), nil }

// Open implements apim.Sealer.
func (plain) Open(s string, _ []byte) ([]byte, error) { return []byte(s), nil }

func run(ctx context.Context, rate, conns int, long, every, restart time.Duration) error {
	back := &backend{}
	if err := back.start(); err != nil {
		return err
	}
	defer back.stop()
	space, err := store.OpenSpace(ctx, storetest.Memory(), "apim/soak")
	if err != nil {
		return err
	}
	config := &configuration{space: space, backend: "http://" + back.address}
	if err := config.put(ctx, config.documents(0)); err != nil {
		return err
	}
	clock := tandem.SystemClock{}
	g := gateway.New(gateway.Config{Service: "soak", Space: space, Sealer: plain{}, Clock: clock, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Host: policy.Host{Cache: policy.NewMemoryCache(clock, 1<<20)}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = g.Run(running) })
	wg.Go(func() { _ = gateway.NewFront(g, 5*time.Second).Serve(running, l) })
	defer func() { stop(); wg.Wait(); g.Close() }()
	if err := g.WaitFor(ctx, 1, 1); err != nil {
		return err
	}
	return soak(ctx, config, back, "http://"+l.Addr().String(), rate, conns, long, every, restart)
}

// soak loads the gateway and compares its size early and late.
func soak(ctx context.Context, config *configuration, back *backend, url string, rate, conns int, long, every, restart time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns}}
	var done, failed, meanwhile atomic.Int64
	var wg sync.WaitGroup
	turns := make(chan struct{}, rate)
	for range conns {
		wg.Go(func() {
			for range turns {
				restarts := back.restarts.Load()
				err := ask(client, url)
				if err != nil && restart > 0 && (back.away.Load() || back.restarts.Load() != restarts) {
					meanwhile.Add(1)
				} else if err != nil {
					if failed.Add(1) <= 10 {
						fmt.Fprintln(os.Stderr, "failed:", err)
					}
				}
				done.Add(1)
			}
		})
	}
	wg.Go(func() { config.change(ctx, every) })
	wg.Go(func() { schedule(ctx, turns, rate) })
	if restart > 0 {
		wg.Go(func() { back.restart(ctx, restart) })
	}
	early := size(ctx, long/5)
	late := size(ctx, 0)
	wg.Wait()
	client.CloseIdleConnections()
	fmt.Printf("%d requests, %d failed, %d changes; %d restarts of the backend, %d failed meanwhile\ngoroutines %d early, %d late\nheap in use %d MiB early, %d MiB late\nopen files %d early, %d late\n",
		done.Load(), failed.Load(), config.changes.Load(), back.restarts.Load(), meanwhile.Load(), early.goroutines, late.goroutines, early.heap>>20, late.heap>>20, early.files, late.files)
	switch {
	case failed.Load() > 0:
		return fmt.Errorf("%d of %d requests failed", failed.Load(), done.Load())
	case back.err != nil:
		return back.err
	case config.err != nil:
		return config.err
	case late.goroutines > early.goroutines+early.goroutines/4+32:
		return errors.New("goroutines grow")
	case late.files > early.files+early.files/4+32:
		return errors.New("open files grow")
	case late.heap > early.heap+early.heap/2+16<<20:
		return errors.New("memory grows")
	}
	return nil
}

func ask(client *http.Client, url string) error {
	resp, err := client.Get(url + "/api/7")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || n != 1024 || resp.Header.Get("X-One") == "" || resp.Header.Get("X-One") != resp.Header.Get("X-Two")) {
		err = fmt.Errorf("status %d, %d bytes, generations %q and %q", resp.StatusCode, n, resp.Header.Get("X-One"), resp.Header.Get("X-Two"))
	}
	return err
}

// schedule gives out the turns of each hundredth of a second. Turns that nobody takes are let go: the load is steady, not
// a queue.
func schedule(ctx context.Context, turns chan<- struct{}, rate int) {
	defer close(turns)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for range max(rate/100, 1) {
			select {
			case turns <- struct{}{}:
			default:
			}
		}
	}
}

type sizes struct {
	goroutines int
	files      int
	heap       uint64
}

// size measures after a while, or just before the end where after is zero.
func size(ctx context.Context, after time.Duration) sizes {
	if deadline, ok := ctx.Deadline(); ok && after == 0 {
		after = max(time.Until(deadline)-time.Second, 0)
	}
	select {
	case <-tandem.SystemClock{}.After(after):
	case <-ctx.Done():
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		files = nil // only Linux tells them
	}
	return sizes{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

// configuration is the service under soak. Both headers of an answer tell the change that it was served by (law 2).
type configuration struct {
	space   *store.Space
	backend string
	changes atomic.Int64
	err     error
}

func (c *configuration) documents(n int64) []*apim.Document {
	document := func(typ string, ids []string, props map[string]any) *apim.Document {
		return &apim.Document{IDs: ids, Type: typ, Key: apim.Key(typ, ids), Properties: props}
	}
	header := func(name string) string {
		return fmt.Sprintf(`<policies><inbound><base /></inbound><backend><base /></backend><outbound><base /><set-header name="%s" exists-action="override"><value>%d</value></set-header></outbound></policies>`, name, n)
	}
	docs := []*apim.Document{
		document("apis", []string{"api;rev=1"}, map[string]any{"path": "api", "subscriptionRequired": false, "serviceUrl": c.backend}),
		document(apim.RootType, []string{"api"}, map[string]any{"current": "1"}),
		document("apis.operations", []string{"api;rev=1", "get"}, map[string]any{"method": "GET", "urlTemplate": "/{id}"}),
		document("apis.policies", []string{"api;rev=1", "policy"}, map[string]any{"value": header("X-One")}),
		document("apis.operations.policies", []string{"api;rev=1", "get", "policy"}, map[string]any{"value": header("X-Two")})}
	for i := range 100 {
		docs = append(docs, document("apis", []string{fmt.Sprintf("idle-%d;rev=1", i)}, map[string]any{"path": fmt.Sprintf("idle/%d", i), "serviceUrl": c.backend}))
	}
	return docs
}

func (c *configuration) put(ctx context.Context, docs []*apim.Document) error {
	var b store.Batch
	for _, d := range docs {
		w, err := d.Write()
		if err != nil {
			return err
		}
		b.Put = append(b.Put, w)
	}
	_, err := c.space.Commit(ctx, b)
	return err
}

// change changes the configuration until ctx ends.
func (c *configuration) change(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := int64(1); ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var err error
		if n%10 == 0 {
			err = c.swap(ctx, n)
		} else {
			err = c.put(ctx, c.documents(n)[3:5])
		}
		if err != nil && ctx.Err() == nil {
			c.err = err
			return
		}
		c.changes.Store(n)
	}
}

// swap makes a whole generation and switches to it.
func (c *configuration) swap(ctx context.Context, n int64) error {
	owner := fmt.Sprint("soak-", n)
	if err := c.space.Lock(ctx, owner, "soak"); err != nil {
		return err
	}
	stage, err := c.space.Stage(ctx, owner, func(yield func(store.Write, error) bool) {
		for _, d := range c.documents(n) {
			if w, err := d.Write(); !yield(w, err) {
				return
			}
		}
	})
	if err == nil {
		_, err = stage.Swap(ctx)
	}
	return errors.Join(err, c.space.Unlock(ctx, owner), c.space.Sweep(ctx))
}

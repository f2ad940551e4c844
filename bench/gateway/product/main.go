// Command product serves Tandem's whole gateway for the comparison of bench/gateway: routes, 10,000 subscriptions, and a
// policy that does what the peers' configurations do (rate limit by key, two header edits, the key taken off).
//
//	go run ./bench/gateway -tandem "/path/to/product -listen {listen} -tls {tls} -backend {backend} -keys {keys} -cert {cert} -key {key}"
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/gateway"
	"tandem/internal/policy"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

const policyText = `<policies>
  <inbound>
    <base />
    <rate-limit-by-key calls="6000000" renewal-period="60" counter-key="@(context.Subscription.Id)" />
    <set-header name="X-Gateway" exists-action="override"><value>tandem</value></set-header>
    <set-header name="Ocp-Apim-Subscription-Key" exists-action="delete" />
  </inbound>
  <backend><base /></backend>
  <outbound><base /><set-header name="X-Served" exists-action="override"><value>tandem</value></set-header></outbound>
</policies>`

// open seals nothing: the keys of the comparison are no secrets.
type open struct{}

func (open) Seal(p, _ []byte) (string, error)        { return string(p), nil }
func (open) Open(s string, _ []byte) ([]byte, error) { return []byte(s), nil }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "product:", err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:8080", "address")
	tlsListen := flag.String("tls", "", "TLS address")
	backend := flag.String("backend", "", "address of the backend")
	keys := flag.String("keys", "", "file of subscription keys, one a line")
	cert := flag.String("cert", "", "certificate file")
	key := flag.String("key", "", "private key file")
	apis := flag.Int("apis", 0, "further APIs, each with 20 operations")
	heap := flag.String("heap", "", "file for a heap profile, written at SIGUSR1")
	profile := flag.String("profile", "", "file for a CPU profile")
	flag.Parse()
	if *heap != "" {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGUSR1)
		go func() {
			for range asked {
				writeHeap(*heap)
			}
		}()
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // a profile that is cut short is read as far as it goes
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	clock := tandem.SystemClock{}
	var err error
	config := gateway.Config{Service: "bench", Sealer: open{}, Clock: clock, Log: slog.New(slog.DiscardHandler), Host: *policy.NewHost(clock)}
	if config.Space, err = filled(ctx, "http://"+*backend, *keys, *apis); err != nil {
		return err
	}
	if *apis > 0 { // what is measured is a gateway, not the store beside it: it starts from its file
		dir, err := os.MkdirTemp("", "bench-product")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // it is in the directory of temporary files
		config.State = dir + "/state.json"
		if err := saved(ctx, config); err != nil {
			return err
		}
		dead := storetest.Memory()
		if config.Space, err = store.OpenSpace(ctx, dead, "apim/bench"); err != nil {
			return err
		}
		if err := dead.Close(); err != nil {
			return err
		}
	}
	g := gateway.New(config)
	defer g.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _ = g.Run(ctx) }) // ends with ctx
	front := gateway.NewFront(g, time.Second)
	if *tlsListen != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return err
		}
		tl, err := net.Listen("tcp", *tlsListen)
		if err != nil {
			return err
		}
		wg.Go(func() {
			_ = front.Serve(ctx, tls.NewListener(tl, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}})) // ends with ctx
		})
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	return front.Serve(ctx, l)
}

// more is a further API with 20 operations.
func more(i int, backend string) []*apim.Document {
	name := fmt.Sprintf("api-%d", i)
	docs := []*apim.Document{
		doc("apis", []string{name + ";rev=1"}, map[string]any{"path": "more/" + name, "displayName": name, "subscriptionRequired": true, "serviceUrl": backend}),
		doc(apim.RootType, []string{name}, map[string]any{"current": "1"}),
		doc("apis.policies", []string{name + ";rev=1", "policy"}, map[string]any{"value": strings.Replace(policyText, "tandem", name, 1)}),
	}
	for o := range 20 {
		docs = append(docs, doc("apis.operations", []string{name + ";rev=1", fmt.Sprintf("op-%d", o)}, map[string]any{"method": "GET", "urlTemplate": fmt.Sprintf("/things/{id}/part-%d", o), "displayName": fmt.Sprintf("op %d", o)}))
	}
	return docs
}

// writeHeap writes what is in memory.
func writeHeap(file string) {
	f, err := os.Create(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, "product:", err)
		return
	}
	defer f.Close() //nolint:errcheck // a profile that is cut short is read as far as it goes
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(os.Stderr, "heap %d MiB live, stacks %d MiB, other %d MiB, idle %d MiB, of which returned %d MiB\n",
		m.HeapAlloc>>20, m.StackInuse>>20, (m.MSpanSys+m.MCacheSys+m.GCSys+m.OtherSys+m.BuckHashSys)>>20, m.HeapIdle>>20, m.HeapReleased>>20)
	if err := pprof.WriteHeapProfile(f); err != nil {
		fmt.Fprintln(os.Stderr, "product:", err)
	}
}

// filled makes a store that holds the service.
func filled(ctx context.Context, backend, keyFile string, apis int) (*store.Space, error) {
	space, err := store.OpenSpace(ctx, storetest.Memory(), "apim/bench")
	if err != nil {
		return nil, err
	}
	return space, fill(ctx, space, backend, keyFile, apis)
}

// saved runs a gateway until it has written its state.
func saved(ctx context.Context, config gateway.Config) error {
	head, err := config.Space.Head(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	g := gateway.New(config)
	defer g.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { _ = g.Run(ctx) }) // ends with ctx
	return g.WaitFor(ctx, head.Active, 1)
}

// fill writes the service: one API at the root and a subscription for each key.
func fill(ctx context.Context, space *store.Space, backend, keyFile string, apis int) error {
	docs := []*apim.Document{
		doc("apis", []string{"bench;rev=1"}, map[string]any{"path": "", "displayName": "bench", "subscriptionRequired": true, "serviceUrl": backend}),
		doc(apim.RootType, []string{"bench"}, map[string]any{"current": "1"}),
		doc("apis.operations", []string{"bench;rev=1", "get"}, map[string]any{"method": "GET", "urlTemplate": "/{*path}", "displayName": "get"}),
		doc("apis.policies", []string{"bench;rev=1", "policy"}, map[string]any{"value": policyText}),
	}
	for i := range apis {
		docs = append(docs, more(i, backend)...)
	}
	f, err := os.Open(keyFile)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	lines := bufio.NewScanner(f)
	for n := 0; lines.Scan(); n++ {
		d := doc("subscriptions", []string{fmt.Sprintf("s%d", n)}, map[string]any{"scope": "/apis", "state": "active", "displayName": fmt.Sprintf("s%d", n)})
		if err := d.SealSecret(open{}, "primaryKey", strings.TrimSpace(lines.Text())); err != nil {
			return err
		}
		docs = append(docs, d)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	for len(docs) > 0 {
		n := min(len(docs), store.SpaceMaxOps)
		var b store.Batch
		for _, d := range docs[:n] {
			w, err := d.Write()
			if err != nil {
				return err
			}
			b.Put = append(b.Put, w)
		}
		if _, err := space.Commit(ctx, b); err != nil {
			return err
		}
		docs = docs[n:]
	}
	return nil
}

func doc(typ string, ids []string, props map[string]any) *apim.Document {
	return &apim.Document{IDs: ids, Type: typ, Key: apim.Key(typ, ids), Properties: props}
}

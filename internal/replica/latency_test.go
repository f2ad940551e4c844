package replica

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"tandem"
	"tandem/internal/snapshot"
	"tandem/internal/snapshot/repository"
	"tandem/internal/vault/dir"
)

// BenchmarkGatewayDuringBackup compares the gateway's median latency in slices with a backup of 50,000 resources running and
// in slices without, interleaved. The ratio is that of the medians over all slices of a kind; backups run one after the other
// with the pause of a second that an eager schedule would have at least.
func BenchmarkGatewayDuringBackup(b *testing.B) {
	if os.Getenv("TANDEM_BENCH_LATENCY") == "" {
		b.Skip("takes a minute of a quiet machine; set TANDEM_BENCH_LATENCY=1")
	}
	ctx := context.Background()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer backend.Close()
	all := append(large(), snapshot.Resource{Path: "apis/probe", Properties: []byte(fmt.Sprintf(`{"path":"probe","displayName":"Probe","protocols":["http","https"],"serviceUrl":%q,"apiRevision":"1","isCurrent":true,"subscriptionRequired":false}`, backend.URL))},
		snapshot.Resource{Path: "apis/probe/operations/get", Properties: []byte(`{"method":"GET","urlTemplate":"/","displayName":"Get"}`)})
	s, err := NewScratch(ctx, tandem.SystemClock{}, snapshot.Manifest{Source: snapshot.Source{Name: "orders", SKU: "Standard"}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // a temporary folder
	if _, err := Apply(ctx, s.Service, "load", "load", all, s); err != nil {
		b.Fatal(err)
	}
	url, err := s.Serve(ctx)
	if err != nil {
		b.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	v, err := dir.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	repo, err := repository.Create(ctx, repository.Config{Vault: v, Clock: tandem.SystemClock{}, Recipients: []age.Recipient{id.Recipient()}, Identities: []age.Identity{id}}, 0)
	if err != nil {
		b.Fatal(err)
	}
	var busy atomic.Bool
	run, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for (tandem.SystemClock{}).Sleep(run, 10*time.Millisecond) == nil {
			if busy.Load() {
				if _, err := SaveService(run, repo, s.Service, s.Record, "westeurope", tandem.SystemClock{}, SaveOptions{}); err != nil && run.Err() == nil {
					b.Error(err)
				}
				_ = (tandem.SystemClock{}).Sleep(run, time.Second)
			}
		}
	}()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	var took [2][]time.Duration
	clock := tandem.SystemClock{}
	for b.Loop() {
		for slice := range 12 {
			kind := slice % 2
			busy.Store(kind == 1)
			for end := clock.Now().Add(2 * time.Second); clock.Now().Before(end); {
				from := clock.Now()
				resp, err := client.Get(url + "/probe/")
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					b.Fatal(resp.Status)
				}
				took[kind] = append(took[kind], clock.Now().Sub(from))
			}
		}
	}
	stop()
	<-done
	median := func(all []time.Duration) float64 {
		slices.SortFunc(all, cmp.Compare)
		return float64(all[len(all)/2])
	}
	b.ReportMetric(median(took[0])/1000, "idle-µs")
	b.ReportMetric(median(took[1])/1000, "backup-µs")
	b.ReportMetric(median(took[1])/median(took[0]), "ratio")
}

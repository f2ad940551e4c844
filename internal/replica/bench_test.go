package replica

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/snapshot"
	"tandem/internal/snapshot/repository"
	"tandem/internal/store"
	"tandem/internal/vault/dir"
)

// large is a service of 50,000 resources: 1,000 APIs with 20 operations each, their policies, 10,000 subscriptions. Texts
// differ as people's do.
func large() []snapshot.Resource {
	random := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("order parcel customer invoice address the of a to returns gives list status track deliver courier route depot time zone weight size price tax refund event stream webhook token client scope tenant region backend cache limit quota header query body path segment template")
	text := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString(words[random.IntN(len(words))] + " ")
		}
		return b.String()
	}
	object := func(v map[string]any) json.RawMessage {
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return raw
	}
	out := []snapshot.Resource{{Properties: object(map[string]any{"publisherName": "Contoso", "publisherEmail": "ops@example.org"})},
		{Path: "products/p", Properties: object(map[string]any{"displayName": "P", "subscriptionRequired": true, "state": "published"})}}
	for a := range 1000 {
		api := fmt.Sprintf("apis/api-%04d", a)
		out = append(out, snapshot.Resource{Path: api, Properties: object(map[string]any{"path": fmt.Sprintf("v1/api%d", a), "displayName": fmt.Sprintf("API %d", a), "description": text(20), "protocols": []string{"https"},
			"serviceUrl": fmt.Sprintf("https://backend-%d.example.org/base", a), "apiRevision": "1", "isCurrent": true, "subscriptionRequired": true})})
		for o := range 20 {
			op := fmt.Sprintf("%s/operations/op-%02d", api, o)
			out = append(out, snapshot.Resource{Path: op, Properties: object(map[string]any{"method": "GET", "urlTemplate": fmt.Sprintf("/things/{id}/part%d", o), "displayName": text(4), "description": text(25),
				"templateParameters": []any{map[string]any{"name": "id", "type": "string", "required": true}},
				"responses":          []any{map[string]any{"statusCode": 200, "description": text(8), "representations": []any{map[string]any{"contentType": "application/json"}}}}})},
				snapshot.Resource{Path: op + "/policies/policy", Properties: object(map[string]any{"format": "rawxml", "value": fmt.Sprintf("<policies>\n\t<inbound>\n\t\t<base />\n\t\t<rate-limit calls=\"%d\" renewal-period=\"60\" />\n\t\t<set-header name=\"x-%x\" exists-action=\"override\"><value>%s</value></set-header>\n\t\t<!-- %s-->\n\t</inbound>\n\t<backend><base /></backend>\n\t<outbound><base /></outbound>\n\t<on-error><base /></on-error>\n</policies>", 1+random.IntN(1000), random.Uint32(), text(2), text(15))})})
		}
	}
	for i := len(out); i < 50_000; i++ {
		out = append(out, snapshot.Resource{Path: fmt.Sprintf("subscriptions/s-%05d", i), Properties: object(map[string]any{"scope": "/products/p", "displayName": text(2), "state": "active"}),
			Secrets: map[string]string{"primaryKey": fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()), "secondaryKey": fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64())}})
	}
	return out
}

// heap runs f and gives how far two measures of the heap rose above where they began, in bytes: what lived at collections, and
// that with what waited to be collected. Both count what the store and the gateway of the same process keep of the work.
func heap(f func()) (live, all int64) {
	runtime.GC()
	read := func() (int64, int64) {
		s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return int64(s[0].Value.Uint64()), int64(s[1].Value.Uint64())
	}
	live0, all0 := read()
	ctx, cancel := context.WithCancel(context.Background())
	most := make(chan [2]int64)
	go func() {
		var top [2]int64
		for (tandem.SystemClock{}).Sleep(ctx, 5_000_000) == nil {
			l, a := read()
			top = [2]int64{max(top[0], l), max(top[1], a)}
		}
		most <- top
	}()
	f()
	cancel()
	top := <-most
	return top[0] - live0, top[1] - all0
}

// BenchmarkLarge is the whole way of a service of 50,000 resources on the store that nodes have, with a gateway.
func BenchmarkLarge(b *testing.B) {
	ctx := context.Background()
	all := large()
	s, err := NewScratch(ctx, tandem.SystemClock{}, snapshot.Manifest{Source: snapshot.Source{Name: "orders", SKU: "Standard"}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	to, ids := []age.Recipient{id.Recipient()}, []age.Identity{id}
	_ = json.Unmarshal(all[0].Properties, &s.Record.Properties)
	if _, err := Apply(ctx, s.Service, "load", "load", all, s); err != nil {
		b.Fatal(err)
	}
	measured := func(b *testing.B, f func()) {
		var live, all int64
		for b.Loop() {
			l, a := heap(f)
			live, all = max(live, l), max(all, a)
		}
		b.ReportMetric(float64(live)/(1<<20), "MiB-live")
		b.ReportMetric(float64(all)/(1<<20), "MiB-heap")
	}
	var file bytes.Buffer
	b.Run("backup-file", func(b *testing.B) {
		measured(b, func() {
			file.Reset()
			m, err := Capture(ctx, s.Service, s.Record, "westeurope", tandem.SystemClock{}, &file, to)
			if err != nil || m.Resources() < 50_000 {
				b.Fatal(m.Resources(), err)
			}
		})
		b.ReportMetric(float64(file.Len()), "file-bytes")
	})
	b.Run("verify-file", func(b *testing.B) {
		measured(b, func() {
			if p := Prove(ctx, bytes.NewReader(file.Bytes()), ids...); p.Outcome != Proven {
				b.Fatal(p.Failures, p.Doubts)
			}
		})
	})
	b.Run("restore-file", func(b *testing.B) {
		measured(b, func() {
			_, got, err := load(ctx, bytes.NewReader(file.Bytes()), ids)
			if err == nil {
				_, err = Apply(ctx, s.Service, "restore", "benchmark", got, s)
			}
			if err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("diff", func(b *testing.B) {
		measured(b, func() {
			if d, err := Diff(all, all); err != nil || !d.Empty() {
				b.Fatal(err)
			}
		})
	})
	benchVault(ctx, b, s, ids, to, measured)
}

func benchVault(ctx context.Context, b *testing.B, s *Scratch, ids []age.Identity, to []age.Recipient, measured func(*testing.B, func())) {
	var repo *repository.Repository
	var first, last Backup
	save := func(o SaveOptions) Backup {
		out, err := SaveService(ctx, repo, s.Service, s.Record, "westeurope", tandem.SystemClock{}, o)
		if err != nil {
			b.Fatal(err)
		}
		return out
	}
	b.Run("vault-first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			v, err := dir.Open(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			if repo, err = repository.Create(ctx, repository.Config{Vault: v, Clock: tandem.SystemClock{}, Recipients: to, Identities: ids}, 0); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			first = save(SaveOptions{})
		}
		b.ReportMetric(float64(first.NewBytes), "vault-bytes")
	})
	v, err := dir.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	if repo, err = repository.Create(ctx, repository.Config{Vault: v, Clock: tandem.SystemClock{}, Recipients: to, Identities: ids}, 0); err != nil {
		b.Fatal(err)
	}
	first = save(SaveOptions{})
	b.Run("vault-again", func(b *testing.B) { measured(b, func() { last = save(SaveOptions{Whole: true}) }) })
	b.Run("vault-ten-changes", func(b *testing.B) {
		n := 0
		for b.Loop() {
			b.StopTimer()
			for i := range 10 {
				n++
				d := &apim.Document{IDs: []string{fmt.Sprintf("api-%04d;rev=1", (i*97+n)%1000), fmt.Sprintf("op-%02d", n%20)}, Type: "apis.operations", Properties: map[string]any{"method": "GET", "urlTemplate": fmt.Sprint("/changed/", n), "displayName": fmt.Sprint("changed ", n)}}
				d.Key = apim.Key(d.Type, d.IDs)
				w, err := d.Write()
				if err == nil {
					_, err = s.Service.Space.Commit(ctx, store.Batch{Put: []store.Write{w}})
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
			if last = save(SaveOptions{}); !last.Incremental || last.Changes != 10 {
				b.Fatalf("%+v", last)
			}
		}
		b.ReportMetric(100*float64(last.NewBytes)/float64(first.NewBytes), "%-of-first")
	})
	b.Run("vault-verify", func(b *testing.B) {
		measured(b, func() {
			p, err := VerifyVault(ctx, repo, VerifyOptions{Identities: ids, Clock: tandem.SystemClock{}})
			if err != nil || p.Outcome != Proven {
				b.Fatal(p.Outcome, err)
			}
		})
	})
	b.Run("vault-read", func(b *testing.B) {
		measured(b, func() {
			if _, err := repo.Read(ctx, last.Record); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("export-file", func(b *testing.B) {
		got, err := repo.Read(ctx, last.Record)
		if err != nil {
			b.Fatal(err)
		}
		measured(b, func() {
			if _, err := snapshot.Write(ctx, io.Discard, snapshot.Meta{Source: last.Record.Source}, func(yield func(snapshot.Resource, error) bool) {
				for _, r := range got {
					if !yield(r, nil) {
						return
					}
				}
			}, snapshot.Recipients(to)); err != nil {
				b.Fatal(err)
			}
		})
	})
}

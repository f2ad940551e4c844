package repository

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"tandem/internal/snapshot"
	"tandem/internal/vault/dir"
)

// large is a service of 50,000 resources: 1,000 APIs with 20 operations each, their policies, subscriptions. Texts differ as
// people's texts do.
func large() []snapshot.Resource {
	random := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("order parcel customer invoice address the of a to returns gives list status track deliver courier route depot time zone weight size price tax refund event stream webhook token client secret scope tenant region backend cache limit quota header query body path segment template")
	text := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString(words[random.IntN(len(words))] + " ")
		}
		return b.String()
	}
	out := []snapshot.Resource{{Properties: object(map[string]any{"publisherName": "Contoso"})}}
	for a := range 1000 {
		api := fmt.Sprintf("apis/api-%04d", a)
		out = append(out, snapshot.Resource{Path: api, Properties: object(map[string]any{"path": fmt.Sprintf("v1/api%d", a), "displayName": text(3), "description": text(20), "protocols": []string{"https"}, "serviceUrl": fmt.Sprintf("https://backend-%d.example.org/base", a)})})
		for o := range 20 {
			op := fmt.Sprintf("%s/operations/op-%02d", api, o)
			out = append(out, snapshot.Resource{Path: op, Properties: object(map[string]any{"method": "GET", "urlTemplate": fmt.Sprintf("/things/{id}/part%d", o), "displayName": text(4), "description": text(25),
				"responses": []any{map[string]any{"statusCode": 200, "description": text(8), "representations": []any{map[string]any{"contentType": "application/json"}}}}})},
				snapshot.Resource{Path: op + "/policies/policy", Properties: object(map[string]any{"format": "rawxml", "value": fmt.Sprintf("<policies>\n\t<inbound>\n\t\t<base />\n\t\t<rate-limit calls=\"%d\" renewal-period=\"60\" />\n\t\t<set-header name=\"x-%x\" exists-action=\"override\"><value>@(context.RequestId.ToString())</value></set-header>\n\t\t<!-- %s-->\n\t</inbound>\n\t<backend><base /></backend>\n\t<outbound><base /></outbound>\n\t<on-error><base /></on-error>\n</policies>", random.IntN(1000), random.Uint32(), text(15))})})
		}
	}
	for i := len(out); i < 50_000; i++ {
		out = append(out, snapshot.Resource{Path: fmt.Sprintf("subscriptions/s-%05d", i), Properties: object(map[string]any{"scope": "/products/p", "displayName": text(2), "state": "active"}),
			Secrets: map[string]string{"primaryKey": fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64()), "secondaryKey": fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64())}})
	}
	return out
}

// BenchmarkLarge saves, advances and reads 50,000 resources in a folder.
func BenchmarkLarge(b *testing.B) {
	all := large()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	clock := &hand{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	var r *Repository
	fresh := func() {
		v, err := dir.Open(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		if r, err = Create(context.Background(), Config{Vault: v, Clock: clock, Recipients: []age.Recipient{id.Recipient()}, Identities: []age.Identity{id}}, 0); err != nil {
			b.Fatal(err)
		}
	}
	var s Saved
	b.Run("save-first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			fresh()
			b.StartTimer()
			s = save(b, r, clock, all)
		}
		b.ReportMetric(float64(s.NewBytes), "vault-bytes")
		b.ReportMetric(float64(s.NewChunks), "chunks")
		b.SetBytes(s.Record.Bytes)
	})
	whole := s.NewBytes
	b.Run("save-again", func(b *testing.B) {
		for b.Loop() {
			s = save(b, r, clock, all)
		}
	})
	b.Run("advance-10", func(b *testing.B) {
		n := 0
		var next Saved
		for b.Loop() {
			var changes []Change
			for i := range 10 {
				n++
				res := all[1+(i*4999+n)%40000]
				res.Properties = object(map[string]any{"displayName": fmt.Sprint("changed ", n), "description": "of late"})
				changes = append(changes, Change{res.Path, &res})
			}
			if next, err = r.Advance(context.Background(), s.Record, meta(clock), changes); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(next.NewBytes), "vault-bytes")
		b.ReportMetric(100*float64(next.NewBytes)/float64(whole), "%-of-first")
		b.ReportMetric(float64(next.NewChunks), "chunks")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.Read(context.Background(), s.Record); err != nil {
				b.Fatal(err)
			}
		}
	})
}

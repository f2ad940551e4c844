//go:build unix

package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// large is a service of 50,000 resources: 1,000 APIs with 20 operations each, their policies, 8,000 named values and
// subscriptions. About 50 MB.
func large() []Resource {
	policy := func(i int) string {
		return fmt.Sprintf("<policies>\n\t<inbound>\n\t\t<base />\n\t\t<rate-limit calls=\"%d\" renewal-period=\"60\" />\n\t\t<set-header name=\"x-n\" exists-action=\"override\"><value>@(context.RequestId.ToString() + \"%d\")</value></set-header>\n\t\t%s</inbound>\n\t<backend><base /></backend>\n\t<outbound><base /></outbound>\n\t<on-error><base /></on-error>\n</policies>",
			i%97, i, strings.Repeat(fmt.Sprintf("<!-- rule %d of the team -->\n\t\t", i*7919), 12))
	}
	object := func(v any) json.RawMessage {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			panic(err)
		}
		return b.Bytes()
	}
	out := []Resource{{Properties: json.RawMessage(`{"publisherName":"Contoso"}`)}}
	for a := range 1000 {
		api := fmt.Sprintf("apis/api-%04d", a)
		out = append(out, Resource{Path: api, Properties: object(map[string]any{"path": fmt.Sprintf("v1/api%d", a), "displayName": fmt.Sprintf("API %d", a), "protocols": []string{"https"}, "subscriptionRequired": true, "serviceUrl": fmt.Sprintf("https://backend-%d.example.org/base", a)})})
		for o := range 20 {
			op := fmt.Sprintf("%s/operations/op-%02d", api, o)
			out = append(out, Resource{Path: op, Properties: object(map[string]any{"method": "GET", "urlTemplate": fmt.Sprintf("/things/{id}/part%d", o), "displayName": fmt.Sprintf("Get part %d of %d", o, a),
				"templateParameters": []any{map[string]any{"name": "id", "type": "string", "required": true, "values": []string{}}},
				"responses":          []any{map[string]any{"statusCode": 200, "description": strings.Repeat("The thing as it stands now. ", 10), "representations": []any{map[string]any{"contentType": "application/json", "schemaId": fmt.Sprintf("%x", a*31+o)}}}}})},
				Resource{Path: op + "/policies/policy", Properties: object(map[string]any{"format": "rawxml", "value": policy(a*20 + o)})})
		}
	}
	for i := len(out); i < 40_000; i++ {
		out = append(out, Resource{Path: fmt.Sprintf("namedValues/nv-%05d", i), Properties: object(map[string]any{"displayName": fmt.Sprintf("nv-%05d", i), "secret": false, "value": strings.Repeat(fmt.Sprint(i), 9)})})
	}
	for i := len(out); i < 50_000; i++ {
		out = append(out, Resource{Path: fmt.Sprintf("subscriptions/s-%05d", i), Properties: object(map[string]any{"scope": "/products/p", "displayName": fmt.Sprintf("Subscription %d", i), "state": "active"}),
			Secrets: map[string]string{"primaryKey": fmt.Sprintf("%032x", i*7919), "secondaryKey": fmt.Sprintf("%032x", i*104729)}})
	}
	return out
}

// cpu is the processor time of this process and its ended children.
func cpu() time.Duration {
	var total time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			total += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return total
}

func measured(b *testing.B, bytes int64, run func()) {
	b.SetBytes(bytes)
	b.ReportAllocs()
	before := cpu()
	for b.Loop() {
		run()
	}
	b.ReportMetric(float64((cpu()-before).Milliseconds())/float64(b.N), "cpu-ms/op")
}

func BenchmarkLarge(b *testing.B) {
	rs, id := large(), testIdentity(b)
	data := write(b, id, rs)
	m, _, err := read(data, id)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d resources, %d files, %d bytes, %d in the snapshot", m.Resources(), len(m.Files), m.Bytes(), len(data))
	b.Run("write", func(b *testing.B) {
		measured(b, m.Bytes(), func() {
			if _, err := Write(context.Background(), io.Discard, testMeta(), seq(rs), Recipients{id.Recipient()}); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("read", func(b *testing.B) {
		measured(b, m.Bytes(), func() {
			if _, _, err := read(data, id); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("verify", func(b *testing.B) {
		measured(b, m.Bytes(), func() {
			if _, err := Verify(context.Background(), bytes.NewReader(data), id); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("tar-zstd-3", func(b *testing.B) {
		if _, err := exec.LookPath("zstd"); err != nil {
			b.Skip("zstd is not installed")
		}
		dir := b.TempDir()
		for _, r := range rs {
			files, err := encode(r)
			if err != nil {
				b.Fatal(err)
			}
			for _, f := range files {
				name := filepath.Join(dir, f.name)
				if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
					b.Fatal(err)
				}
				if err := os.WriteFile(name, f.data, 0o600); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ResetTimer()
		measured(b, m.Bytes(), func() {
			if out, err := exec.Command("sh", "-c", `tar -C "$0" -cf - . | zstd -3 -q -c >/dev/null`, dir).CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, out)
			}
		})
	})
}

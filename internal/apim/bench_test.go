//go:build unix

package apim_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/store"
	"tandem/internal/store/etcd"
)

const (
	benchAPIs       = 100
	benchOperations = 300
	benchTags       = 20_000
)

// bigPlane is a plane on an embedded etcd with a service of 50,000 resources.
func bigPlane(b *testing.B) *plane {
	b.Helper()
	s, err := etcd.Open(b.Context(), etcd.Config{Dir: b.TempDir(), Name: "bench", Log: slog.New(slog.DiscardHandler), Clock: tandem.SystemClock{}})
	if err != nil {
		b.Fatal(err)
	}
	p := newPlaneOn(b, s)
	p.create()
	id, err := tandem.ParseResourceID(root)
	if err != nil {
		b.Fatal(err)
	}
	service, _, err := p.provider.Find(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	var batch store.Batch
	add := func(typ string, props map[string]any, ids ...string) {
		d := &apim.Document{IDs: ids, Type: typ, Key: apim.Key(typ, ids), Properties: props}
		w, err := d.Write()
		if err != nil {
			b.Fatal(err)
		}
		if batch.Put = append(batch.Put, w); len(batch.Put) == 100 {
			if _, err := service.Space.Commit(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch.Put = nil
		}
	}
	for a := range benchAPIs {
		name := fmt.Sprintf("api%03d", a)
		add("apis", map[string]any{"path": name, "displayName": name, "apiRevision": "1", "protocols": []any{"https"}}, name+";rev=1")
		add(apim.RootType, map[string]any{"current": "1"}, name)
		for o := range benchOperations {
			add("apis.operations", map[string]any{"displayName": "Operation", "method": "GET", "urlTemplate": fmt.Sprintf("/things/%d/{id}", o),
				"templateParameters": []any{map[string]any{"name": "id", "type": "string", "required": true}}, "responses": []any{}, "description": strings.Repeat("d", 200)}, name+";rev=1", fmt.Sprintf("op%04d", o))
		}
	}
	for t := range benchTags {
		add("tags", map[string]any{"displayName": fmt.Sprintf("Tag %d", t)}, fmt.Sprintf("tag%05d", t))
	}
	if len(batch.Put) > 0 {
		if _, err := service.Space.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	return p
}

// clients runs b.N calls from 8 clients over TLS and reports the 50th and 99th percentile.
func (p *plane) clients(b *testing.B, call func(i int) *http.Request) {
	b.Helper()
	client := p.server.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 8
	times := make([]time.Duration, b.N)
	clock := tandem.SystemClock{}
	var next sync.Mutex
	n := 0
	b.ResetTimer()
	used := cpu(b)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				next.Lock()
				i := n
				n++
				next.Unlock()
				if i >= b.N {
					return
				}
				req := call(i)
				req.Header.Set("Authorization", "Bearer x")
				start := clock.Now()
				resp, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				times[i] = clock.Now().Sub(start)
				if err != nil || resp.StatusCode/100 != 2 {
					b.Errorf("%s: %d %v", req.URL, resp.StatusCode, err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(b.N), "cpu-us/op") // clients and engine included
	slices.Sort(times)
	b.ReportMetric(float64(times[b.N/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[min(b.N-1, b.N*99/100)].Microseconds())/1000, "p99-ms")
}

// cpu is the processor time that the process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (p *plane) request(method, path, body string) *http.Request {
	req, err := http.NewRequest(method, p.url(path), strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	return req
}

// BenchmarkFiftyThousand measures the calls of a service of 50,000 resources in an embedded etcd, 8 clients over TLS.
func BenchmarkFiftyThousand(b *testing.B) {
	p := bigPlane(b)
	b.Run("get", func(b *testing.B) {
		p.clients(b, func(i int) *http.Request {
			return p.request("GET", fmt.Sprintf("apis/api%03d/operations/op%04d", i*7%benchAPIs, i*13%benchOperations), "")
		})
	})
	b.Run("page", func(b *testing.B) {
		p.clients(b, func(i int) *http.Request {
			return p.request("GET", fmt.Sprintf("apis/api%03d/operations?$top=100", i*7%benchAPIs), "")
		})
	})
	b.Run("page of the longest list", func(b *testing.B) {
		p.clients(b, func(int) *http.Request { return p.request("GET", "tags?$top=100", "") })
	})
	value := bytes.Repeat([]byte("v"), 450)
	b.Run("raw put", func(b *testing.B) {
		used := cpu(b)
		defer func() { b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(b.N), "cpu-us/op") }()
		var wg sync.WaitGroup
		each := (b.N + 7) / 8
		for c := range 8 {
			wg.Go(func() {
				for i := range each {
					if _, err := p.store.Commit(b.Context(), store.Batch{Put: []store.Write{{Key: fmt.Sprintf("raw/%d/%d", c, i), Value: value}}}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	})
	b.Run("put", func(b *testing.B) {
		p.clients(b, func(i int) *http.Request {
			return p.request("PUT", fmt.Sprintf("apis/api%03d/operations/new%06d", i*7%benchAPIs, i), `{"properties":{"displayName":"New","method":"GET","urlTemplate":"/n","description":"`+string(value[:200])+`"}}`)
		})
	})
	b.Run("memory", func(b *testing.B) {
		var m runtime.MemStats
		for b.Loop() {
			runtime.GC()
			runtime.ReadMemStats(&m)
		}
		b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "heap-MiB")
		b.ReportMetric(float64(m.Sys)/(1<<20), "sys-MiB")
	})
}

// bigOpenAPI is a description of about n bytes.
func bigOpenAPI(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"openapi":"3.0.1","info":{"title":"Big","version":"1"},"paths":{`)
	for i := 0; b.Len() < n/2; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"/things%d/{id}":{"get":{"operationId":"get%d","summary":"Gets a thing","description":%q,"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],`+
			`"responses":{"200":{"description":"fine","content":{"application/json":{"schema":{"$ref":"#/components/schemas/S%d"}}}}}}}`, i, i, strings.Repeat("text ", 120), i)
	}
	b.WriteString(`},"components":{"schemas":{"S0":{"type":"object"}`)
	for i := 1; b.Len() < n; i++ {
		fmt.Fprintf(&b, `,"S%d":{"type":"object","description":%q,"properties":{"next":{"$ref":"#/components/schemas/S0"}}}`, i, strings.Repeat("text ", 120))
	}
	b.WriteString(`}}}`)
	return b.Bytes()
}

// bigYAML is a description of about n bytes in YAML.
func bigYAML(n int) []byte {
	var b bytes.Buffer
	b.WriteString("openapi: 3.0.1\ninfo:\n  title: Big\n  version: '1'\npaths:\n")
	for i := 0; b.Len() < n/2; i++ {
		fmt.Fprintf(&b, "  /things%d/{id}:\n    get:\n      operationId: get%d\n      summary: Gets a thing\n      description: |\n        %s\n      parameters:\n        - {name: id, in: path, required: true, schema: {type: string}}\n"+
			"      responses:\n        '200':\n          description: fine\n          content:\n            application/json:\n              schema:\n                $ref: '#/components/schemas/S%d'\n", i, i, strings.Repeat("text ", 80), i)
	}
	b.WriteString("components:\n  schemas:\n    S0:\n      type: object\n")
	for i := 1; b.Len() < n; i++ {
		fmt.Fprintf(&b, "    S%d:\n      type: object\n      description: %s\n      properties:\n        next:\n          $ref: '#/components/schemas/S0'\n        count: {type: integer, example: 12}\n", i, strings.Repeat("text ", 80))
	}
	return b.Bytes()
}

// BenchmarkImport imports a description of 20 MiB over an embedded etcd, in JSON and in YAML.
func BenchmarkImport(b *testing.B) {
	for format, document := range map[string][]byte{"openapi+json": bigOpenAPI(20 << 20), "openapi": bigYAML(20 << 20)} {
		b.Run(format, func(b *testing.B) {
			s, err := etcd.Open(b.Context(), etcd.Config{Dir: b.TempDir(), Name: "bench", Log: slog.New(slog.DiscardHandler), Clock: tandem.SystemClock{}})
			if err != nil {
				b.Fatal(err)
			}
			p := newPlaneOn(b, s)
			p.create()
			body := importBody(format, string(document))
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				p.must("PUT", "apis/big", body)
			}
		})
	}
}

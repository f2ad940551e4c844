//go:build unix

package apim_test

import (
	"fmt"
	"net/http/httptest"
	"testing"
)

// BenchmarkPage measures one page of 100 operations without network and engine: what the server itself costs.
func BenchmarkPage(b *testing.B) {
	p := withService(b)
	p.must("PUT", "apis/a", `{"properties":{"path":"a"}}`)
	for i := range 300 {
		p.must("PUT", fmt.Sprintf("apis/a/operations/op%03d", i), `{"properties":{"displayName":"Operation","method":"GET","urlTemplate":"/t/{id}","templateParameters":[{"name":"id","type":"string","required":true}]}}`)
	}
	req := p.request("GET", "apis/a/operations?$top=100", "")
	req.Header.Set("Authorization", "Bearer x")
	b.ReportAllocs()
	for b.Loop() {
		rec := httptest.NewRecorder()
		p.server.Config.Handler.ServeHTTP(rec, req)
		if rec.Code != 200 {
			b.Fatal(rec.Body)
		}
	}
}

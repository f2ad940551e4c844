package arm

import (
	"net/http/httptest"
	"testing"
)

// BenchmarkServer is the server's own cost of a call, with a trivial authoriser and handler.
func BenchmarkServer(b *testing.B) {
	s, err := NewServer(benchConfig())
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest("GET", "https://arm.example/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Things/things/a?api-version=2024-05-01", nil)
	r.Header.Set("Authorization", "Bearer good")
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}

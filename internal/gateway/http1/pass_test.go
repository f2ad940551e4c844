package http1

import (
	"strings"
	"testing"
	"time"

	"tandem"
)

func tandemNow() time.Time { return tandem.SystemClock{}.Now() }

// What is unusual and legal is passed on in one plain form.
func TestPassedUnambiguously(t *testing.T) {
	backend := newRecorder(t)
	r := newRig(t, backend.l.Addr().String(), nil)
	const end = "Connection: close\r\n\r\n"
	tests := []struct{ name, send, want string }{
		{"plain", "GET /x?y=1 HTTP/1.1\r\nHost: a\r\n" + end, "GET /x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"one empty line before", "\r\nGET / HTTP/1.1\r\nHost: a\r\n" + end, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"absolute form", "GET http://a/x HTTP/1.1\r\nHost: A\r\n" + end, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"absolute form without path", "GET http://a?q HTTP/1.1\r\nHost: a\r\n" + end, "GET /?q HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"address and port", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n" + end, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"},
		{"spaces around a value", "GET / HTTP/1.1\r\nHost: a\r\nX:  y z\t \r\n" + end, "GET / HTTP/1.1\r\nHost: a\r\nX: y z\r\n\r\n"},
		{"no space before a value", "GET / HTTP/1.1\r\nHost:a\r\nX:y\r\n" + end, "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"},
		{"empty value", "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n" + end, "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n"},
		{"high bytes in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\r\n" + end, "GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa9\r\n\r\n"},
		{"dots and slashes stay", "GET /a/..//b/%2e%2E/ HTTP/1.1\r\nHost: a\r\n" + end, "GET /a/..//b/%2e%2E/ HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"named by Connection", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nZ: q\r\nConnection: x, close\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nZ: q\r\n\r\n"},
		{"Connection names Host", "GET / HTTP/1.1\r\nHost: a\r\nConnection: host, close\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"hop by hop", "GET / HTTP/1.1\r\nHost: a\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: x\r\nProxy-Authorization: b\r\n" + end, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"h2c upgrade", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n" + end + "abc", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"},
		{"length zero", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" + end, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
		{"no length", "POST / HTTP/1.1\r\nHost: a\r\n" + end, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
		{"GET with body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" + end + "abc", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"},
		{"chunks", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n" + end + "3\r\nabc\r\n00a;x=\"y\";z\r\n0123456789\r\n0\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n000d\r\nabc0123456789\r\n0\r\n\r\n"},
		{"trailers", "POST / HTTP/1.1\r\nHost: a\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n" + end + "3\r\nabc\r\n0\r\nX:  y\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: a\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n0\r\nX: y\r\n\r\n"},
		{"HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := roundTrip(t, r.addr, tt.send)
			if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, "\r\n\r\nok") {
				t.Errorf("answer %q", got)
			}
			if whole, raw := backend.took(); raw != tt.want || len(whole) != 1 {
				t.Errorf("the backend got\n%q, want\n%q", raw, tt.want)
			}
		})
	}
}

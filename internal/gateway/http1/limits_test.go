package http1

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"tandem/internal/exchange"
)

func TestLimits(t *testing.T) {
	backend := newRecorder(t)
	r := newRig(t, backend.l.Addr().String(), func(r *rig) {
		r.config.Limits = Limits{Head: 8 << 10, HeadFields: 50, Target: 1000, Body: 2000}
	})
	const head = " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	tests := []struct {
		name, send string
		status     string
	}{
		{"head within", "GET /" + head + "X: " + strings.Repeat("y", 7<<10) + "\r\n\r\n", "200"},
		{"head over", "GET /" + head + "X: " + strings.Repeat("y", 9<<10) + "\r\n\r\n", "431"},
		{"head over without end", "GET /" + head + "X: " + strings.Repeat("y", 9<<10), "431"},
		{"fields within", "GET /" + head + strings.Repeat("X: y\r\n", 48) + "\r\n", "200"},
		{"fields over", "GET /" + head + strings.Repeat("X: y\r\n", 49) + "\r\n", "431"},
		{"target within", "GET /" + strings.Repeat("a", 999) + head + "\r\n", "200"},
		{"target over", "GET /" + strings.Repeat("a", 1000) + head + "\r\n", "414"},
		{"body within", "POST /" + head + "Content-Length: 2000\r\n\r\n" + strings.Repeat("b", 2000), "200"},
		{"body over", "POST /" + head + "Content-Length: 2001\r\n\r\n" + strings.Repeat("b", 2001), "413"},
		{"body over, waiting", "POST /" + head + "Expect: 100-continue\r\nContent-Length: 2001\r\n\r\n", "413"},
		{"chunks within", "POST /" + head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("064\r\n"+strings.Repeat("c", 100)+"\r\n", 20) + "0\r\n\r\n", "200"},
		{"chunks over", "POST /" + head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("064\r\n"+strings.Repeat("c", 100)+"\r\n", 21) + "0\r\n\r\n", "413"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := roundTrip(t, r.addr, tt.send)
			if tt.status != "200" {
				checkRefused(t, got, tt.status)
			} else if !strings.HasPrefix(got, "HTTP/1.1 200 ") {
				t.Errorf("got %.100q, want 200", got)
			}
			if whole, _ := backend.took(); len(whole) > 0 != (tt.status == "200") {
				t.Errorf("the backend got %.100q", whole)
			}
		})
	}
}

// A connection beyond the limit waits for its turn.
func TestConnectionLimit(t *testing.T) {
	r := newRig(t, "127.0.0.1:1", func(r *rig) {
		r.config.Limits.Connections = 1
		r.config.Handler = handlerFunc(hello)
	})
	first, br := dialRig(t, r)
	send(t, first, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	answer(t, br, "GET")
	second, br2 := dialRig(t, r)
	send(t, second, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	first.Close()
	if _, body := answer(t, br2, "GET"); body != "hello" {
		t.Errorf("got %q", body)
	}
}

// Whatever the handler does with the body, the connection serves the next request, or ends.
func TestUnreadBodies(t *testing.T) {
	r := newRig(t, "127.0.0.1:1", func(r *rig) { r.config.Handler = handlerFunc(hello) })
	for _, n := range []int{10, 4000, 60_000, 100_000} {
		nc, br := dialRig(t, r)
		send(t, nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "+strconv.Itoa(n)+"\r\n\r\n"+strings.Repeat("x", n))
		res, _ := answer(t, br, "POST")
		if res.Close != (n > discardMost) {
			t.Errorf("%d bytes unread: close %v", n, res.Close)
		}
		if !res.Close {
			send(t, nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if _, body := answer(t, br, "GET"); body != "hello" {
				t.Errorf("after %d bytes unread: got %q", n, body)
			}
		}
	}
}

func TestStatuses(t *testing.T) {
	r := newRig(t, "127.0.0.1:1", func(r *rig) {
		r.config.Handler = handlerFunc(func(x *exchange.Exchange) {
			hello(x)
			x.Response.Status, _ = strconv.Atoi(x.Request.URL.Path[1:])
		})
	})
	nc, br := dialRig(t, r)
	for _, tt := range []struct {
		method, path, body, length string
		status                     int
	}{
		{"GET", "/200", "hello", "5", 200}, {"HEAD", "/200", "", "5", 200}, {"GET", "/204", "", "", 204}, {"GET", "/304", "", "", 304},
		{"HEAD", "/404", "", "5", 404}, {"GET", "/599", "hello", "5", 599}, {"GET", "/103", errorText, "57", 500}, {"GET", "/200", "hello", "5", 200}} {
		send(t, nc, tt.method+" "+tt.path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		res, body := answer(t, br, tt.method)
		if res.StatusCode != tt.status || body != tt.body || res.Header.Get("Content-Length") != tt.length || res.Header.Get("Date") == "" {
			t.Errorf("%s %s: got %d %q %v", tt.method, tt.path, res.StatusCode, body, res.Header)
		}
	}
	// HTTP/1.0 keeps the connection only where asked.
	send(t, nc, "GET /200 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	if res, _ := answer(t, br, "GET"); !strings.EqualFold(res.Header.Get("Connection"), "keep-alive") {
		t.Errorf("got %v", res.Header)
	}
	send(t, nc, "GET /200 HTTP/1.0\r\n\r\n")
	if res, err := http.ReadResponse(br, nil); err != nil || res.Header.Get("Connection") == "keep-alive" {
		t.Errorf("got %v %v", res, err)
	}
}

// A handler's panic costs its own connection alone.
func TestPanic(t *testing.T) {
	reported := make(chan error, 1)
	backend := newRecorder(t)
	var r *rig
	r = newRig(t, backend.l.Addr().String(), func(r *rig) {
		r.config.Report = func(err error) { reported <- err }
		r.before = func(x *exchange.Exchange) {
			if x.Request.URL.Path == "/panic" {
				if err := r.pool.Do(x.Context, &x.Request, &x.Response, Options{}); err != nil {
					t.Error(err)
				}
				panic("on purpose")
			}
		}
	})
	checkRefused(t, roundTrip(t, r.addr, "GET /panic HTTP/1.1\r\nHost: a\r\n\r\n"), "500")
	if err := <-reported; !strings.Contains(err.Error(), "on purpose") || !strings.Contains(err.Error(), "/panic") {
		t.Errorf("reported %v", err)
	}
	if got := roundTrip(t, r.addr, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); !strings.HasSuffix(got, "ok") {
		t.Errorf("got %q", got)
	}
	r.stop()
	if r.pool.open != len(r.pool.idle) {
		t.Errorf("%d connections open, %d idle: one is lost", r.pool.open, len(r.pool.idle))
	}
}

const errorText = `{ "statusCode": 500, "message": "Internal server error" }`

package http1

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tandem/internal/exchange"
)

func httpBackend(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// dialRig connects to the rig and gives the connection with a reader.
func dialRig(t *testing.T, r *rig) (net.Conn, *bufio.Reader) {
	t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(tandemNow().Add(10 * time.Second))
	return nc, bufio.NewReader(nc)
}

func send(t *testing.T, nc net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(nc, s); err != nil {
		t.Fatal(err)
	}
}

func answer(t *testing.T, br *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("body %q: %v", body, err)
	}
	return res, string(body)
}

// Each event reaches the client before the backend sends the next.
func TestEventsAreFlushed(t *testing.T) {
	next := make(chan struct{})
	backend := httpBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			<-next
		}
	})
	r := newRig(t, backend, nil)
	res, err := http.Get("http://" + r.addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	br := bufio.NewReader(res.Body)
	for i := range 3 {
		line, err := br.ReadString('\n')
		if want := fmt.Sprintf("data: %d\n", i); line != want || err != nil {
			t.Fatalf("got %q, %v, want %q", line, err, want)
		}
		br.ReadString('\n')
		next <- struct{}{}
	}
	if _, err := br.ReadByte(); err != io.EOF {
		t.Fatalf("at the end: %v", err)
	}
}

// A body of the request streams to the backend, and the answer streams back before the request has ended.
func TestBothWaysAtOnce(t *testing.T) {
	backend := httpBackend(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		br := bufio.NewReader(r.Body)
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(w, "echo "+line)
			w.(http.Flusher).Flush()
		}
	})
	r := newRig(t, backend, nil)
	nc, br := dialRig(t, r)
	send(t, nc, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n")
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := bufio.NewReader(res.Body)
	for _, word := range []string{"one", "two", "six"} {
		if line, err := body.ReadString('\n'); line != "echo "+word+"\n" || err != nil {
			t.Fatalf("got %q, %v", line, err)
		}
		switch word {
		case "one":
			send(t, nc, "4\r\ntwo\n\r\n")
		case "two":
			send(t, nc, "4\r\nsix\n\r\n0\r\n\r\n")
		}
	}
	if rest, err := io.ReadAll(body); len(rest) > 0 || err != nil {
		t.Fatalf("rest %q, %v", rest, err)
	}
}

// An answer before the request's end ends the exchange; the connection cannot be used further.
func TestEarlyAnswer(t *testing.T) {
	backend := httpBackend(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", 403) })
	r := newRig(t, backend, nil)
	nc, br := dialRig(t, r)
	send(t, nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc")
	res, body := answer(t, br, "POST")
	if res.StatusCode != 403 || body != "no\n" || !res.Close {
		t.Errorf("got %d %q close %v", res.StatusCode, body, res.Close)
	}
}

func TestTrailersOfTheAnswer(t *testing.T) {
	backend := httpBackend(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "data")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "42")
	})
	r := newRig(t, backend, nil)
	nc, br := dialRig(t, r)
	for range 2 {
		send(t, nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if res, body := answer(t, br, "GET"); body != "data" || res.Trailer.Get("X-Sum") != "42" {
			t.Errorf("got %q, trailer %v", body, res.Trailer)
		}
	}
}

func TestLargeBodies(t *testing.T) {
	backend := httpBackend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", r.Header.Get("X-Length"))
		}
		w.Write(body)
	})
	r := newRig(t, backend, nil)
	defer http.DefaultClient.CloseIdleConnections()
	for _, n := range []int{1, 4000, 4096, 5000, 32 << 10, 200_000, 3_000_000} {
		for _, path := range []string{"/", "/length"} {
			for _, chunked := range []bool{false, true} {
				want := strings.Repeat("0123456789abcdef", n/16+1)[:n]
				var body io.Reader = strings.NewReader(want)
				if chunked {
					body = struct{ io.Reader }{body}
				}
				req, _ := http.NewRequest("PUT", "http://"+r.addr+path, body)
				req.Header.Set("X-Length", fmt.Sprint(n))
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(res.Body)
				res.Body.Close()
				if string(got) != want || err != nil {
					t.Fatalf("%d bytes, %s, chunked %v: got %d, %v", n, path, chunked, len(got), err)
				}
			}
		}
	}
}

// The client leaves while the backend works: the exchange's context ends, and the backend's connection with it.
func TestClientLeaves(t *testing.T) {
	arrived, left := make(chan struct{}), make(chan struct{})
	backend := httpBackend(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(left)
	})
	r := newRig(t, backend, nil)
	nc, _ := dialRig(t, r)
	send(t, nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-arrived
	nc.Close()
	<-left
	r.stop()
	if len(r.errs) != 1 || ReasonOf(r.errs[0]) != ReasonClient {
		t.Errorf("errors %v, want one of reason client", r.errs)
	}
}

// The client leaves while its body is on the way.
func TestClientLeavesInBody(t *testing.T) {
	backend := newRecorder(t)
	r := newRig(t, backend.l.Addr().String(), nil)
	nc, _ := dialRig(t, r)
	send(t, nc, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
	for seen := ""; !strings.HasSuffix(seen, "abc"); {
		wait(t, time.Millisecond)
		_, raw := backend.took()
		seen += raw
	}
	nc.Close()
	r.stop()
	if len(r.errs) != 1 || ReasonOf(r.errs[0]) != ReasonClient {
		t.Errorf("errors %v, want one of reason client", r.errs)
	}
	if whole, _ := backend.took(); len(whole) > 0 {
		t.Errorf("the backend took %q for whole", whole)
	}
}

// While the handler waits, the watch must not lose what the client sends ahead.
func TestPipelineUnderWatch(t *testing.T) {
	release := make(chan struct{})
	backend := httpBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-release
		}
		io.WriteString(w, r.URL.Path)
	})
	r := newRig(t, backend, func(r *rig) { r.config.Timeouts.Watch = time.Millisecond })
	nc, br := dialRig(t, r)
	for range 3 {
		send(t, nc, "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
		wait(t, 120*time.Millisecond) // the watch has begun
		send(t, nc, "GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\nGE")
		wait(t, 20*time.Millisecond)
		release <- struct{}{}
		send(t, nc, "T /three HTTP/1.1\r\nHost: a\r\n\r\n")
		for _, want := range []string{"/slow", "/one", "/two", "/three"} {
			if _, body := answer(t, br, "GET"); body != want {
				t.Fatalf("got %q, want %q", body, want)
			}
		}
	}
}

// wait lets real connections do something that no test can see from outside.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	<-time.NewTimer(d).C
}

// A handler may buffer a body, replace one that streams, and answer by itself.
func TestHandlerAnswers(t *testing.T) {
	backend := newRecorder(t)
	r := newRig(t, backend.l.Addr().String(), nil)
	h := handlerFunc(func(x *exchange.Exchange) {
		if err := r.pool.Do(x.Context, &x.Request, &x.Response, Options{}); err != nil {
			t.Error(err)
		}
		switch x.Request.URL.Path {
		case "/buffer":
			data, err := x.Response.Body.Bytes(100)
			x.Response.Body = exchange.Bytes(append(data, '!'))
			if err != nil {
				t.Error(err)
			}
		case "/replace":
			x.Response.Body.Close()
			x.Response.Body = exchange.Bytes([]byte("other"))
		case "/forget":
			x.Response.Body = exchange.Bytes([]byte("forgot"))
		case "/split":
			x.Response.Header.Set("X-Evil", "a\r\nX-More: b")
			x.Response.Header.Set("X Bad", "c")
			x.Response.Reason = "O\r\nK"
		case "/nothing":
			x.Response.Body.Close()
			x.Response = exchange.Response{}
		}
	})
	r2 := newRig(t, backend.l.Addr().String(), func(r *rig) { r.config.Handler = h })
	nc, br := dialRig(t, r2)
	for path, want := range map[string]string{"/buffer": "ok!", "/replace": "other", "/forget": "forgot", "/split": "ok",
		"/nothing": `{ "statusCode": 500, "message": "Internal server error" }`} {
		send(t, nc, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		res, body := answer(t, br, "GET")
		if body != want || res.Header.Get("X-More") != "" || res.Header.Get("X Bad") != "" {
			t.Errorf("%s: got %q %v, want %q", path, body, res.Header, want)
		}
	}
	r2.stop()
	r.pool.mu.Lock()
	defer r.pool.mu.Unlock()
	if r.pool.open != len(r.pool.idle) {
		t.Errorf("%d connections open, %d idle: some are lost", r.pool.open, len(r.pool.idle))
	}
}

type handlerFunc func(x *exchange.Exchange)

func (h handlerFunc) ServeExchange(x *exchange.Exchange)            { h(x) }
func (h handlerFunc) ExchangeDone(*exchange.Exchange, int64, error) {}

func TestCancelByContext(t *testing.T) {
	backend := httpBackend(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r := newRig(t, backend, nil)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	req := exchange.Request{Method: "GET", URL: exchange.URL{Host: "a", Path: "/"}}
	var res exchange.Response
	if err := r.pool.Do(ctx, &req, &res, Options{}); ReasonOf(err) != ReasonClient {
		t.Errorf("got %v", err)
	}
	if err := r.pool.Do(context.Background(), &req, &res, Options{Response: 20 * time.Millisecond}); ReasonOf(err) != ReasonTimeout {
		t.Errorf("got %v, want a timeout", err)
	}
}

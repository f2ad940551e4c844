package http1

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"tandem/internal/exchange"
)

// scripted is a backend that answers each request head with fixed bytes, then goes on or closes.
func scripted(t *testing.T, serve func(nc net.Conn, br *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			serve(nc, bufio.NewReader(nc))
			nc.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

func readHeadLines(br *bufio.Reader) (string, bool) {
	var head strings.Builder
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return head.String(), false
		}
		head.WriteString(line)
		if line == "\r\n" {
			return head.String(), true
		}
	}
}

// Answers that two readers could frame differently are refused; the others are passed on.
func TestAnswersOfBackends(t *testing.T) {
	tests := []struct {
		name, method, answer string
		status               int // 0: refused
		body                 string
	}{
		{"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"},
		{"no reason", "GET", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, "ok"},
		{"until close", "GET", "HTTP/1.1 200 OK\r\n\r\nall of it", 200, "all of it"},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\n\r\nold", 200, "old"},
		{"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "ok"},
		{"HEAD with length", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n", 200, ""},
		{"304 with length", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 200\r\nETag: x\r\n\r\n", 304, ""},
		{"204", "DELETE", "HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
		{"range", "GET", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nab", 206, "ab"},
		{"100 unasked", "GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"},
		{"length and coding", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, ""},
		{"two lengths", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", 0, ""},
		{"length with sign", "GET", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", 0, ""},
		{"gzip coding", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, ""},
		{"coding of HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, ""},
		{"bare LF", "GET", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 0, ""},
		{"folded", "GET", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok", 0, ""},
		{"space before colon", "GET", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", 0, ""},
		{"control character", "GET", "HTTP/1.1 200 OK\r\nX: \x01\r\nContent-Length: 2\r\n\r\nok", 0, ""},
		{"status 99", "GET", "HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nok", 0, ""},
		{"status 2000", "GET", "HTTP/1.1 2000 X\r\nContent-Length: 2\r\n\r\nok", 0, ""},
		{"not HTTP", "GET", "SSH-2.0-OpenSSH\r\n\r\n", 0, ""},
		{"101 unasked", "GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 0, ""},
		{"interim for ever", "GET", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 40), 0, ""},
		{"head too large", "GET", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 100<<10) + "\r\n\r\n", 0, ""},
		{"closed at once", "GET", "", 0, ""},
		{"closed in head", "GET", "HTTP/1.1 200 OK\r\nX", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			backend := scripted(t, func(nc net.Conn, br *bufio.Reader) {
				if _, ok := readHeadLines(br); ok {
					io.WriteString(nc, tt.answer)
				}
			})
			r := newRig(t, backend, nil)
			nc, br := dialRig(t, r)
			send(t, nc, tt.method+" / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			var res *http.Response
			for res == nil || res.StatusCode < 200 {
				var err error
				if res, err = http.ReadResponse(br, &http.Request{Method: tt.method}); err != nil {
					t.Fatal(err)
				}
			}
			body, err := io.ReadAll(res.Body)
			want := tt.status
			if want == 0 {
				want = 502
			}
			if res.StatusCode != want || string(body) != tt.body || err != nil {
				t.Errorf("got %d %q %v, want %d %q", res.StatusCode, body, err, want, tt.body)
			}
			if strings.HasPrefix(tt.name, "HEAD") || tt.status == 304 {
				if res.Header.Get("Content-Length") != "200" {
					t.Errorf("length %q is lost", res.Header.Get("Content-Length"))
				}
			}
		})
	}
}

// A body that the backend breaks off must not look whole to the client.
func TestBrokenAnswer(t *testing.T) {
	for name, tail := range map[string]string{
		"length": "Content-Length: 10\r\n\r\nabc", "chunk": "Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
		"chunk size": "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0x3\r\nabc\r\n0\r\n\r\n", "no last chunk": "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"} {
		t.Run(name, func(t *testing.T) {
			backend := scripted(t, func(nc net.Conn, br *bufio.Reader) {
				readHeadLines(br)
				io.WriteString(nc, "HTTP/1.1 200 OK\r\n"+tail)
			})
			r := newRig(t, backend, nil)
			nc, br := dialRig(t, r)
			send(t, nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if res, err := http.ReadResponse(br, nil); err == nil {
				if body, err := io.ReadAll(res.Body); err == nil {
					t.Errorf("the client took %q for whole", body)
				}
			}
			r.stop()
			if len(r.dones) != 1 || r.dones[0] == nil {
				t.Errorf("ExchangeDone got %v, want one error", r.dones)
			}
		})
	}
}

func TestContinue(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
	t.Run("wanted", func(t *testing.T) {
		r := newRig(t, httpBackend(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }), nil)
		nc, br := dialRig(t, r)
		for range 2 {
			send(t, nc, head)
			if line, _ := readHeadLines(br); !strings.HasPrefix(line, "HTTP/1.1 100 Continue\r\n") {
				t.Fatalf("got %q", line)
			}
			send(t, nc, "abc")
			if res, body := answer(t, br, "POST"); body != "abc" || res.Close {
				t.Fatalf("got %q, close %v", body, res.Close)
			}
		}
	})
	t.Run("not wanted", func(t *testing.T) {
		r := newRig(t, httpBackend(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) }), nil)
		nc, br := dialRig(t, r)
		send(t, nc, head)
		if res, _ := answer(t, br, "POST"); res.StatusCode != 401 || !res.Close {
			t.Errorf("got %d, close %v; want 401 at once, and the end", res.StatusCode, res.Close)
		}
	})
	t.Run("backend that does not know it", func(t *testing.T) {
		backend := scripted(t, func(nc net.Conn, br *bufio.Reader) {
			readHeadLines(br)
			body := make([]byte, 3)
			io.ReadFull(br, body)
			fmt.Fprintf(nc, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n%s", body)
		})
		r := newRig(t, backend, nil)
		nc, br := dialRig(t, r)
		send(t, nc, head)
		readHeadLines(br)
		send(t, nc, "abc")
		if _, body := answer(t, br, "POST"); body != "abc" {
			t.Errorf("got %q", body)
		}
	})
}

func TestInterimAnswers(t *testing.T) {
	backend := scripted(t, func(nc net.Conn, br *bufio.Reader) {
		readHeadLines(br)
		io.WriteString(nc, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	})
	r := newRig(t, backend, nil)
	nc, br := dialRig(t, r)
	send(t, nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if head, _ := readHeadLines(br); head != "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" {
		t.Errorf("got %q", head)
	}
	if _, body := answer(t, br, "GET"); body != "ok" {
		t.Errorf("got %q", body)
	}
}

func TestUpgrade(t *testing.T) {
	backend := scripted(t, func(nc net.Conn, br *bufio.Reader) {
		head, _ := readHeadLines(br)
		if !strings.Contains(head, "Connection: Upgrade\r\nUpgrade: websocket\r\n") {
			io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			return
		}
		io.WriteString(nc, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nhello ")
		io.Copy(nc, br)
	})
	r := newRig(t, backend, func(r *rig) { r.options.Upgrade = true })
	nc, br := dialRig(t, r)
	send(t, nc, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nearly ")
	head, _ := readHeadLines(br)
	if !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.Contains(head, "Upgrade: websocket\r\n") || !strings.Contains(head, "Sec-WebSocket-Accept: x\r\n") {
		t.Fatalf("got %q", head)
	}
	send(t, nc, "late")
	nc.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(br); string(got) != "hello early late" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// A reused connection that the backend has closed costs no answer: the request is sent again, once.
func TestStaleConnection(t *testing.T) {
	backend := scripted(t, func(nc net.Conn, br *bufio.Reader) {
		readHeadLines(br)
		io.WriteString(nc, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") // and closes without saying so
	})
	r := newRig(t, backend, nil)
	nc, br := dialRig(t, r)
	for range 5 {
		send(t, nc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if res, body := answer(t, br, "GET"); res.StatusCode != 200 || body != "ok" {
			t.Errorf("got %d %q", res.StatusCode, body)
		}
	}
}

func TestFailures(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	r := newRig(t, closed, nil)
	req := exchange.Request{Method: "GET", URL: exchange.URL{Host: "a", Path: "/"}}
	var res exchange.Response
	if err := r.pool.Do(t.Context(), &req, &res, Options{}); ReasonOf(err) != ReasonConnect {
		t.Errorf("got %v, want a failure to connect", err)
	}
	for _, bad := range []exchange.Request{
		{Method: "G T", URL: req.URL}, {Method: "GET", URL: exchange.URL{Host: "a b", Path: "/"}},
		{Method: "GET", URL: exchange.URL{Host: "a", Path: "/\r\nX: y"}}, {Method: "GET", URL: exchange.URL{Host: "a", Path: "/", Query: "a b"}}} {
		if err := r.pool.Do(t.Context(), &bad, &res, Options{}); err == nil || ReasonOf(err) != "" {
			t.Errorf("%v: got %v, want that it is not valid", bad, err)
		}
	}
}

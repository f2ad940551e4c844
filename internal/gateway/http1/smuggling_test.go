package http1

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder is a backend that keeps every whole request it got, as the standard library reads it.
type recorder struct {
	l      net.Listener
	answer string
	wg     sync.WaitGroup

	mu    sync.Mutex
	whole []string
	raw   bytes.Buffer
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &recorder{l: l, answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}
	b.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			b.wg.Go(func() { b.serve(nc) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.wg.Wait()
	})
	return b
}

func (b *recorder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.raw.Write(p)
}

func (b *recorder) serve(nc net.Conn) {
	defer nc.Close()
	r := bufio.NewReader(io.TeeReader(nc, b))
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		b.mu.Lock()
		b.whole = append(b.whole, fmt.Sprintf("%s %s %q", req.Method, req.RequestURI, body))
		b.mu.Unlock()
		if _, err := io.WriteString(nc, b.answer); err != nil {
			return
		}
	}
}

// took gives what came since the last call.
func (b *recorder) took() (whole []string, raw string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	whole, raw = b.whole, b.raw.String()
	b.whole = nil
	b.raw.Reset()
	return whole, raw
}

// roundTrip sends raw bytes and gives all that comes back until the connection ends.
func roundTrip(t *testing.T, addr, send string) string {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, send); err != nil {
		t.Fatal(err)
	}
	nc.SetReadDeadline(tandemNow().Add(5 * time.Second))
	got, err := io.ReadAll(nc)
	if err != nil {
		t.Errorf("connection did not end: %v; so far %q", err, got)
	}
	return string(got)
}

func TestSmuggling(t *testing.T) {
	files, err := filepath.Glob("testdata/smuggling/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	backend := newRecorder(t)
	r := newRig(t, backend.l.Addr().String(), nil)
	count := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSuffix(line, "\n")
			if line == "" || line[0] == '#' {
				continue
			}
			status, rest, _ := strings.Cut(line, " ")
			name, quoted, _ := strings.Cut(rest, " ")
			send, err := strconv.Unquote(`"` + quoted + `"`)
			if err != nil {
				t.Fatalf("%s: %s: %v", file, name, err)
			}
			count++
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+name, func(t *testing.T) {
				got := roundTrip(t, r.addr, send)
				checkRefused(t, got, status)
				if whole, raw := backend.took(); len(whole) > 0 || strings.Contains(raw, "smuggled") {
					t.Errorf("the backend got %q, raw %q", whole, raw)
				}
			})
		}
	}
	if count < 200 {
		t.Errorf("%d malformed requests, want at least 200", count)
	}
}

// checkRefused wants exactly one answer, with the status, in the shape of API Management's errors.
func checkRefused(t *testing.T, got, status string) {
	t.Helper()
	br := bufio.NewReader(strings.NewReader(got))
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatalf("answer %q: %v", got, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("answer %q: %v", got, err)
	}
	var e struct {
		StatusCode int    `json:"statusCode"`
		Message    string `json:"message"`
	}
	if err := json.Unmarshal(body, &e); err != nil || strconv.Itoa(e.StatusCode) != status || e.Message == "" {
		t.Errorf("body %q, want an error with status %s (%v)", body, status, err)
	}
	if strconv.Itoa(res.StatusCode) != status || !res.Close {
		t.Errorf("status %d, close %v; want %s and true", res.StatusCode, res.Close, status)
	}
	if more, _ := io.ReadAll(br); len(more) > 0 {
		t.Errorf("after the answer came %q", more)
	}
}

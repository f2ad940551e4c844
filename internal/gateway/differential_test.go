package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tandem"
	"tandem/internal/apim"
)

// peerConfig makes the configuration of a plain proxy and the command that runs it in the foreground.
type peerConfig func(dir, listen, backend string) (file, text string, args []string)

func nginxConfig(dir, listen, backend string) (string, string, []string) {
	return "nginx.conf", fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http { access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
server { listen %[2]s; location / { proxy_http_version 1.1; proxy_set_header Connection ""; client_max_body_size 0; proxy_pass http://%[3]s; } } }
`, dir, listen, backend), []string{"-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log")}
}

func haproxyConfig(dir, listen, backend string) (string, string, []string) {
	return "haproxy.cfg", fmt.Sprintf("defaults\n mode http\n timeout connect 5s\n timeout client 10s\n timeout server 10s\nfrontend f\n bind %s\n default_backend b\nbackend b\n server s %s\n", listen, backend),
		[]string{"-db", "-q", "-f", filepath.Join(dir, "haproxy.cfg")}
}

// TestDifferential sends the same requests through Tandem and through nginx and HAProxy as plain proxies: the answers are
// equal.
func TestDifferential(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(tellAll))
	defer backend.Close()
	s := serve(t, nil, nil, doc("apis", []string{"all;rev=1"}, map[string]any{"path": "", "subscriptionRequired": false, "serviceUrl": backend.URL}), doc(apim.RootType, []string{"all"}, map[string]any{"current": "1"}),
		doc(typeOperations, []string{"all;rev=1", "any"}, map[string]any{"method": "*", "urlTemplate": "/*"}))
	defer s.stop()
	for name, config := range map[string]peerConfig{"nginx": nginxConfig, "haproxy": haproxyConfig} {
		t.Run(name, func(t *testing.T) {
			path, err := exec.LookPath(name)
			if err != nil {
				t.Skipf("%s is not installed", name)
			}
			peer := startPeer(t, path, config, backend.Listener.Addr().String())
			for _, request := range plainRequests() {
				ours, theirs := exchangeRaw(t, s.address, request), exchangeRaw(t, peer, request)
				if ours != theirs {
					t.Errorf("%q\nTandem: %s\n%s: %s", request, ours, name, theirs)
				}
			}
		})
	}
}

// tellAll is a backend whose answers have many forms.
func tellAll(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Method", r.Method)
	w.Header().Add("X-Many", "one")
	w.Header().Add("X-Many", "two")
	w.Header().Set("X-Custom", r.Header.Get("X-Custom"))
	w.Header().Set("Content-Type", "text/plain")
	what, arg, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	switch what {
	case "status":
		status, _ := strconv.Atoi(arg)
		w.WriteHeader(status)
		if status != 204 && status != 304 {
			fmt.Fprint(w, "status ", arg)
		}
	case "chunked":
		for i := range 3 {
			fmt.Fprint(w, "piece ", i, "\n")
			_ = http.NewResponseController(w).Flush()
		}
	case "big":
		_, _ = w.Write([]byte(strings.Repeat("0123456789abcdef", 20000)))
	case "range":
		http.ServeContent(w, r, "x.txt", time.Unix(1_700_000_000, 0), strings.NewReader("0123456789"))
	case "empty":
		w.Header().Set("Content-Length", "0")
	default:
		fmt.Fprintf(w, "%s %s %d %s", r.Method, r.URL.RequestURI(), len(body), body)
	}
}

func plainRequests() (out []string) {
	for _, line := range []string{"GET /", "GET /a/b?c=d&e=%20f", "GET /a%2Fb", "HEAD /a", "DELETE /a", "OPTIONS /a", "GET /status/204", "GET /status/304", "GET /status/404", "GET /status/500", "GET /status/299", "GET /status/302",
		"HEAD /status/404", "GET /chunked", "HEAD /chunked", "GET /big", "GET /empty", "GET /range", "PATCH /a", "REPORT /a"} {
		out = append(out, line+" HTTP/1.1\r\nHost: x\r\nX-Custom: a value\r\nConnection: close\r\n\r\n")
	}
	return append(out, "GET /range HTTP/1.1\r\nHost: x\r\nRange: bytes=2-4\r\nConnection: close\r\n\r\n",
		"GET /range HTTP/1.1\r\nHost: x\r\nIf-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\nConnection: close\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
		"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n",
		"POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n"+strings.Repeat("x", 100000),
		"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
		"GET /a HTTP/1.1\r\nHost: x\r\nX-Custom: one\r\nKeep-Alive: 5\r\nConnection: close, X-Drop\r\nX-Drop: 1\r\n\r\n",
		"GET /a HTTP/1.0\r\nHost: x\r\n\r\n")
}

// exchangeRaw sends bytes and tells what of the answer must be equal.
func exchangeRaw(t *testing.T, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	for err == nil && resp.StatusCode == 100 {
		resp, err = http.ReadResponse(r, &http.Request{Method: method})
	}
	if err != nil {
		return "no answer: " + err.Error()
	}
	body, err := io.ReadAll(resp.Body)
	out := fmt.Sprint(resp.StatusCode)
	for _, name := range []string{"X-Method", "X-Many", "X-Custom", "Content-Type", "Content-Range", "Last-Modified", "Location"} {
		if v := resp.Header.Values(name); v != nil {
			out += fmt.Sprintf(" %s=%q", name, v)
		}
	}
	if len(body) > 200 {
		body = fmt.Appendf(nil, "%d bytes", len(body))
	}
	return fmt.Sprintf("%s %q %v", out, body, err)
}

func startPeer(t *testing.T, path string, config peerConfig, backend string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file, text, args := config(dir, listen, backend)
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, args...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }() // ended by cancel, or told below
	t.Cleanup(func() { cancel(); <-done })
	for range 200 {
		if conn, err := net.Dial("tcp", listen); err == nil {
			_ = conn.Close()
			return listen
		}
		select {
		case <-done:
			t.Skipf("%s does not run here: %s", path, complaint.String())
		case <-tandem.SystemClock{}.After(25 * time.Millisecond):
		}
	}
	t.Skipf("%s did not listen in time", path)
	return ""
}

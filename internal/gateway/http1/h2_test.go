package http1

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tandem"
	"tandem/internal/exchange"
)

// selfSigned makes a certificate for a name.
func selfSigned(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: tandemNow().Add(-time.Hour), NotAfter: tandemNow().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// fronts are the ways in: HTTP/1.1 and HTTP/2, with TLS and without.
func fronts(t *testing.T, h Handler) map[string]func() (*http.Client, string) {
	certs := NewCertificates()
	certs.Swap(map[string]*tls.Certificate{"*.example": new(selfSigned(t, "gw.example"))}, nil)
	tlsConfig := &tls.Config{GetCertificate: certs.Get, NextProtos: []string{"h2", "http/1.1"}}
	out := make(map[string]func() (*http.Client, string))
	for _, secure := range []bool{false, true} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().String()
		if secure {
			l = tls.NewListener(l, tlsConfig)
		}
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- NewServer(Config{Handler: h, Clock: tandem.SystemClock{}}).Serve(ctx, l) }()
		t.Cleanup(func() {
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
		for _, two := range []bool{false, true} {
			p := new(http.Protocols)
			p.SetHTTP1(!two)
			p.SetHTTP2(two && secure)
			p.SetUnencryptedHTTP2(two && !secure)
			tr := &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "gw.example"}}
			scheme := map[bool]string{false: "http://", true: "https://"}[secure]
			out[fmt.Sprintf("http2 %v, tls %v", two, secure)] = func() (*http.Client, string) {
				t.Cleanup(tr.CloseIdleConnections)
				return &http.Client{Transport: tr}, scheme + addr
			}
		}
	}
	return out
}

// backends are the ways on.
func backends(t *testing.T, h http.HandlerFunc) map[string]Backend {
	out := make(map[string]Backend)
	for _, two := range []bool{false, true} {
		for _, secure := range []bool{false, true} {
			s := httptest.NewUnstartedServer(h)
			s.EnableHTTP2 = two
			if two && !secure {
				s.Config.Protocols = new(http.Protocols)
				s.Config.Protocols.SetUnencryptedHTTP2(true)
			}
			b := Backend{HTTP2: two}
			if secure {
				s.StartTLS()
				b.TLS = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "example.com"}
				b.TLS.RootCAs.AddCert(s.Certificate())
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)
			b.Address = s.Listener.Addr().String()
			out[fmt.Sprintf("http2 %v, tls %v", two, secure)] = b
		}
	}
	return out
}

// Every front with every backend: method, target, fields, bodies and trailers come through both ways.
func TestFrontsAndBackends(t *testing.T) {
	client := NewClient(tandem.SystemClock{})
	defer client.Close()
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-After")
		w.Header().Set("X-Seen", fmt.Sprint(r.Method, " ", r.RequestURI, " ", r.Host, " ", r.Header.Get("X-Sent"), " ", r.Header.Get("User-Agent")))
		w.Header()["Content-Type"] = nil
		w.WriteHeader(201)
		body, _ := io.ReadAll(r.Body)
		w.(http.Flusher).Flush()
		w.Write(body)
		w.Header().Set("X-After", r.Trailer.Get("X-Sum"))
	}
	for bname, b := range backends(t, echo) {
		pool := client.Pool(b)
		t.Cleanup(pool.Close)
		for fname, front := range fronts(t, &proxy{pool: pool}) {
			t.Run(fname+" to "+bname, func(t *testing.T) {
				hc, base := front()
				for _, body := range []string{"", "abc", strings.Repeat("0123456789", 50000)} {
					req, _ := http.NewRequest("POST", base+"/a%2Fb?x=%20", io.MultiReader(strings.NewReader(body)))
					req.Header.Set("X-Sent", "yes")
					req.Header.Set("User-Agent", "test")
					req.Trailer = http.Header{"X-Sum": {"7"}}
					res, err := hc.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(res.Body)
					res.Body.Close()
					seen := "POST /a%2Fb?x=%20 " + req.URL.Host + " yes test"
					if res.StatusCode != 201 || string(got) != body || err != nil || res.Header.Get("X-Seen") != seen {
						t.Fatalf("got %d, %d bytes, %v, %q; want %q", res.StatusCode, len(got), err, res.Header.Get("X-Seen"), seen)
					}
					if res.Trailer.Get("X-After") != "7" {
						t.Errorf("trailers %v", res.Trailer)
					}
					if ct, ok := res.Header["Content-Type"]; ok {
						t.Errorf("a content type was made up: %v", ct)
					}
				}
				req, _ := http.NewRequest("HEAD", base+"/", nil)
				res, err := hc.Do(req)
				if err != nil || res.StatusCode != 201 {
					t.Errorf("HEAD: %v %v", res, err)
				}
				res.Body.Close()
			})
		}
	}
}

// A stream that its client gives up ends the exchange, and a handler's failure resets the stream.
func TestHTTP2Cancel(t *testing.T) {
	begun, over := make(chan struct{}), make(chan struct{})
	h := handlerFunc(func(x *exchange.Exchange) {
		if x.Request.URL.Path == "/break" {
			x.Response.Status = 200
			x.Response.Body = exchange.Stream(io.MultiReader(strings.NewReader("part"), broken{}), -1)
			return
		}
		close(begun)
		<-x.Context.Done()
		close(over)
	})
	hc, base := fronts(t, h)["http2 true, tls true"]()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	req, _ := http.NewRequestWithContext(ctx, "GET", base+"/", nil)
	if _, err := hc.Do(req); err == nil {
		t.Error("the cancelled call has an answer")
	}
	<-over
	res, err := hc.Get(base + "/break")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("the client took a broken answer for whole")
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestHTTP2Refusals(t *testing.T) {
	h := handlerFunc(func(x *exchange.Exchange) {
		x.Response.Status = 200
		_, err := x.Request.Body.Bytes(1 << 20)
		if err != nil {
			x.Response.Status = 413
		}
	})
	hc, base := fronts(t, h)["http2 true, tls false"]()
	for path, status := range map[string]int{"/": 200, "/" + strings.Repeat("a", 17<<10): 414} {
		res, err := hc.Post(base+path, "", bytes.NewReader(make([]byte, 100)))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%.10s: got %d, want %d", path, res.StatusCode, status)
		}
	}
}

func TestCertificates(t *testing.T) {
	a, b, d := new(tls.Certificate), new(tls.Certificate), new(tls.Certificate)
	c := NewCertificates()
	if _, err := c.Get(&tls.ClientHelloInfo{ServerName: "a"}); err == nil {
		t.Error("a certificate before there is one")
	}
	c.Swap(map[string]*tls.Certificate{"api.example": a, "*.Example": b}, d)
	for name, want := range map[string]*tls.Certificate{"api.example": a, "API.example.": a, "x.example": b, "y.x.example": d, "": d, "other": d} {
		if got, err := c.Get(&tls.ClientHelloInfo{ServerName: name}); got != want || err != nil {
			t.Errorf("%q: wrong certificate, %v", name, err)
		}
	}
}

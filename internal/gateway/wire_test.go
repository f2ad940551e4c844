package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"software.sslmate.com/src/go-pkcs12"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/policy"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

// identity is a certificate with its key, self-signed.
func identity(t *testing.T, name string, until time.Time) (*tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt((tandem.SystemClock{}).Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pfx, err := pkcs12.Modern.Encode(key, leaf, nil, "secret")
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, base64.StdEncoding.EncodeToString(pfx)
}

// served is a gateway behind a TLS front on loopback.
type served struct {
	*fixture
	address string
	log     *bytes.Buffer
}

func serve(t *testing.T, own *tls.Certificate, config func(*Config), docs ...*apim.Document) *served {
	t.Helper()
	space, err := store.OpenSpace(t.Context(), storetest.Memory(), "apim/test")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, space: space}
	f.put(docs...)
	clock := tandem.SystemClock{}
	counters := policy.NewMemoryCounters(clock)
	log := &bytes.Buffer{}
	c := Config{Service: "apim-test", Space: space, Sealer: open{}, Clock: clock, Log: slog.New(slog.DiscardHandler), Access: AccessLog{Log: slog.New(slog.NewJSONHandler(log, nil)), Every: 1},
		Host: policy.Host{Cache: policy.NewMemoryCache(clock, 1<<20), Counters: counters, Gates: counters}}
	if config != nil {
		config(&c)
	}
	f.g = New(c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if own != nil {
		l = tls.NewListener(l, f.g.TLSConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own, nil }))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = f.g.Run(ctx) })
	wg.Go(func() { _ = NewFront(f.g, time.Second).Serve(ctx, l) })
	f.stop = func() { cancel(); wg.Wait(); f.g.Close() }
	f.settle()
	return &served{f, address, log}
}

// client asks for a host name, whatever the address.
func (s *served) client(name string, cert *tls.Certificate, h2 bool) *http.Client {
	c := &tls.Config{InsecureSkipVerify: true, ServerName: name} //nolint:gosec // the certificate is looked at by the test
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	tr := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: h2, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.address)
	}}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func get(t *testing.T, c *http.Client, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// TestHostnames: host names with certificates of their own, clients' certificates where a host asks for them, versions of
// TLS, all changed while connections are served.
func TestHostnames(t *testing.T) {
	defer goleak.VerifyNone(t)
	soon := (tandem.SystemClock{}).Now().Add(24 * time.Hour)
	own, _ := identity(t, "own.example", soon)
	_, shop := identity(t, "shop.example", soon)
	_, mutual := identity(t, "mutual.example", soon)
	user, _ := identity(t, "user", soon)
	docs := anAPI("a", "a", `@(context.Request.Certificate == null ? "none" : context.Request.Certificate.Subject)`, false)
	s := serve(t, own, nil, docs...)
	defer s.stop()
	settings := map[string]any{"hostnameConfigurations": []any{
		map[string]any{"type": "Proxy", "hostName": "shop.example", "encodedCertificate": shop, "certificatePassword": "secret"},
		map[string]any{"type": "Proxy", "hostName": "mutual.example", "encodedCertificate": mutual, "certificatePassword": "secret", "negotiateClientCertificate": true},
		map[string]any{"type": "Portal", "hostName": "portal.example"},
		map[string]any{"type": "Proxy", "hostName": "broken.example", "encodedCertificate": shop, "certificatePassword": "wrong"},
	}, "customProperties": map[string]any{"Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Protocols.Tls11": "True", "Nonsense": "1"}}
	check := func(name, subject, body string, cert *tls.Certificate) {
		t.Helper()
		resp, got := get(t, s.client(name, cert, false), "https://"+name+"/a/x")
		if cn := resp.TLS.PeerCertificates[0].Subject.CommonName; cn != subject || got != body {
			t.Errorf("%s is served by %s and told %q, want %s and %q", name, cn, got, subject, body)
		}
	}
	check("shop.example", "own.example", "none", nil)
	s.g.Apply(ReadSettings(settings))
	check("shop.example", "shop.example", "none", user)
	check("mutual.example", "mutual.example", "CN=user", user)
	check("mutual.example", "mutual.example", "none", nil)
	check("broken.example", "own.example", "none", nil)
	check("other.example", "own.example", "none", user)
	var told []string
	for _, p := range s.g.Status().Problems {
		told = append(told, p.Document)
	}
	if got := strings.Join(told, " "); got != "service/hostnameConfigurations[2] service/hostnameConfigurations[3] service/customProperties/Nonsense" {
		t.Errorf("the problems are of %s", got)
	}
	old := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS11} //nolint:gosec // what is under test
	if c, err := tls.Dial("tcp", s.address, old); err != nil {
		t.Errorf("TLS 1.1 is allowed and refused: %v", err)
	} else {
		_ = c.Close()
	}
	s.g.Apply(ReadSettings(nil))
	if c, err := tls.Dial("tcp", s.address, old); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 is taken though it is not allowed")
	}
	check("shop.example", "own.example", "none", nil)
}

// TestDetailedStatus: what anybody sees and what an authorised probe sees.
func TestDetailedStatus(t *testing.T) {
	defer goleak.VerifyNone(t)
	backend := httptest.NewServer(http.NotFoundHandler())
	defer backend.Close()
	own, _ := identity(t, "own.example", (tandem.SystemClock{}).Now().Add(24*time.Hour))
	docs := append(anAPI("a", "a", "x", true), doc("subscriptions", []string{"s"}, map[string]any{"scope": "/apis", "state": "active"}, "primaryKey", "k"),
		doc("backends", []string{"up"}, map[string]any{"url": backend.URL, "type": "Single"}), doc("backends", []string{"down"}, map[string]any{"url": "http://127.0.0.1:1", "type": "Single"}))
	s := serve(t, own, func(c *Config) { c.ProbeToken = "token" }, docs...)
	defer s.stop()
	c := s.client("own.example", nil, false)
	read := func(header ...string) (d Detail) {
		t.Helper()
		resp, body := get(t, c, "https://own.example"+StatusPath+"?detail=1", header...)
		if err := json.Unmarshal([]byte(body), &d); err != nil || resp.StatusCode != 200 {
			t.Fatal(resp.Status, body, err)
		}
		return d
	}
	if d := read(); d.Generation != 1 || d.KeyCheck != "ok" || d.Certificate != "ok" || d.FullDetail != nil {
		t.Errorf("anybody sees %+v", d)
	}
	if d := read(ProbeHeader, "wrong"); d.FullDetail != nil {
		t.Errorf("a wrong token sees %+v", d.FullDetail)
	}
	d := read(ProbeHeader, "token")
	if d.FullDetail == nil || d.Revision < 1 || len(d.Listeners) != 1 || len(d.Certificates) != 1 || len(d.Backends) != 2 || d.Backends[0].Reachable || !d.Backends[1].Reachable {
		t.Errorf("a probe sees %+v", d.FullDetail)
	}
	expired, _ := identity(t, "old.example", (tandem.SystemClock{}).Now().Add(-time.Hour))
	get2 := GetCertificate(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return expired, nil })
	s.g.own.Store(&get2)
	if d := s.g.Detail(t.Context(), true); d.Certificate != "it has ended" {
		t.Errorf("an ended certificate is %q", d.Certificate)
	}
	s.g.Sealer = broken{}
	if d := s.g.Detail(t.Context(), false); d.KeyCheck != "failed" {
		t.Errorf("a broken key is %q", d.KeyCheck)
	}
}

// broken opens nothing.
type broken struct{ open }

// Open implements apim.Sealer.
func (broken) Open(string, []byte) ([]byte, error) { return nil, fmt.Errorf("another key") }

// TestBackendTLS: validation of backends' certificates as their settings say, client certificates, the service's own
// authorities.
func TestBackendTLS(t *testing.T) {
	defer goleak.VerifyNone(t)
	soon := (tandem.SystemClock{}).Now().Add(24 * time.Hour)
	_, client := identity(t, "client", soon)
	server, _ := identity(t, "backend.example", soon)
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			who = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		fmt.Fprint(w, who)
	}))
	backend.TLS = &tls.Config{Certificates: []tls.Certificate{*server}, ClientAuth: tls.RequestClientCert}
	backend.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	backend.StartTLS()
	defer backend.Close()
	docs := []*apim.Document{doc("certificates", []string{"me"}, nil, "data", client, "password", "secret")}
	for name, props := range map[string]map[string]any{
		"strict": {}, "loose": {"tls": map[string]any{"validateCertificateChain": false, "validateCertificateName": false}}, "unnamed": {"tls": map[string]any{"validateCertificateName": false}},
		"certified": {"tls": map[string]any{"validateCertificateChain": false}, "credentials": map[string]any{"certificateIds": []any{"/certificates/me"}}},
	} {
		props["url"], props["type"] = backend.URL, "Single"
		api := anAPI(name, name, "", false)
		api[3].Properties["value"] = `<policies><inbound><base /><set-backend-service backend-id="` + name + `" /></inbound><backend><base /></backend><outbound><base /></outbound></policies>`
		docs = append(append(docs, api...), doc("backends", []string{name}, props))
	}
	policyCert := anAPI("bypolicy", "bypolicy", "", false)
	policyCert[3].Properties["value"] = `<policies><inbound><base /><set-backend-service backend-id="loose" /><authentication-certificate certificate-id="me" /></inbound><backend><base /></backend><outbound><base /></outbound></policies>`
	s := serve(t, nil, nil, append(docs, policyCert...)...)
	defer s.stop()
	ask := func(name string, status int, body string) {
		t.Helper()
		r := s.ask("GET", "/"+name+"/x")
		if got := text(t, r); r.Status != status || status == 200 && got != body {
			t.Errorf("%s: %d %q, want %d %q", name, r.Status, got, status, body)
		}
	}
	ask("strict", 500, "")
	ask("unnamed", 500, "")
	ask("loose", 200, "nobody")
	ask("certified", 200, "client")
	ask("bypolicy", 200, "client")
	s.g.Apply(ReadSettings(map[string]any{"certificates": []any{map[string]any{"encodedCertificate": base64.StdEncoding.EncodeToString(server.Certificate[0]), "storeName": "Root"}}}))
	ask("unnamed", 200, "nobody")
	ask("strict", 200, "nobody")
}

// TestTrace: debug credentials, the trace, and what must not be in it (law 7); metrics and the access log beside.
func TestTrace(t *testing.T) {
	defer goleak.VerifyNone(t)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(debugHeader) != "" {
			t.Error("the credential went to the backend")
		}
		fmt.Fprint(w, "fine")
	}))
	defer backend.Close()
	docs := anAPI("a", "a", "", true)
	docs[0].Properties["serviceUrl"] = backend.URL
	docs[3].Properties["value"] = `<policies><inbound><base /><set-variable name="leak" value="{{hidden}}" /><set-variable name="key" value="@(context.Subscription.Key)" /></inbound><backend><base /></backend><outbound><base /></outbound></policies>`
	docs = append(docs, anAPI("other", "other", "x", false)...)
	docs = append(docs, doc("namedValues", []string{"h"}, map[string]any{"displayName": "hidden", "secret": true}, "value", "hidden-value"), doc("subscriptions", []string{"s"}, map[string]any{"scope": "/apis", "state": "active"}, "primaryKey", "key-value"))
	s := serve(t, nil, nil, docs...)
	token, err := s.g.DebugCredentials("/subscriptions/x/resourceGroups/g/providers/Microsoft.ApiManagement/service/s/apis/A;rev=1", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Transport: &http.Transport{}}
	defer c.CloseIdleConnections()
	url := "http://" + s.address
	resp, body := get(t, c, url+"/a/x?subscription-key=key-value", debugHeader, token, "Authorization", "Bearer token-value", "Cookie", "c=cookie-value")
	if body != "fine" || resp.Header.Get(traceHeader) == "" {
		t.Fatalf("%s %v", body, resp.Header)
	}
	trace, err := s.g.Trace(resp.Header.Get(traceHeader))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hidden-value", "key-value", "token-value", "cookie-value", token} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("%s is in the trace", secret)
		}
	}
	for _, step := range []string{`"set-variable"`, `"forward-request"`, `"transfer-response"`, `"api-inspector"`} {
		if !strings.Contains(string(raw), step) {
			t.Errorf("the trace has no step %s: %s", step, raw)
		}
	}
	if resp, _ := get(t, c, url+"/other/x", debugHeader, token); resp.Header.Get(debugHeaderOther) == "" || resp.Header.Get(traceHeader) != "" {
		t.Errorf("a token of another API gives %v", resp.Header)
	}
	if resp, _ := get(t, c, url+"/other/x", debugHeader, token[:len(token)-2]+"xx"); resp.Header.Get(debugHeaderOther)+resp.Header.Get(traceHeader) != "" {
		t.Errorf("a forged token gives %v", resp.Header)
	}
	if _, err := s.g.DebugCredentials("none", time.Minute); tandem.KindOf(err) != tandem.NotFound {
		t.Errorf("credentials for no API: %v", err)
	}
	s.stop() // the log is whole then
	for _, secret := range []string{"hidden-value", "key-value", "token-value", "cookie-value", token} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
	if !strings.Contains(s.log.String(), `"path":"/a/x","query":"subscription-key=***","status":200`) {
		t.Errorf("the access log says %s", s.log.String())
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.g)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(families); !strings.Contains(got, `value:"200"`) {
		t.Errorf("the metrics are %s", got)
	}
}

// TestUpgrade joins a WebSocket API's client to its backend.
func TestUpgrade(t *testing.T) {
	defer goleak.VerifyNone(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r := bufio.NewReader(conn)
		req, err := http.ReadRequest(r)
		if err != nil || req.URL.Path != "/live/room" {
			t.Errorf("the backend got %v %v", req, err)
			return
		}
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		line, _ := r.ReadString('\n')
		fmt.Fprint(conn, strings.ToUpper(line))
	})
	s := serve(t, nil, nil, doc("apis", []string{"ws;rev=1"}, map[string]any{"path": "ws", "type": "websocket", "subscriptionRequired": false, "serviceUrl": "ws://" + l.Addr().String() + "/live"}),
		doc(apim.RootType, []string{"ws"}, map[string]any{"current": "1"}))
	defer s.stop()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /ws/room HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	if line, err := r.ReadString('\n'); line != "HELLO\n" {
		t.Errorf("the client got %q %v", line, err)
	}
}

// TestGRPC passes HTTP/2 with trailers through.
func TestGRPC(t *testing.T) {
	defer goleak.VerifyNone(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "Grpc-Status")
		w.Header().Set("Content-Type", "application/grpc")
		fmt.Fprintf(w, "%s %s %s", r.Proto, r.URL.Path, body)
		w.Header().Set("Grpc-Status", "0")
	}))
	backend.Config.Protocols = protocols
	backend.Start()
	defer backend.Close()
	own, _ := identity(t, "own.example", (tandem.SystemClock{}).Now().Add(time.Hour))
	s := serve(t, own, nil, doc("apis", []string{"g;rev=1"}, map[string]any{"path": "g", "type": "grpc", "subscriptionRequired": false, "serviceUrl": "grpc://" + strings.TrimPrefix(backend.URL, "http://")}),
		doc(apim.RootType, []string{"g"}, map[string]any{"current": "1"}))
	defer s.stop()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://own.example/g/pkg.Svc/Call", strings.NewReader("ping"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("TE", "trailers")
	resp, err := s.client("own.example", nil, true).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "HTTP/2.0 /pkg.Svc/Call ping" || resp.Trailer.Get("Grpc-Status") != "0" || resp.ProtoMajor != 2 {
		t.Errorf("%s %q, trailers %v, %v", resp.Proto, body, resp.Trailer, err)
	}
}

// TestAbandonedAnswers: answers of backends that no client gets do not keep their connections.
func TestAbandonedAnswers(t *testing.T) {
	defer goleak.VerifyNone(t)
	var mu sync.Mutex
	conns := map[string]bool{}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		conns[r.RemoteAddr] = true
		mu.Unlock()
		w.WriteHeader(503)
		_, _ = w.Write(make([]byte, 1<<20))
	}))
	defer backend.Close()
	docs := anAPI("a", "a", "", false)
	docs[0].Properties["serviceUrl"] = backend.URL
	docs[3].Properties["value"] = `<policies><inbound><base /></inbound><backend><retry condition="@(context.Response.StatusCode == 503)" count="2" interval="0"><forward-request /></retry></backend><outbound><return-response><set-status code="200" /><set-body>mine</set-body></return-response></outbound></policies>`
	s := serve(t, nil, nil, docs...)
	c := &http.Client{Transport: &http.Transport{}}
	for range 5 {
		if resp, body := get(t, c, "http://"+s.address+"/a/x"); resp.StatusCode != 200 || body != "mine" {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	}
	c.CloseIdleConnections()
	s.stop()
	if n := s.g.inflight.Load(); n != 0 {
		t.Errorf("%d requests are still counted", n)
	}
}

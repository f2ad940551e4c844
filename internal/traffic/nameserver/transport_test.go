package nameserver

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestOverTLS asks over TLS and HTTPS, and several times on one connection.
func TestOverTLS(t *testing.T) {
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS() // for its certificate
	defer web.Close()
	var sampled atomic.Int64
	s := testServer(t, testZone(t, nil), func(c *Config) {
		c.TLSListen, c.TLS = "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates}
		c.Sample, c.OnQuery = 1, func(q Query) {
			if q.Name == "four.tm.example" && q.Type == dns.TypeA && q.Client.IsLoopback() && q.TCP && q.Rcode == 0 {
				sampled.Add(1)
			}
		}
	})
	client := &dns.Client{Net: "tcp-tls", TLSConfig: &tls.Config{InsecureSkipVerify: true}, Timeout: 5 * time.Second}
	conn, err := client.Dial(s.TLSAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	question := new(dns.Msg).SetQuestion("four.tm.example.", dns.TypeA)
	for range 3 {
		got, _, err := client.ExchangeWithConn(question, conn)
		if err != nil || len(got.Answer) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
	}
	padded := question.Copy()
	padded.SetEdns0(1232, false)
	padded.IsEdns0().Option = append(padded.IsEdns0().Option, &dns.EDNS0_PADDING{Padding: make([]byte, 20)}, &dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE})
	for transport, want := range map[string]struct {
		size  int
		alive uint16
	}{"tls": {468, 100}, "udp": {0, 0}} {
		var got *dns.Msg
		if transport == "tls" {
			got, _, err = client.ExchangeWithConn(padded, conn)
		} else {
			got, _, err = new(dns.Client).Exchange(padded, s.Addr().String())
		}
		if err != nil {
			t.Fatal(err)
		}
		alive, length := uint16(0), 0
		for _, o := range got.IsEdns0().Option {
			switch o := o.(type) {
			case *dns.EDNS0_TCP_KEEPALIVE:
				alive = o.Timeout
			case *dns.EDNS0_PADDING:
				got.Compress = true
				length = got.Len()
			}
		}
		if alive != want.alive || length != want.size {
			t.Errorf("over %s the answer has %d octets and says that the connection stays for %d", transport, length, alive)
		}
	}
	p := packed(t, question)
	for _, c := range []struct {
		method, query, kind string
		body                []byte
		status              int
	}{
		{"GET", "?dns=" + base64.RawURLEncoding.EncodeToString(p), "", nil, 200}, {"POST", "", dnsMessage, p, 200}, {"POST", "", "text/plain", p, 415},
		{"GET", "?dns=!", "", nil, 400}, {"GET", "", "", nil, 400}, {"PUT", "", dnsMessage, p, 405}, {"POST", "", dnsMessage, make([]byte, 70_000), 400},
	} {
		r := httptest.NewRequest(c.method, "/dns-query"+c.query, bytes.NewReader(c.body))
		r.RemoteAddr = "127.0.0.1:5"
		if c.kind != "" {
			r.Header.Set("Content-Type", c.kind)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.query, w.Code, c.status)
		}
		if w.Code != http.StatusOK {
			continue
		}
		raw, _ := io.ReadAll(w.Result().Body)
		var m dns.Msg
		if err := m.Unpack(raw); err != nil || len(m.Answer) != 1 {
			t.Errorf("%s: %v, %v", c.method, m.String(), err)
		}
	}
	if n := sampled.Load(); n != 6 {
		t.Errorf("%d questions were sampled", n)
	}
	if n := s.zones[0].Counts(); len(n) != 1 || n[0].Name != "four" || n[0].A != 7 {
		t.Errorf("counted %+v", n)
	}
}

// TestApex gives a delegated name addresses of its own.
func TestApex(t *testing.T) {
	z := testZone(t, nil)
	s := testServer(t, z, nil)
	ask := func(typ uint16) string {
		return flat(exchange(t, s, "udp", new(dns.Msg).SetQuestion("tm.example.", typ)))
	}
	if err := z.SetApex(leafOf(t, 0, "gw.contoso.example")); err == nil {
		t.Error("a CNAME was taken at the apex")
	}
	if err := z.SetApex(leafOf(t, 3, "192.0.2.80")); err != nil {
		t.Fatal(err)
	}
	if err := z.Set("another", leafOf(t, 3, "192.0.2.81")); err != nil { // a new table keeps it
		t.Fatal(err)
	}
	for typ, want := range map[uint16]string{dns.TypeA: "NOERROR, 3 A 192.0.2.80", dns.TypeAAAA: "NOERROR, /SOA", dns.TypeTXT: "NOERROR, /SOA", dns.TypeNS: "NOERROR, 3600 NS ns1.tm.example., 3600 NS ns2.other.example."} {
		if got := ask(typ); got != want {
			t.Errorf("%s: %s, want %s", dns.TypeToString[typ], got, want)
		}
	}
	if err := z.SetApex(nil); err != nil {
		t.Fatal(err)
	}
	if got := ask(dns.TypeA); got != "NOERROR, /SOA" {
		t.Errorf("taken away: %s", got)
	}
}

// TestConnectionBound: one client holds no more than its share of connections, and gets a place back when it lets one go.
func TestConnectionBound(t *testing.T) {
	s := testServer(t, testZone(t, nil), func(c *Config) { c.TCPConnections = 8 })
	client := &dns.Client{Net: "tcp", Timeout: 5 * time.Second}
	question := new(dns.Msg).SetQuestion("four.tm.example.", dns.TypeA)
	dial := func() *dns.Conn {
		conn, err := client.Dial(s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	a, b := dial(), dial()
	defer a.Close()
	for _, conn := range []*dns.Conn{a, b} {
		if _, _, err := client.ExchangeWithConn(question, conn); err != nil {
			t.Fatal(err)
		}
	}
	third := dial()
	if _, _, err := client.ExchangeWithConn(question, third); err == nil {
		t.Error("a third connection of eight was let in")
	}
	third.Close()
	b.Close()
	for tries := 0; ; tries++ { // the server sees the end a moment later
		conn := dial()
		_, _, err := client.ExchangeWithConn(question, conn)
		conn.Close()
		if err == nil {
			break
		}
		if tries == 1000 {
			t.Fatal("the place did not come free")
		}
	}
}

package nameserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"tandem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func leafOf(t testing.TB, ttl uint32, records ...string) *Node {
	t.Helper()
	var list []Record
	for _, r := range records {
		if a, err := netip.ParseAddr(r); err == nil {
			list = append(list, Record{Addr: a})
		} else {
			list = append(list, Record{Target: r})
		}
	}
	n, err := Leaf(ttl, list...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// byHalf places 0.0.0.0/1 at 1, 128.0.0.0/1 at 2 and all else nowhere.
type byHalf struct{}

func (byHalf) Locate(a netip.Addr) (uint32, uint8) {
	if !a.Is4() {
		return 0, 0
	}
	return 1 + uint32(a.As4()[0]>>7), 1
}

func testZone(t testing.TB, keys *Keys) *Zone {
	t.Helper()
	z, err := NewZone(ZoneConfig{Name: "tm.example", NameServers: []string{"ns1.tm.example", "ns2.other.example"}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.53")}, NegativeTTL: 1, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	ranges, err := NewRanges([]Range{{netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("10.0.0.255"), 0}, {netip.MustParseAddr("2001:db8::"), netip.MustParseAddr("2001:db8::ffff"), 1}}, -1)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]string, 60)
	for i := range many {
		many[i] = netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i + 1)}).String()
	}
	names := map[string]*Node{
		"four": leafOf(t, 0, "192.0.2.1"), "six": leafOf(t, 30, "2001:db8::1"), "both": leafOf(t, 5, "192.0.2.1", "192.0.2.2", "2001:db8::1"),
		"alias": leafOf(t, 60, "gw.contoso.example"), "gone": Absent(), "empty": NoData(), "deep.er.name": leafOf(t, 0, "192.0.2.9"),
		"half":   Located(byHalf{}, []*Node{leafOf(t, 0, "192.0.2.10"), leafOf(t, 0, "192.0.2.20")}, []int{-1, 0, 1}),
		"subnet": Ranged(ranges, []*Node{leafOf(t, 0, "192.0.2.31"), leafOf(t, 0, "2001:db8::32", "192.0.2.32")}),
		"weight": Weighted([]*Node{leafOf(t, 0, "192.0.2.41"), leafOf(t, 0, "192.0.2.42"), leafOf(t, 0, "192.0.2.43")}, []uint32{1, 0, 3}),
		"large":  leafOf(t, 0, many...),
	}
	if err := z.Replace(names); err != nil {
		t.Fatal(err)
	}
	return z
}

func testServer(t testing.TB, z *Zone, change func(*Config)) *Server {
	t.Helper()
	c := Config{Listen: "127.0.0.1:0", Zones: []*Zone{z}, Clock: tandem.SystemClock{}, RateLimit: -1, NSID: "ns-a"}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func exchange(t testing.TB, s *Server, network string, m *dns.Msg) *dns.Msg {
	t.Helper()
	answer, _, err := (&dns.Client{Net: network, Timeout: 5 * time.Second}).Exchange(m, s.Addr().String())
	if err != nil {
		t.Fatalf("%v: %v", m.Question, err)
	}
	return answer
}

// flat puts an answer into one line.
func flat(m *dns.Msg) string {
	var out []string
	out = append(out, dns.RcodeToString[m.Rcode])
	for _, rr := range m.Answer {
		f := strings.Fields(rr.String())
		out = append(out, strings.Join(append([]string{f[1]}, f[3:]...), " "))
	}
	for _, rr := range m.Ns {
		out = append(out, "/"+dns.TypeToString[rr.Header().Rrtype])
	}
	return strings.Join(out, ", ")
}

func TestAnswers(t *testing.T) {
	s := testServer(t, testZone(t, nil), nil)
	for _, c := range []struct{ name, typ, want string }{
		{"four.tm.example.", "A", "NOERROR, 0 A 192.0.2.1"},
		{"four.tm.example.", "AAAA", "NOERROR, /SOA"},
		{"four.tm.example.", "CNAME", "NOERROR, /SOA"},
		{"four.tm.example.", "ANY", "NOERROR, 0 A 192.0.2.1"},
		{"four.tm.example.", "HTTPS", "NOERROR, /SOA"},
		{"six.tm.example.", "AAAA", "NOERROR, 30 AAAA 2001:db8::1"},
		{"six.tm.example.", "A", "NOERROR, /SOA"},
		{"six.tm.example.", "ANY", "NOERROR, 30 AAAA 2001:db8::1"},
		{"both.tm.example.", "A", "NOERROR, 5 A 192.0.2.1, 5 A 192.0.2.2"},
		{"both.tm.example.", "AAAA", "NOERROR, 5 AAAA 2001:db8::1"},
		{"alias.tm.example.", "A", "NOERROR, 60 CNAME gw.contoso.example."},
		{"alias.tm.example.", "AAAA", "NOERROR, 60 CNAME gw.contoso.example."},
		{"alias.tm.example.", "MX", "NOERROR, 60 CNAME gw.contoso.example."},
		{"alias.tm.example.", "ANY", "NOERROR, 60 CNAME gw.contoso.example."},
		{"gone.tm.example.", "A", "NXDOMAIN, /SOA"},
		{"empty.tm.example.", "A", "NOERROR, /SOA"},
		{"nobody.tm.example.", "A", "NXDOMAIN, /SOA"},
		{"x.four.tm.example.", "A", "NXDOMAIN, /SOA"},
		{"er.name.tm.example.", "A", "NOERROR, /SOA"}, // an empty non-terminal
		{"name.tm.example.", "TXT", "NOERROR, /SOA"},
		{"deep.er.name.tm.example.", "A", "NOERROR, 0 A 192.0.2.9"},
		{"tm.example.", "NS", "NOERROR, 3600 NS ns1.tm.example., 3600 NS ns2.other.example."},
		{"tm.example.", "A", "NOERROR, /SOA"},
		{"tm.example.", "DNSKEY", "NOERROR, /SOA"},
		{"ns1.tm.example.", "A", "NOERROR, 3600 A 192.0.2.53"},
		{"half.tm.example.", "A", "NOERROR, 0 A 192.0.2.10"}, // 127.0.0.1 is in the lower half
		{"subnet.tm.example.", "A", "NXDOMAIN, /SOA"},        // in no range and nobody takes the rest
		{"example.", "A", "REFUSED"},
		{"atm.example.", "A", "REFUSED"},
		{".", "NS", "REFUSED"},
		{"four.tm.example.", "AXFR", "REFUSED"},
	} {
		for _, network := range []string{"udp", "tcp"} {
			m := new(dns.Msg).SetQuestion(c.name, dns.StringToType[c.typ])
			if c.typ == "AXFR" && network == "tcp" {
				continue // the client library insists on its own way
			}
			got := exchange(t, s, network, m)
			if flat(got) != c.want {
				t.Errorf("%s %s over %s: %s, want %s", c.name, c.typ, network, flat(got), c.want)
			}
			if refused := got.Rcode == dns.RcodeRefused; got.Authoritative == refused {
				t.Errorf("%s %s: authoritative is %v", c.name, c.typ, got.Authoritative)
			}
		}
	}
	soa := exchange(t, s, "udp", new(dns.Msg).SetQuestion("nobody.tm.example.", dns.TypeA)).Ns[0].(*dns.SOA)
	if soa.Hdr.Name != "tm.example." || soa.Hdr.Ttl != 1 || soa.Minttl != 1 || soa.Ns != "ns1.tm.example." {
		t.Errorf("the SOA is %v", soa)
	}
}

func TestCaseIsKept(t *testing.T) {
	s := testServer(t, testZone(t, nil), nil)
	got := exchange(t, s, "udp", new(dns.Msg).SetQuestion("fOuR.Tm.eXaMpLe.", dns.TypeA))
	if got.Question[0].Name != "fOuR.Tm.eXaMpLe." || len(got.Answer) != 1 || got.Answer[0].Header().Name != "fOuR.Tm.eXaMpLe." {
		t.Errorf("%v", got)
	}
}

func TestWeights(t *testing.T) {
	n := testZone(t, nil).Lookup("weight")
	count := map[string]int{}
	for range 4000 {
		r, _, _ := n.Records(netip.MustParseAddr("192.0.2.7"))
		count[r[0].Addr.String()]++
	}
	if count["192.0.2.42"] != 0 || count["192.0.2.41"] < 800 || count["192.0.2.41"] > 1200 {
		t.Errorf("weights 1, 0, 3 came out as %v", count)
	}
}

func TestClientSubnet(t *testing.T) {
	s := testServer(t, testZone(t, nil), nil)
	for _, c := range []struct {
		name, subnet, want string
		bits, scope        uint8
	}{
		{"half", "200.1.2.0", "192.0.2.20", 24, 1},
		{"half", "9.1.2.0", "192.0.2.10", 24, 1},
		{"half", "0.0.0.0", "192.0.2.10", 0, 0},      // says nothing: the source counts, and it is in the lower half
		{"half", "192.168.0.0", "192.0.2.10", 16, 0}, // nowhere: the source counts
		{"half", "2a00::", "", 32, 0},
		{"four", "200.1.2.0", "192.0.2.1", 24, 0},
		{"subnet", "10.0.0.0", "", 24, 0}, // private
		{"subnet", "9.0.0.0", "", 24, 7},  // between the start and 10.0.0.0 nothing is mapped
		{"nobody", "200.1.2.0", "", 24, 0},
	} {
		m := new(dns.Msg).SetQuestion(c.name+".tm.example.", dns.TypeA)
		m.SetEdns0(1232, false)
		addr := netip.MustParseAddr(c.subnet)
		e := &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: c.bits, Address: addr.AsSlice()}
		if addr.Is6() {
			e.Family = 2
		}
		m.IsEdns0().Option = append(m.IsEdns0().Option, e)
		got := exchange(t, s, "udp", m)
		answer := ""
		if len(got.Answer) > 0 {
			answer = got.Answer[0].(*dns.A).A.String()
		}
		var back *dns.EDNS0_SUBNET
		for _, o := range got.IsEdns0().Option {
			if x, ok := o.(*dns.EDNS0_SUBNET); ok {
				back = x
			}
		}
		if answer != c.want || back == nil || back.SourceScope != c.scope || back.SourceNetmask != c.bits {
			t.Errorf("%s from %s/%d: %q with %v, want %q with scope %d", c.name, c.subnet, c.bits, answer, back, c.want, c.scope)
		}
	}
}

func TestEDNS(t *testing.T) {
	s := testServer(t, testZone(t, nil), nil)
	plain := exchange(t, s, "udp", new(dns.Msg).SetQuestion("four.tm.example.", dns.TypeA))
	if plain.IsEdns0() != nil {
		t.Error("OPT came unasked")
	}
	m := new(dns.Msg).SetQuestion("four.tm.example.", dns.TypeA)
	m.SetEdns0(4096, true)
	m.IsEdns0().SetVersion(1)
	if got := exchange(t, s, "udp", m); got.Rcode != dns.RcodeBadVers || len(got.Answer) != 0 {
		t.Errorf("version 1: %v", got)
	}
	m.IsEdns0().SetVersion(0)
	m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID}, &dns.EDNS0_LOCAL{Code: 65001, Data: []byte("x")}, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"})
	got := exchange(t, s, "udp", m)
	var id, cookie string
	for _, o := range got.IsEdns0().Option {
		switch o := o.(type) {
		case *dns.EDNS0_NSID:
			id = o.Nsid
		case *dns.EDNS0_COOKIE:
			cookie = o.Cookie
		default:
			t.Errorf("an unknown option came back: %v", o)
		}
	}
	if id != "6e732d61" || len(cookie) != 48 || !strings.HasPrefix(cookie, "010203040506070801000000") || !got.IsEdns0().Do() || len(got.Answer) != 1 {
		t.Errorf("nsid %q, cookie %q, %v", id, cookie, got)
	}
	// A packet too large is cut and comes whole by TCP.
	m = new(dns.Msg).SetQuestion("large.tm.example.", dns.TypeAAAA)
	if got := exchange(t, s, "udp", m); !got.Truncated || len(got.Answer) != 0 {
		t.Errorf("512 octets held %d records", len(got.Answer))
	}
	m.SetEdns0(4096, false)
	if got := exchange(t, s, "udp", m); !got.Truncated {
		t.Error("more than 1232 octets were sent over UDP")
	}
	if got := exchange(t, s, "tcp", m); got.Truncated || len(got.Answer) != 60 {
		t.Errorf("TCP brought %d records", len(got.Answer))
	}
}

func TestSigned(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	z := testZone(t, &Keys{Signer: key, Clock: tandem.SystemClock{}})
	s := testServer(t, z, nil)
	ask := func(name string, typ uint16) *dns.Msg {
		m := new(dns.Msg).SetQuestion(name, typ)
		m.SetEdns0(1232, true)
		return exchange(t, s, "udp", m)
	}
	dnskey := ask("tm.example.", dns.TypeDNSKEY).Answer[0].(*dns.DNSKEY)
	if ds, err := dns.NewRR(z.DS()); err != nil || !strings.EqualFold(ds.(*dns.DS).Digest, dnskey.ToDS(dns.SHA256).Digest) {
		t.Errorf("the DS %q is not of the key served", z.DS())
	}
	verify := func(what string, section []dns.RR) {
		t.Helper()
		sets := map[string][]dns.RR{}
		var sigs []*dns.RRSIG
		for _, rr := range section {
			if sig, ok := rr.(*dns.RRSIG); ok {
				sigs = append(sigs, sig)
				continue
			}
			k := rr.Header().Name + dns.TypeToString[rr.Header().Rrtype]
			sets[k] = append(sets[k], rr)
		}
		if len(sets) == 0 || len(sigs) != len(sets) {
			t.Errorf("%s: %d sets, %d signatures", what, len(sets), len(sigs))
		}
		for _, sig := range sigs {
			set := sets[sig.Hdr.Name+dns.TypeToString[sig.TypeCovered]]
			if err := sig.Verify(dnskey, set); err != nil {
				t.Errorf("%s: %v: %v", what, sig, err)
			}
		}
	}
	for _, c := range []struct {
		name string
		typ  uint16
	}{{"tm.example.", dns.TypeDNSKEY}, {"tm.example.", dns.TypeSOA}, {"tm.example.", dns.TypeNS}, {"four.tm.example.", dns.TypeA}, {"FOUR.tm.example.", dns.TypeA}, {"both.tm.example.", dns.TypeAAAA},
		{"alias.tm.example.", dns.TypeTXT}, {"weight.tm.example.", dns.TypeA}, {"half.tm.example.", dns.TypeA}} {
		verify(c.name+dns.TypeToString[c.typ], ask(c.name, c.typ).Answer)
	}
	for _, c := range []struct {
		name  string
		typ   uint16
		types string
	}{
		{"four.tm.example.", dns.TypeAAAA, "A RRSIG NSEC"}, {"six.tm.example.", dns.TypeA, "AAAA RRSIG NSEC"}, {"tm.example.", dns.TypeTXT, "NS SOA RRSIG NSEC DNSKEY"},
		{"nobody.tm.example.", dns.TypeA, "RRSIG NSEC TYPE128"}, {`odd\000\.x.tm.example.`, dns.TypeA, "RRSIG NSEC TYPE128"}, {"name.tm.example.", dns.TypeA, "RRSIG NSEC"},
	} {
		got := ask(c.name, c.typ)
		verify(c.name, got.Ns)
		if got.Rcode != dns.RcodeSuccess {
			t.Errorf("%s: compact denial says %s", c.name, dns.RcodeToString[got.Rcode])
		}
		for _, rr := range got.Ns {
			if n, ok := rr.(*dns.NSEC); ok {
				var names []string
				for _, typ := range n.TypeBitMap {
					name := dns.TypeToString[typ]
					if typ == 128 {
						name = "TYPE128"
					}
					names = append(names, name)
				}
				if got := strings.Join(names, " "); got != c.types || n.NextDomain != `\000.`+c.name {
					t.Errorf("%s: NSEC of %s, next %s", c.name, got, n.NextDomain)
				}
			}
		}
	}
	if err := z.Set("four", leafOf(t, 0, "192.0.2.77")); err != nil {
		t.Fatal(err)
	}
	after := ask("four.tm.example.", dns.TypeA)
	verify("after a change", after.Answer)
	if after.Answer[0].(*dns.A).A.String() != "192.0.2.77" {
		t.Error("the change was not served")
	}
}

// TestWildcard: an answer leaves from the address that was asked, on all of a host's.
func TestWildcard(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", "[::]:0"} {
		s := testServer(t, testZone(t, nil), func(c *Config) { c.Listen = listen })
		for _, host := range []string{"127.0.0.1", "127.0.0.77", "127.9.9.9"} {
			m := new(dns.Msg).SetQuestion("four.tm.example.", dns.TypeA)
			address := netip.AddrPortFrom(netip.MustParseAddr(host), s.Addr().Port()).String()
			// The client's socket is connected: an answer from elsewhere does not reach it.
			if got, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(m, address); err != nil || len(got.Answer) != 1 {
				t.Errorf("%s asked at %s: %v", listen, host, err)
			}
		}
	}
}

// later is the machine's clock with time added.
type later struct {
	tandem.SystemClock
	by *atomic.Int64
}

func (l later) Now() time.Time { return l.SystemClock.Now().Add(time.Duration(l.by.Load())) }

// TestResign: after a long run every signature is still in date.
func TestResign(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	clock := later{by: new(atomic.Int64)}
	z := testZone(t, &Keys{Signer: key, Clock: clock})
	s := testServer(t, z, nil)
	clock.by.Store(int64(30 * 24 * time.Hour))
	if err := z.Resign(); err != nil {
		t.Fatal(err)
	}
	for name, typ := range map[string]uint16{"four.tm.example.": dns.TypeA, "ns1.tm.example.": dns.TypeA, "tm.example.": dns.TypeNS, "nobody.tm.example.": dns.TypeA} {
		m := new(dns.Msg).SetQuestion(name, typ)
		m.SetEdns0(1232, true)
		got := exchange(t, s, "udp", m)
		n := 0
		for _, rr := range append(got.Answer, got.Ns...) {
			if sig, ok := rr.(*dns.RRSIG); ok {
				n++
				if !sig.ValidityPeriod(clock.Now()) {
					t.Errorf("%s: a signature over %s is out of date", name, dns.TypeToString[sig.TypeCovered])
				}
			}
		}
		if n == 0 {
			t.Errorf("%s: no signature", name)
		}
	}
}

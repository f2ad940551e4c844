package nameserver

import (
	"crypto/ed25519"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"tandem"
)

var client = netip.MustParseAddr("198.51.100.7")

// reply answers one packet without a socket.
func reply(s *Server, p []byte, tcp bool) []byte {
	out := make([]byte, packetSize)
	var q query
	return out[:s.respond(&q, p, s.moment(), client, tcp, out)]
}

func packed(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	p, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestHeaders holds what is said to packets that are no proper question.
func TestHeaders(t *testing.T) {
	s := testServer(t, testZone(t, nil), nil)
	good := packed(t, new(dns.Msg).SetQuestion("four.tm.example.", dns.TypeA))
	with := func(change func(p []byte) []byte) []byte { return change(append([]byte(nil), good...)) }
	set := func(at int, v byte) []byte { return with(func(p []byte) []byte { p[at] = v; return p }) }
	opt := func(data ...byte) []byte {
		return with(func(p []byte) []byte {
			p[11] = 1
			p = append(p, 0, 0, 41, 4, 0xD0, 0, 0, 0, 0, 0, byte(len(data)))
			return append(p, data...)
		})
	}
	for _, c := range []struct {
		name   string
		packet []byte
		rcode  int // -1: silence
	}{
		{"good", good, dns.RcodeSuccess},
		{"short", good[:11], -1},
		{"empty", nil, -1},
		{"an answer", set(2, 0x80), -1},
		{"opcode status", set(2, 2<<3), dns.RcodeNotImplemented},
		{"opcode notify", set(2, 4<<3), dns.RcodeNotImplemented},
		{"opcode update", set(2, 5<<3), dns.RcodeNotImplemented},
		{"no question", set(5, 0), dns.RcodeFormatError},
		{"two questions", set(5, 2), dns.RcodeFormatError},
		{"answers in a question", set(7, 1), dns.RcodeFormatError},
		{"cut in the name", good[:15], dns.RcodeFormatError},
		{"cut in the type", good[:len(good)-3], dns.RcodeFormatError},
		{"a pointer as name", set(12, 0xC0), dns.RcodeFormatError},
		{"a label type of old", set(12, 0x41), dns.RcodeFormatError},
		{"a record that is not there", set(11, 1), dns.RcodeFormatError},
		{"rubbish behind", append(append([]byte(nil), good...), 1, 2, 3), dns.RcodeSuccess},
		{"class CH", set(len(good)-1, 3), dns.RcodeRefused},
		{"class ANY", set(len(good)-1, 255), dns.RcodeSuccess},
		{"OPT", opt(), dns.RcodeSuccess},
		{"OPT with a cut option", opt(0, 8, 0, 9, 1), dns.RcodeFormatError},
		{"OPT with half an option", opt(0, 8, 0), dns.RcodeFormatError},
		{"a cookie of 7", opt(0, 10, 0, 7, 1, 2, 3, 4, 5, 6, 7), dns.RcodeFormatError},
		{"a cookie of 12", opt(0, 10, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), dns.RcodeFormatError},
		{"a subnet", opt(0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2), dns.RcodeSuccess},
		{"a subnet of family 3", opt(0, 8, 0, 7, 0, 3, 24, 0, 192, 0, 2), dns.RcodeFormatError},
		{"a subnet of 33 bits", opt(0, 8, 0, 9, 0, 1, 33, 0, 192, 0, 2, 0, 0), dns.RcodeFormatError},
		{"a subnet with a scope", opt(0, 8, 0, 7, 0, 1, 24, 24, 192, 0, 2), dns.RcodeFormatError},
		{"a subnet with bits behind", opt(0, 8, 0, 7, 0, 1, 23, 0, 192, 0, 3), dns.RcodeFormatError},
		{"a subnet too long", opt(0, 8, 0, 8, 0, 1, 24, 0, 192, 0, 2, 0), dns.RcodeFormatError},
		{"a subnet too short", opt(0, 8, 0, 6, 0, 1, 24, 0, 192, 0), dns.RcodeFormatError},
	} {
		got := reply(s, c.packet, false)
		if c.rcode < 0 {
			if len(got) != 0 {
				t.Errorf("%s: %d octets were answered", c.name, len(got))
			}
			continue
		}
		var m dns.Msg
		if err := m.Unpack(got); err != nil {
			t.Errorf("%s: the answer % x: %v", c.name, got, err)
			continue
		}
		if m.Rcode != c.rcode || !m.Response || m.Id != binary.BigEndian.Uint16(good) {
			t.Errorf("%s: %v, want %s", c.name, m.String(), dns.RcodeToString[c.rcode])
		}
		if m.RecursionAvailable || m.AuthenticatedData || m.Zero {
			t.Errorf("%s: flags that were never true: %v", c.name, m.MsgHdr)
		}
	}
}

// TestNoAllocation holds the query path to none, for every method and with every option.
func TestNoAllocation(t *testing.T) {
	s := testServer(t, testZone(t, nil), func(c *Config) { c.RateLimit = 1_000_000 })
	out := make([]byte, packetSize)
	for _, name := range []string{"four", "both", "alias", "half", "subnet", "weight", "nobody", "empty"} {
		m := new(dns.Msg).SetQuestion(name+".tm.example.", dns.TypeA)
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "010203040506070801000000000000000000000000000000"},
			&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: []byte{200, 1, 2, 0}})
		p := packed(t, m)
		var q query
		at := s.moment()
		if n := testing.AllocsPerRun(200, func() { q.reset(); s.respond(&q, p, at, client, false, out) }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// TestCookies: a cookie made here passes, one of another secret or client does not, and who has one is not limited.
func TestCookies(t *testing.T) {
	s := testServer(t, testZone(t, nil), func(c *Config) { c.RateLimit, c.Slip = 1, 1 })
	question := func(cookie string) []byte {
		m := new(dns.Msg).SetQuestion("four.tm.example.", dns.TypeA)
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie})
		return packed(t, m)
	}
	var m dns.Msg
	if err := m.Unpack(reply(s, question("0102030405060708"), false)); err != nil || len(m.Answer) != 1 {
		t.Fatalf("%v, %v", m.String(), err)
	}
	cookie := m.IsEdns0().Option[0].(*dns.EDNS0_COOKIE).Cookie
	for range 20 {
		if err := m.Unpack(reply(s, question(cookie), false)); err != nil || len(m.Answer) != 1 {
			t.Fatalf("with a cookie: %v, %v", m.String(), err)
		}
	}
	limited := 0
	for range 20 {
		if err := m.Unpack(reply(s, question("0102030405060708ffffffffffffffffffffffffffffffff"), false)); err != nil {
			t.Fatal(err)
		}
		if m.Truncated && len(m.Answer) == 0 {
			limited++
		}
	}
	if limited < 15 {
		t.Errorf("a forged cookie was limited %d times of 20", limited)
	}
	if err := m.Unpack(reply(s, question("0102030405060708"), true)); err != nil || len(m.Answer) != 1 {
		t.Errorf("TCP was limited: %v", err)
	}
}

// TestSipHash holds the vectors of the reference implementation (key 00..0f, message 00..n-1).
func TestSipHash(t *testing.T) {
	var key [16]byte
	for i := range key {
		key[i] = byte(i)
	}
	jar := newCookieJar(key)
	m := make([]byte, 15)
	for i := range m {
		m[i] = byte(i)
	}
	if got := sipHash(jar.k0, jar.k1, m); got != 0xa129ca6149be45e5 {
		t.Errorf("15 octets: %x", got)
	}
	if got := sipHash(jar.k0, jar.k1, nil); got != 0x726fdb47dd0e0e31 {
		t.Errorf("nothing: %x", got)
	}
}

// FuzzPacket: no packet makes a panic, an answer that a client cannot read, or, without a cookie, one that is worth
// forging questions for.
func FuzzPacket(f *testing.F) {
	s, err := New(Config{Listen: "127.0.0.1:0", Zones: []*Zone{testZone(f, nil)}, Clock: clockOf{}, RateLimit: -1})
	if err != nil {
		f.Fatal(err)
	}
	m := new(dns.Msg).SetQuestion("four.tm.example.", dns.TypeA)
	f.Add(packed(f, m))
	m.SetEdns0(1232, true)
	m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"},
		&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: []byte{200, 1, 2, 0}})
	f.Add(packed(f, m))
	m.SetQuestion("nobody.tm.example.", dns.TypeAAAA)
	f.Add(packed(f, m))
	f.Fuzz(func(t *testing.T, p []byte) { checkPacket(t, s, p) })
}

func checkPacket(t *testing.T, s *Server, p []byte) {
	got := reply(s, p, false)
	if len(got) == 0 {
		return
	}
	if len(got) > maxUDP {
		t.Errorf("%d octets over UDP", len(got))
	}
	if got[0] != p[0] || got[1] != p[1] || got[2]&flagQR == 0 {
		t.Errorf("the answer % x does not belong to % x", got[:3], p[:3])
	}
	if len(got) > 10*len(p) && len(p) > headerLen {
		t.Errorf("%d octets make %d", len(p), len(got))
	}
	var m dns.Msg
	if err := m.Unpack(got); err != nil {
		t.Errorf("% x is answered with % x: %v", p, got, err)
	}
}

// TestManyBrokenPackets sends 100,000 mutations of good packets and finds the zone as it was.
func TestManyBrokenPackets(t *testing.T) {
	t.Run("unsigned", func(t *testing.T) { brokenPackets(t, nil, 100_000) })
	t.Run("signed", func(t *testing.T) {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		brokenPackets(t, &Keys{Signer: key, Clock: tandem.SystemClock{}}, 20_000)
	})
}

func brokenPackets(t *testing.T, keys *Keys, count int) {
	s := testServer(t, testZone(t, keys), nil)
	r := rand.New(rand.NewPCG(1, 2))
	var seeds [][]byte
	for _, name := range []string{"four", "alias", "half", "nobody", "deep.er.name"} {
		m := new(dns.Msg).SetQuestion(name+".tm.example.", dns.TypeA)
		seeds = append(seeds, packed(t, m))
		m.SetEdns0(1232, true)
		m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"},
			&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: []byte{200, 1, 2, 0}})
		seeds = append(seeds, packed(t, m))
	}
	for range count {
		p := append([]byte(nil), seeds[r.IntN(len(seeds))]...)
		for range 1 + r.IntN(4) {
			switch r.IntN(4) {
			case 0:
				p = p[:r.IntN(len(p)+1)]
			case 1:
				p = append(p, byte(r.Uint32()))
			default:
				if len(p) > 0 {
					p[r.IntN(len(p))] = byte(r.Uint32())
				}
			}
		}
		checkPacket(t, s, p)
		if t.Failed() {
			return
		}
	}
	if got := flat(exchange(t, s, "udp", new(dns.Msg).SetQuestion("four.tm.example.", dns.TypeA))); got != "NOERROR, 0 A 192.0.2.1" {
		t.Errorf("afterwards: %s", got)
	}
}

func BenchmarkRespond(b *testing.B) {
	s := testServer(b, testZone(b, nil), func(c *Config) { c.RateLimit = 1_000_000 })
	for _, name := range []string{"four", "weight", "half", "subnet", "nobody"} {
		plain := new(dns.Msg).SetQuestion(name+".tm.example.", dns.TypeA)
		full := plain.Copy()
		full.SetEdns0(1232, false)
		full.IsEdns0().Option = append(full.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"},
			&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: []byte{200, 1, 2, 0}})
		for kind, m := range map[string]*dns.Msg{"plain": plain, "edns-cookie-subnet": full} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				p, out := packed(b, m), make([]byte, packetSize)
				var q query
				at := s.moment()
				b.ReportAllocs()
				for b.Loop() {
					q.reset()
					s.respond(&q, p, at, client, false, out)
				}
			})
		}
	}
}

// clockOf is the machine's clock for tests that open no socket.
type clockOf struct{ tandem.SystemClock }

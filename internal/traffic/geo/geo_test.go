package geo

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/oschwald/maxminddb-golang/v2"
)

// database writes a file of the MaxMind format: a prefix to a country, with a state or coordinates where given.
func database(t testing.TB, entries map[string]string) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test", RecordSize: 24, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for prefix, place := range entries {
		country, state, _ := strings.Cut(place, "-")
		m := mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(country)}}
		if at, ok := strings.CutPrefix(state, "@"); ok {
			var lat, lon float64
			fmt.Sscanf(at, "%f,%f", &lat, &lon)
			m["location"] = mmdbtype.Map{"latitude": mmdbtype.Float64(lat), "longitude": mmdbtype.Float64(lon)}
		} else if state != "" {
			m["subdivisions"] = mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String(state)}}
		}
		_, network, err := net.ParseCIDR(prefix)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, m); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "test.mmdb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTable(t *testing.T) {
	table, err := Load(database(t, map[string]string{"10.1.0.0/16": "FR", "10.2.0.0/16": "US-CA", "10.3.0.0/24": "IN-@18.6,73.9", "255.255.255.0/24": "JP", "2001:db8::/32": "DE", "ffff::/16": "BR"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		addr, chain string
		bits        uint8
	}{
		{"10.1.2.3", "FR GEO-EU WORLD", 16}, {"10.2.0.0", "US-CA US GEO-NA WORLD", 16}, {"10.2.255.255", "US-CA US GEO-NA WORLD", 16}, {"10.3.0.77", "IN GEO-AS WORLD", 24},
		{"10.3.1.0", "WORLD", 24}, {"10.0.255.255", "WORLD", 16}, {"0.0.0.0", "WORLD", 5}, {"255.255.255.255", "JP GEO-AS WORLD", 24}, {"128.0.0.1", "WORLD", 2},
		{"2001:db8::1", "DE GEO-EU WORLD", 32}, {"2001:db9::", "WORLD", 32}, {"::", "WORLD", 3}, {"ffff:ffff::", "BR GEO-SA WORLD", 16},
	} {
		place, bits := table.Locate(netip.MustParseAddr(c.addr))
		if got := strings.Join(table.Places()[place].Chain(), " "); got != c.chain || bits != c.bits {
			t.Errorf("%s: %s by %d bits, want %s by %d", c.addr, got, bits, c.chain, c.bits)
		}
	}
	if place, _ := table.Locate(netip.MustParseAddr("10.3.0.77")); table.Places()[place].At != (Point{19, 74}) {
		t.Errorf("coordinates are %v", table.Places()[place].At)
	}
	if place, _ := table.Locate(netip.MustParseAddr("10.1.2.3")); !table.Places()[place].Located {
		t.Error("a country has no place")
	}
}

// TestTableAgreesWithReader compares the flat table with the library's own look-up, over random prefixes and addresses, and
// holds what the bits promise: every address that shares them is at the same place.
func TestTableAgreesWithReader(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	codes := []string{"FR", "US", "IN", "JP", "BR", "ZA"}
	entries := map[string]string{}
	for range 3000 {
		b := [4]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}
		entries[netip.PrefixFrom(netip.AddrFrom4(b), 4+r.IntN(29)).Masked().String()] = codes[r.IntN(len(codes))]
		var six [16]byte
		for i := range six {
			six[i] = byte(r.Uint32())
		}
		six[0] |= 0x40 // where neither IPv4 nor an alias of it lies
		entries[netip.PrefixFrom(netip.AddrFrom16(six), 8+r.IntN(100)).Masked().String()] = codes[r.IntN(len(codes))]
	}
	path := database(t, entries)
	table, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	db, err := maxminddb.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	country := func(a netip.Addr) string {
		var rec record
		if err := db.Lookup(a).Decode(&rec); err != nil {
			t.Fatal(err)
		}
		return rec.Country.Code
	}
	for range 20_000 {
		var six [16]byte
		for i := range six {
			six[i] = byte(r.Uint32())
		}
		six[0] |= 0x40
		for _, a := range []netip.Addr{netip.AddrFrom16(six), netip.AddrFrom4([4]byte(six[:4]))} {
			place, bits := table.Locate(a)
			got := table.Places()[place].Country
			if want := country(a); got != want {
				t.Fatalf("%s: %q, the library says %q", a, got, want)
			}
			prefix, err := a.Prefix(int(bits))
			if err != nil {
				t.Fatal(err)
			}
			if other, _ := table.Locate(prefix.Addr()); table.Places()[other].Country != got {
				t.Fatalf("%s is %q by %d bits, but %s is %q", a, got, bits, prefix.Addr(), table.Places()[other].Country)
			}
		}
	}
}

func TestAtlas(t *testing.T) {
	for _, a := range Areas() {
		if a.Parent != "" && !KnownCode(a.Parent) {
			t.Errorf("%s lies in %s, which is not there", a.Code, a.Parent)
		}
		if a.Parent != "" && a.Parent != "WORLD" {
			if p, ok := Centre(a.Code); !ok || p.Lat < -90 || p.Lat > 90 || p.Lon < -180 || p.Lon > 180 {
				t.Errorf("%s is at %v", a.Code, p)
			}
		}
	}
	if n := len(Areas()); n < 300 {
		t.Errorf("there are %d areas", n)
	}
	india, _ := RegionPoint("Central India")
	paris, _ := Centre("FR")
	if d := Distance(india, paris); d < 6500 || d > 8000 {
		t.Errorf("central India is %v km from France", d)
	}
	if KnownRegion("Atlantis") {
		t.Error("Atlantis was found")
	}
}

func TestLoadRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.mmdb")
	if err := os.WriteFile(path, []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Join(t.TempDir(), "absent")} {
		if _, err := Load(p); err == nil {
			t.Errorf("%s was taken", p)
		}
	}
}

func BenchmarkLocate(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	entries := map[string]string{}
	for range 20_000 {
		entries[netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), 0}), 24).String()] = []string{"FR", "US", "IN"}[r.IntN(3)]
	}
	table, err := Load(database(b, entries))
	if err != nil {
		b.Fatal(err)
	}
	addrs := make([]netip.Addr, 4096)
	for i := range addrs {
		addrs[i] = netip.AddrFrom4([4]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		table.Locate(addrs[i&4095])
		i++
	}
}

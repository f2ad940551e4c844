//go:build linux

package main

import (
	"bufio"
	"crypto/rand"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"tandem"
	"tandem/internal/traffic/geo"
	"tandem/internal/traffic/nameserver"
)

const (
	zoneName  = "tm.bench"
	nameCount = 1000
)

var methods = []string{"priority", "weighted", "performance", "geographic", "multivalue", "subnet"}

// runServe is a child process: Tandem's DNS server with a thousand names for each method. It prints its address and ends
// with its input.
func runServe(args []string) error {
	f := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := f.String("listen", "127.0.0.1:0", "address")
	if err := f.Parse(args); err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	zone, err := nameserver.NewZone(nameserver.ZoneConfig{Name: zoneName, NegativeTTL: 1})
	if err != nil {
		return err
	}
	places, err := benchPlaces()
	if err != nil {
		return err
	}
	names := map[string]*nameserver.Node{}
	for _, m := range methods {
		for i := range nameCount {
			n, err := benchNode(m, i, places)
			if err != nil {
				return err
			}
			names[fmt.Sprintf("%s%d", m, i)] = n
		}
	}
	if err := zone.Replace(names); err != nil {
		return err
	}
	var secret [16]byte
	rand.Read(secret[:])
	// The limit is on and far: its price is paid, nobody is refused.
	s, err := nameserver.New(nameserver.Config{Listen: *listen, Zones: []*nameserver.Zone{zone}, Clock: tandem.SystemClock{}, Sockets: 1, RateLimit: 1_000_000, CookieSecret: secret})
	if err != nil {
		return err
	}
	if err := s.Start(); err != nil {
		return err
	}
	defer s.Stop()
	fmt.Println(s.Addr())
	bufio.NewReader(os.Stdin).ReadString(0)
	return nil
}

func benchNode(method string, i int, table *geo.Table) (*nameserver.Node, error) {
	leaf := func(k int) (*nameserver.Node, error) {
		return nameserver.Leaf(0, nameserver.Record{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i + k)})})
	}
	kids := make([]*nameserver.Node, 4)
	for k := range kids {
		n, err := leaf(k)
		if err != nil {
			return nil, err
		}
		kids[k] = n
	}
	switch method {
	case "weighted":
		return nameserver.Weighted(kids, []uint32{1, 2, 3, 4}), nil
	case "performance", "geographic":
		byPlace := make([]int, len(table.Places()))
		for p := range byPlace {
			byPlace[p] = p % len(kids)
		}
		return nameserver.Located(table, kids, byPlace), nil
	case "multivalue":
		return nameserver.Leaf(0, nameserver.Record{Addr: netip.AddrFrom4([4]byte{192, 0, 2, 1})}, nameserver.Record{Addr: netip.AddrFrom4([4]byte{192, 0, 2, 2})})
	case "subnet":
		ranges, err := nameserver.NewRanges([]nameserver.Range{{First: netip.MustParseAddr("10.0.0.0"), Last: netip.MustParseAddr("10.255.255.255"), Kid: 1}, {First: netip.MustParseAddr("203.0.0.0"), Last: netip.MustParseAddr("203.255.255.255"), Kid: 2}}, 0)
		if err != nil {
			return nil, err
		}
		return nameserver.Ranged(ranges, kids), nil
	}
	return kids[0], nil
}

// benchPlaces is a table of 256 places, one for each first octet, so that look-ups walk like those of a real one.
func benchPlaces() (*geo.Table, error) {
	entries := make([]geo.Entry, 0, 256)
	for i := range 256 {
		entries = append(entries, geo.Entry{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i)}), 8), Place: geo.Place{Country: fmt.Sprint(i)}})
	}
	return geo.NewTable(entries)
}

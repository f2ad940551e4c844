//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
)

// startPowerDNS runs Debian's PowerDNS with one Lua record that watches both addresses at its fastest: an interval and a
// timeout of one second, one strike.
func startPowerDNS(primary, standby string) (*server, error) {
	path, err := exec.LookPath("pdns_server")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	a, err := netip.ParseAddrPort(primary)
	if err != nil {
		return nil, err
	}
	b, err := netip.ParseAddrPort(standby)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pdns")
	if err != nil {
		return nil, err
	}
	os.Chmod(dir, 0o755) // the server may drop its rights
	files := map[string]string{
		"pdns.conf":  fmt.Sprintf("launch=bind\nbind-config=%s/named.conf\nlocal-address=127.0.0.1\nlocal-port=%d\nsocket-dir=%s\nenable-lua-records=shared\nlua-health-checks-interval=1\ncache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nzone-cache-refresh-interval=0\nguardian=no\ndaemon=no\n", dir, port, dir),
		"named.conf": fmt.Sprintf("zone \"%s\" { type master; file \"%s/zone\"; };\n", zoneName, dir),
		"zone": fmt.Sprintf("$ORIGIN %s.\n@ 3600 IN SOA ns1 hostmaster 1 7200 1800 259200 1\n@ 3600 IN NS ns1\nns1 3600 IN A 127.0.0.1\nn0 0 IN LUA A \"ifurlup('http://%s:%d/status', {{'%s'}, {'%s'}}, {timeout=1})\"\n",
			zoneName, zoneName, a.Port(), a.Addr(), b.Addr()),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(path, "--config-dir="+dir)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{address: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)), cmd: cmd, prefix: "n", suffix: zoneName, end: func() { os.RemoveAll(dir) }}
	if err := s.wait("n0." + zoneName); err != nil {
		text, _ := os.ReadFile(filepath.Join(dir, "log"))
		s.stop()
		return nil, fmt.Errorf("PowerDNS did not start: %w: %s", err, text)
	}
	return s, nil
}

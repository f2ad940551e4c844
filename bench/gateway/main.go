//go:build linux

package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

const keyCount = 10000

// subscriptionKey is the n-th of the 10,000 keys.
func subscriptionKey(n int) string { return fmt.Sprintf("%016x%016x", uint64(n)*0x9e3779b97f4a7c15, n) }

func main() {
	var r run
	part := flag.String("part", "", "run one part instead of the comparison: backend, load, relay, tandem (used by the comparison itself)")
	listen := flag.String("listen", "", "address of a part")
	tlsListen := flag.String("tls", "", "TLS address of a part")
	target := flag.String("target", "", "address that a part talks to")
	cert := flag.String("cert", "", "certificate of a part")
	key := flag.String("key", "", "private key of a part")
	profile := flag.String("profile", "", "file for a CPU profile of the tandem part")
	conns := flag.Int("conns", 64, "connections of the load")
	requests := flag.Int("requests", 30000, "requests of one slice")
	rate := flag.Int("rate", 0, "requests per second of the load part; 0: closed loop")
	modes := flag.String("modes", "sat,5k,2core,tls,h2", "what to measure")
	only := flag.String("only", "relay,nginx,haproxy,tandem", "which gateways to compare")
	flag.IntVar(&r.rounds, "rounds", 6, "slices of each gateway in each mode")
	flag.IntVar(&r.port, "port", 18080, "first of the ports used, on 127.0.0.1")
	flag.StringVar(&r.tandem, "tandem", "", "command that starts Tandem's gateway; empty: the codec with a minimal handler")
	flag.Parse()
	r.conns, r.requests = *conns, *requests
	r.modes, r.only = strings.Split(*modes, ","), strings.Split(*only, ",")
	var err error
	switch *part {
	case "":
		err = r.compare()
	case "backend":
		err = runBackend(*listen)
	case "load":
		err = runLoad(*target, *conns, *requests, *rate)
	case "relay":
		err = runRelay(*listen, *target)
	case "tandem":
		err = profiled(*profile, func() error { return runTandem(*listen, *tlsListen, *target, *cert, *key) })
	default:
		err = fmt.Errorf("run part %s: there is no such part; use backend, load, relay or tandem", *part)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

//go:build linux

// Command dns measures Tandem's Traffic Manager beside other DNS servers on the same machine in the same run: CPU per query,
// and the time from the break of a primary to the first right answer. It judges nothing: it prints.
//
//	go run ./bench/dns load            CPU microseconds per query: Tandem's six methods, gdnsd where it is installed
//	go run ./bench/dns failover        distribution of failover times: killed, stopped, 503
//	go run ./bench/dns flap            moves of an endpoint that fails now and then
//
// Figures to compare are ratios within one run; a busy machine moves all of them.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
)

func main() {
	commands := map[string]func([]string) error{"load": runLoad, "failover": runFailover, "flap": runFlap,
		"serve": runServe, "status": runStatus, "traffic": runTraffic} // the last three are its own child processes
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: dns load|failover|flap [flags]")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "dns", os.Args[1]+":", err)
		os.Exit(1)
	}
}

// spread gives the least, median, 99th percentile and largest of values.
func spread(v []float64) string {
	if len(v) == 0 {
		return "none"
	}
	s := append([]float64(nil), v...)
	sort.Float64s(s)
	at := func(q float64) float64 { return s[min(len(s)-1, int(q*float64(len(s))))] }
	return fmt.Sprintf("min %.3f  median %.3f  p99 %.3f  max %.3f", s[0], at(0.5), at(0.99), s[len(s)-1])
}

func row(cells ...string) {
	fmt.Println("| " + strings.Join(cells, " | ") + " |")
}

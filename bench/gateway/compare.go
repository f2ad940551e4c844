//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// run is one comparison.
type run struct {
	rounds, port, conns, requests int
	tandem                        string
	modes, only                   []string
	dir, self                     string
}

func (r *run) address(n int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port+n)) }

// gateway is one of the compared, with where it listens.
type gateway struct {
	name        string
	listen, tls string
	command     func(cores int) ([]string, error)
	proc        *process
}

// sample is one slice.
type sample struct {
	micros float64 // of CPU per request
	perSec float64
	p50    float64
	p99    float64
	memory int64
}

func (r *run) compare() (err error) {
	runtime.LockOSThread() // the parts are told to end when the thread that started them does
	if r.self, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if r.dir, err = os.MkdirTemp("", "bench-gateway"); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	defer os.RemoveAll(r.dir)
	if err := writeCertificate(r.dir); err != nil {
		return err
	}
	for _, mode := range r.modes {
		if err := r.mode(context.Background(), mode); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) gateways() (list []*gateway) {
	backend := r.address(0)
	all := []*gateway{
		{name: "relay", listen: r.address(1), command: func(int) ([]string, error) {
			return []string{r.self, "-part", "relay", "-listen", r.address(1), "-target", backend}, nil
		}},
		{name: "nginx", listen: r.address(2), tls: r.address(12), command: func(cores int) ([]string, error) {
			return nginxCommand(r.dir, r.address(2), r.address(12), backend, cores)
		}},
		{name: "haproxy", listen: r.address(3), tls: r.address(13), command: func(cores int) ([]string, error) {
			return haproxyCommand(r.dir, r.address(3), r.address(13), backend, cores)
		}},
		{name: "tandem", listen: r.address(4), tls: r.address(14), command: r.tandemCommand},
	}
	for _, g := range all {
		switch {
		case !slices.Contains(r.only, g.name):
		case (g.name == "nginx" || g.name == "haproxy") && lookTool(g.name) == "":
			fmt.Printf("%s is not installed and is left out; apt-get install nginx-light haproxy\n", g.name)
		default:
			list = append(list, g)
		}
	}
	return list
}

// tandemCommand fills in the command line given, or runs the codec with the minimal handler.
func (r *run) tandemCommand(int) ([]string, error) {
	if r.tandem == "" {
		return []string{r.self, "-part", "tandem", "-listen", r.address(4), "-tls", r.address(14), "-target", r.address(0),
			"-cert", r.dir + "/cert.pem", "-key", r.dir + "/key.pem"}, nil
	}
	var keys strings.Builder
	for i := range keyCount {
		fmt.Fprintln(&keys, subscriptionKey(i))
	}
	if err := os.WriteFile(r.dir+"/keys.txt", []byte(keys.String()), 0o600); err != nil {
		return nil, fmt.Errorf("write keys: %w", err)
	}
	fill := strings.NewReplacer("{listen}", r.address(4), "{tls}", r.address(14), "{backend}", r.address(0),
		"{keys}", r.dir+"/keys.txt", "{cert}", r.dir+"/cert.pem", "{key}", r.dir+"/key.pem")
	return strings.Fields(fill.Replace(r.tandem)), nil
}

// mode measures all gateways in one mode.
func (r *run) mode(ctx context.Context, mode string) error {
	secure := mode == "tls" || mode == "h2"
	if secure && lookTool("h2load") == "" {
		fmt.Printf("\n%s: left out, h2load is not installed; apt-get install nghttp2-client\n", mode)
		return nil
	}
	cpu, others, cores := "0", "1", 1
	if mode == "2core" {
		cpu, others, cores = "", "", 2
	}
	backend, err := start(ctx, "backend", others, r.address(0), []string{r.self, "-part", "backend", "-listen", r.address(0)})
	if err != nil {
		return err
	}
	defer backend.stop()
	gateways := r.gateways()
	if secure {
		gateways = slices.DeleteFunc(gateways, func(g *gateway) bool { return g.tls == "" })
	}
	for _, g := range gateways {
		command, err := g.command(cores)
		if err != nil {
			return err
		}
		if g.proc, err = start(ctx, g.name, cpu, g.listen, command); err != nil {
			return err
		}
		defer g.proc.stop()
	}
	samples := make(map[string][]sample)
	for round := range r.rounds + 1 { // the first one warms up
		for _, g := range gateways {
			s, err := r.slice(mode, others, g)
			if err != nil {
				return fmt.Errorf("measure %s in mode %s: %w", g.name, mode, err)
			}
			if round > 0 {
				samples[g.name] = append(samples[g.name], s)
			}
		}
	}
	report(mode, gateways, samples)
	return nil
}

// slice measures one gateway once.
func (r *run) slice(mode, cpu string, g *gateway) (s sample, err error) {
	args := []string{r.self, "-part", "load", "-target", g.listen, "-conns", strconv.Itoa(r.conns), "-requests", strconv.Itoa(r.requests)}
	switch mode {
	case "5k":
		args = append(args, "-rate", "5000")
	case "tls", "h2":
		return r.secureSlice(mode, cpu, g)
	case "sat", "2core":
	default:
		return s, fmt.Errorf("mode %s is not known; use sat, 5k, 2core, tls or h2", mode)
	}
	before, _ := g.proc.usage()
	out, err := pinned(cpu, args).Output()
	if err != nil {
		return s, fmt.Errorf("run load: %w %s", err, stderrOf(err))
	}
	after, memory := g.proc.usage()
	var l loadResult
	if err := json.Unmarshal(out, &l); err != nil {
		return s, fmt.Errorf("read result of load: %w", err)
	}
	if l.Failed > 0 {
		return s, fmt.Errorf("%d of %d answers were not 200", l.Failed, l.Requests)
	}
	return sample{(after - before) / float64(l.Requests), float64(l.Requests) / l.Seconds, l.P50, l.P99, memory}, nil
}

var h2loadLine = regexp.MustCompile(`(\d+) 2xx`)
var h2loadRate = regexp.MustCompile(`finished in [^,]+, ([0-9.]+) req/s`)

// secureSlice uses h2load: HTTP/1.1 on 64 connections, HTTP/2 on 16 with 8 streams. It can send one key only.
func (r *run) secureSlice(mode, cpu string, g *gateway) (s sample, err error) {
	shape := []string{"--h1", "-c", "64"}
	if mode == "h2" {
		shape = []string{"-c", "16", "-m", "8"}
	}
	args := slices.Concat([]string{lookTool("h2load")}, shape, []string{"-n", strconv.Itoa(r.requests), "-H",
		"Ocp-Apim-Subscription-Key: " + subscriptionKey(1), "https://" + g.tls + "/echo/resource?id=1"})
	before, _ := g.proc.usage()
	out, err := pinned(cpu, args).Output()
	if err != nil {
		return s, fmt.Errorf("run h2load: %w %s", err, stderrOf(err))
	}
	after, memory := g.proc.usage()
	ok, rate := h2loadLine.FindSubmatch(out), h2loadRate.FindSubmatch(out)
	if ok == nil || rate == nil || string(ok[1]) != strconv.Itoa(r.requests) {
		return s, fmt.Errorf("h2load had other answers than 2xx:\n%s", out)
	}
	s.micros, s.memory = (after-before)/float64(r.requests), memory
	s.perSec, err = strconv.ParseFloat(string(rate[1]), 64)
	return s, err
}

func pinned(cpu string, args []string) *exec.Cmd {
	if cpu != "" {
		args = append([]string{"taskset", "-c", cpu}, args...)
	}
	return exec.Command(args[0], args[1:]...)
}

func stderrOf(err error) string {
	if e, ok := err.(*exec.ExitError); ok {
		return string(bytes.TrimSpace(e.Stderr))
	}
	return ""
}

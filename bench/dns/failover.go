//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store/storetest"
	"tandem/internal/traffic"
)

// runStatus is a child process: an HTTP status page that SIGUSR1 switches to 503 and SIGUSR2 back to 200.
func runStatus(args []string) error {
	l, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	var bad atomic.Bool
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() {
		for s := range signals {
			bad.Store(s == syscall.SIGUSR1)
		}
	}()
	go func() {
		bufio.NewReader(os.Stdin).ReadString(0)
		os.Exit(0)
	}()
	fmt.Println(l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if bad.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
}

// runTraffic is a child process: a whole Traffic Manager with one profile of two endpoints.
func runTraffic(args []string) error {
	f := flag.NewFlagSet("traffic", flag.ContinueOnError)
	interval, port := f.Int("interval", 200, "milliseconds"), f.Int("port", 0, "of the status pages")
	count, oneWay := f.Int("places", 1, "vantage points"), f.Duration("way", 0, "between vantage points, one way")
	if err := f.Parse(args); err != nil {
		return err
	}
	ctx, store := context.Background(), storetest.Memory()
	places, err := startPlaces(ctx, *count, *oneWay, store)
	if err != nil {
		return err
	}
	s := places[0]
	body := fmt.Sprintf(`{"properties":{"trafficRoutingMethod":"Priority","dnsConfig":{"relativeName":"n0","ttl":0},"monitorConfig":{"protocol":"HTTP","port":%d,"path":"/status",
	 "intervalInMilliseconds":%d,"timeoutInMilliseconds":%d,"toleratedNumberOfFailures":2,"holdDownInSeconds":0},"endpoints":[
	 {"name":"a","type":"x/externalEndpoints","properties":{"target":"127.0.0.11"}},{"name":"b","type":"x/externalEndpoints","properties":{"target":"127.0.0.12"}}]}}`, *port, *interval, min(*interval, 1000))
	provider := traffic.NewProvider(traffic.ProviderConfig{Store: store, Clock: tandem.SystemClock{}, Zone: zoneName, Health: s})
	for _, r := range provider.Routes() {
		if r.Method == http.MethodPut && r.Pattern[len(r.Pattern)-len("/{profileName}"):] == "/{profileName}" {
			raw := json.RawMessage(body)
			if _, err := r.Handler(ctx, &arm.Request{Method: r.Method, APIVersion: "2022-04-01", Body: raw, Params: map[string]string{"subscriptionId": "s", "resourceGroupName": "g", "profileName": "p"}}); err != nil {
				return err
			}
		}
	}
	fmt.Println(s.Addr())
	bufio.NewReader(os.Stdin).ReadString(0)
	return s.Stop()
}

// runFailover breaks the primary again and again, at a random phase, and asks once a millisecond.
func runFailover(args []string) error {
	f := flag.NewFlagSet("failover", flag.ContinueOnError)
	breaks := f.Int("breaks", 20, "breaks of each kind")
	intervals := f.String("intervals", "200,1000,10000", "probe intervals of Tandem in milliseconds; empty: it is not measured")
	count := f.Int("places", 1, "vantage points of Tandem, which decide by a majority")
	oneWay := f.Duration("way", 40*time.Millisecond, "between vantage points, one way")
	others := f.Bool("others", true, "measure gdnsd and PowerDNS too, where they are installed")
	if err := f.Parse(args); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	row("server", "mode", "n", "seconds from the break to the first right answer", "wrong answers after the flip", "false flips")
	row("---", "---", "---", "---", "---", "---")
	for _, text := range strings.FieldsFunc(*intervals, func(r rune) bool { return r == ',' }) {
		interval, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		start := func() (*server, error) {
			cmd, address, err := startChild("traffic", fmt.Sprintf("-interval=%d", interval), fmt.Sprintf("-port=%d", port), fmt.Sprintf("-places=%d", *count), "-way="+oneWay.String())
			if err != nil {
				return nil, err
			}
			a, err := netip.ParseAddrPort(address)
			return &server{address: a, cmd: cmd}, err
		}
		for _, mode := range []string{"killed", "stopped", "503"} {
			if interval > 1000 && mode != "killed" {
				continue // the interval is most of it, and the run would take hours
			}
			name := fmt.Sprintf("tandem %d ms", interval)
			if *count > 1 {
				name += fmt.Sprintf(", %d places %v apart", *count, *oneWay)
			}
			if err := series(name, mode, *breaks, port, start); err != nil {
				return err
			}
		}
	}
	if !*others {
		return nil
	}
	one, two := fmt.Sprintf("127.0.0.11:%d", port), fmt.Sprintf("127.0.0.12:%d", port)
	for name, start := range map[string]func() (*server, error){
		"gdnsd 2 s, one strike":    func() (*server, error) { return startGdnsd(one, two) },
		"PowerDNS 1 s, one strike": func() (*server, error) { return startPowerDNS(one, two) },
	} {
		for _, mode := range []string{"killed", "stopped", "503"} {
			if err := series(name, mode, min(*breaks, 8), port, start); err != nil {
				fmt.Println(name, "is not measured:", err)
				break
			}
		}
	}
	return nil
}

// series runs one server through a number of breaks of one kind.
func series(name, mode string, breaks, port int, start func() (*server, error)) error {
	const primary, standby = "127.0.0.11", "127.0.0.12"
	page := func(host string) (*exec.Cmd, error) {
		cmd, _, err := startChild("status", fmt.Sprintf("%s:%d", host, port))
		return cmd, err
	}
	end := func(cmd *exec.Cmd) {
		cmd.Process.Signal(syscall.SIGCONT)
		cmd.Process.Kill()
		cmd.Wait()
	}
	a, err := page(primary)
	if err != nil {
		return err
	}
	defer func() { end(a) }()
	b, err := page(standby)
	if err != nil {
		return err
	}
	defer end(b)
	s, err := start()
	if err != nil {
		return err
	}
	defer s.stop()
	c, err := net.Dial("udp", s.address.String())
	if err != nil {
		return err
	}
	defer c.Close()
	o := &observer{conn: c, clock: tandem.SystemClock{}}
	var times []float64
	wrong, falseFlips := 0, 0
	for range breaks {
		if err := o.until(primary, 60*time.Second); err != nil {
			return fmt.Errorf("%s, %s: before the break: %w", name, mode, err)
		}
		falseFlips += o.watch(primary, time.Second+rand.N(time.Second))
		broke := o.clock.Now()
		switch mode {
		case "killed":
			a.Process.Kill()
		case "stopped":
			a.Process.Signal(syscall.SIGSTOP)
		case "503":
			a.Process.Signal(syscall.SIGUSR1)
		}
		if err := o.until(standby, 60*time.Second); err != nil {
			return fmt.Errorf("%s, %s: after the break: %w", name, mode, err)
		}
		times = append(times, o.clock.Now().Sub(broke).Seconds())
		wrong += o.watch(standby, 500*time.Millisecond)
		switch mode {
		case "killed":
			a.Wait()
			if a, err = page(primary); err != nil {
				return err
			}
		case "stopped":
			a.Process.Signal(syscall.SIGCONT)
		case "503":
			a.Process.Signal(syscall.SIGUSR2)
		}
	}
	row(name, mode, fmt.Sprint(breaks), spread(times), fmt.Sprint(wrong), fmt.Sprint(falseFlips))
	return nil
}

// observer asks for the one name, once a millisecond.
type observer struct {
	conn  net.Conn
	clock tandem.Clock
}

func (o *observer) ask() (string, error) {
	q, err := new(dns.Msg).SetQuestion("n0."+zoneName+".", dns.TypeA).Pack()
	if err != nil {
		return "", err
	}
	o.conn.SetDeadline(o.clock.Now().Add(time.Second))
	if _, err := o.conn.Write(q); err != nil {
		return "", err
	}
	buf := make([]byte, 1500)
	n, err := o.conn.Read(buf)
	if err != nil {
		return "", err
	}
	var m dns.Msg
	if err := m.Unpack(buf[:n]); err != nil {
		return "", err
	}
	if len(m.Answer) == 1 {
		if a, ok := m.Answer[0].(*dns.A); ok {
			return a.A.String(), nil
		}
	}
	return dns.RcodeToString[m.Rcode], nil
}

// until asks until the answer is want.
func (o *observer) until(want string, most time.Duration) error {
	began := o.clock.Now()
	got, err := "", error(nil)
	for o.clock.Now().Sub(began) < most {
		if got, err = o.ask(); err == nil && got == want {
			return nil
		}
		o.clock.Sleep(context.Background(), time.Millisecond)
	}
	return fmt.Errorf("%s was not answered within %v, but %s (%v)", want, most, got, err)
}

// watch counts the answers that are not want.
func (o *observer) watch(want string, length time.Duration) (others int) {
	began := o.clock.Now()
	for o.clock.Now().Sub(began) < length {
		if got, err := o.ask(); err == nil && got != want {
			others++
		}
		o.clock.Sleep(context.Background(), time.Millisecond)
	}
	return others
}

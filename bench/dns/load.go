//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"tandem"
)

const window = 32

// message is the kernel's struct mmsghdr.
type message struct {
	header unix.Msghdr
	length uint32
	_      [4]byte
}

// runLoad measures CPU per query of each server under the same load. On a machine that has other work a query costs more at
// one moment than at the next; so every short measurement of Tandem stands between two of gdnsd, and what counts is the median
// of the ratios to the mean of those two.
func runLoad(args []string) error {
	f := flag.NewFlagSet("load", flag.ContinueOnError)
	seconds := f.Float64("seconds", 0.3, "length of one measurement")
	rounds := f.Int("rounds", 21, "measurements of each server")
	only := f.String("methods", strings.Join(methods, ","), "which of Tandem's routing methods to measure")
	options := f.Bool("edns", false, "ask with EDNS, a cookie and a client subnet")
	if err := f.Parse(args); err != nil {
		return err
	}
	tandemServer, err := startTandem()
	if err != nil {
		return err
	}
	defer tandemServer.stop()
	servers := map[string]*server{}
	for _, m := range strings.Split(*only, ",") {
		servers["tandem "+m] = &server{address: tandemServer.address, cmd: tandemServer.cmd, prefix: m, suffix: zoneName}
	}
	g, err := startGdnsd("", "")
	if err == nil {
		defer g.stop()
		servers["gdnsd simplefo"] = &server{address: g.address, cmd: g.cmd, prefix: "n", suffix: zoneName}
	} else {
		fmt.Println("gdnsd is not measured:", err)
	}
	var order []string
	for name := range servers {
		order = append(order, name)
	}
	sort.Strings(order)
	const base = "gdnsd simplefo"
	got, ratios, rate := map[string][]float64{}, map[string][]float64{}, map[string]float64{}
	runtime.LockOSThread()
	pin(0, 1)
	measure := func(name string) (float64, error) {
		us, qps, err := servers[name].measure(time.Duration(*seconds*float64(time.Second)), *options)
		for try := 0; try < 10 && errors.Is(err, errStarved); try++ {
			us, qps, err = servers[name].measure(time.Duration(*seconds*float64(time.Second)), *options)
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		got[name] = append(got[name], us)
		rate[name] = max(rate[name], qps)
		return us, nil
	}
	for range *rounds {
		before := 0.0
		for _, name := range order {
			if name == base {
				continue
			}
			us, after := 0.0, 0.0
			if servers[base] != nil && before == 0 {
				if before, err = measure(base); err != nil {
					return err
				}
			}
			if us, err = measure(name); err != nil {
				return err
			}
			if servers[base] != nil {
				if after, err = measure(base); err != nil {
					return err
				}
				ratios[name] = append(ratios[name], 2*us/(before+after))
				before = after
			}
		}
	}
	row("server", "CPU µs/query median", "best", "best queries/s", "to gdnsd beside it: median", "quarters")
	row("---", "---", "---", "---", "---", "---")
	for _, name := range order {
		sort.Float64s(got[name])
		ratio, quarters := "-", "-"
		if r := ratios[name]; len(r) > 0 {
			sort.Float64s(r)
			ratio, quarters = fmt.Sprintf("%.2f", r[len(r)/2]), fmt.Sprintf("%.2f to %.2f", r[len(r)/4], r[len(r)*3/4])
		}
		row(name, fmt.Sprintf("%.2f", got[name][len(got[name])/2]), fmt.Sprintf("%.2f", got[name][0]), fmt.Sprintf("%.0fk", rate[name]/1000), ratio, quarters)
	}
	return nil
}

// errStarved: hardly an answer came, since the machine gave no time to one of the two.
var errStarved = errors.New("hardly an answer came")

// server is one process under load.
type server struct {
	address        netip.AddrPort
	cmd            *exec.Cmd
	prefix, suffix string
	end            func()
}

func (s *server) stop() {
	if s.end != nil {
		s.end()
	}
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// cpu is what all threads of the process ran, in nanoseconds.
func (s *server) cpu() (float64, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	if err != nil || len(files) == 0 {
		return 0, errors.New("the server is gone")
	}
	sum := 0.0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		n, err := strconv.ParseFloat(strings.Fields(string(raw))[0], 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// measure keeps windows of 32 questions on eight sockets in the air, closed loop, and gives the server's CPU per answer.
func (s *server) measure(length time.Duration, options bool) (micros, perSecond float64, err error) {
	questions := make([][]byte, nameCount)
	for i := range questions {
		m := new(dns.Msg).SetQuestion(fmt.Sprintf("%s%d.%s.", s.prefix, i, s.suffix), dns.TypeA)
		if options {
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"},
				&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.IP{203, 0, 113, 0}})
		}
		if questions[i], err = m.Pack(); err != nil {
			return 0, 0, err
		}
	}
	var sockets []*socket
	for range 8 {
		k, err := openSocket(s.address)
		if err != nil {
			return 0, 0, err
		}
		defer unix.Close(k.fd)
		sockets = append(sockets, k)
	}
	clock := tandem.SystemClock{}
	before, err := s.cpu()
	if err != nil {
		return 0, 0, err
	}
	began := clock.Now()
	answers, next := 0, 0
	for clock.Now().Sub(began) < length {
		for _, k := range sockets {
			next = k.send(questions, next)
		}
		for _, k := range sockets {
			answers += k.receive()
		}
	}
	took := clock.Now().Sub(began)
	after, err := s.cpu()
	if err != nil {
		return 0, 0, err
	}
	if answers < 10*window {
		return 0, 0, errStarved
	}
	return (after - before) / 1000 / float64(answers), float64(answers) / took.Seconds(), nil
}

// socket sends and receives windows.
type socket struct {
	fd      int
	out, in [window]message
	vec     [window]unix.Iovec
	inVec   [window]unix.Iovec
	room    [window][2048]byte
	air     int
}

func openSocket(to netip.AddrPort) (*socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		return nil, err
	}
	// A window that is lost is given up after 50 ms.
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}); err != nil {
		return nil, err
	}
	k := &socket{fd: fd}
	for i := range window {
		k.inVec[i].Base = &k.room[i][0]
		k.inVec[i].SetLen(len(k.room[i]))
		k.in[i].header.Iov, k.out[i].header.Iov = &k.inVec[i], &k.vec[i]
		k.in[i].header.SetIovlen(1)
		k.out[i].header.SetIovlen(1)
	}
	return k, nil
}

func (k *socket) send(questions [][]byte, next int) int {
	for i := range window {
		q := questions[next]
		k.vec[i].Base = &q[0]
		k.vec[i].SetLen(len(q))
		if next++; next == len(questions) {
			next = 0
		}
	}
	n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(k.fd), uintptr(unsafe.Pointer(&k.out[0])), window, 0, 0, 0)
	if errno == 0 {
		k.air = int(n)
	}
	return next
}

func (k *socket) receive() int {
	got := 0
	for got < k.air {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(k.fd), uintptr(unsafe.Pointer(&k.in[0])), uintptr(k.air-got), 0, 0, 0)
		if errno != 0 {
			break
		}
		got += int(n)
	}
	k.air = 0
	return got
}

// pin binds a process (0: this thread) to one processor, where there are two.
func pin(pid, cpu int) {
	if runtime.NumCPU() < 2 {
		return
	}
	var set unix.CPUSet
	set.Set(cpu)
	unix.SchedSetaffinity(pid, &set) // without the right to, the run is only noisier
}

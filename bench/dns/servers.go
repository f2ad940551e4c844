//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/miekg/dns"

	"tandem"
)

// startChild runs this program again with a command and reads the address it prints.
func startChild(args ...string) (*exec.Cmd, string, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(self, args...)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // held open: the child ends with it
		return nil, "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return nil, "", fmt.Errorf("%v did not start: %w", args, err)
	}
	return cmd, strings.TrimSpace(line), nil
}

func startTandem() (*server, error) {
	cmd, address, err := startChild("serve")
	if err != nil {
		return nil, err
	}
	pinProcess(cmd.Process.Pid, 0)
	a, err := netip.ParseAddrPort(address)
	return &server{address: a, cmd: cmd}, err
}

// pinProcess binds all threads of a process.
func pinProcess(pid, cpu int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, t := range tasks {
		var tid int
		fmt.Sscan(filepath.Base(t), &tid)
		pin(tid, cpu)
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// startGdnsd runs Debian's gdnsd with a thousand dynamic names of simplefo. Where primary is given, the addresses are
// watched over HTTP at its fastest: an interval of 2 s, one strike; else they are held up.
func startGdnsd(primary, standby string) (*server, error) {
	path, err := exec.LookPath("gdnsd")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "gdnsd")
	if err != nil {
		return nil, err
	}
	service, a, b := "up", "192.0.2.1", "192.0.2.2"
	types := ""
	if primary != "" {
		pa, err := netip.ParseAddrPort(primary)
		if err != nil {
			return nil, err
		}
		pb, err := netip.ParseAddrPort(standby)
		if err != nil {
			return nil, err
		}
		a, b, service = pa.Addr().String(), pb.Addr().String(), "web"
		types = fmt.Sprintf("service_types => { web => { plugin => http_status, port => %d, url_path => /status, up_thresh => 1, ok_thresh => 1, down_thresh => 1, interval => 2, timeout => 1 } }\n", pa.Port())
	}
	config := fmt.Sprintf("options => { listen => [127.0.0.1:%d], udp_threads => 1, tcp_threads => 1, run_dir => %s/run, state_dir => %s/state }\n%splugins => { simplefo => { r => { service_types => %s, primary => %s, secondary => %s } } }\n",
		port, dir, dir, types, service, a, b)
	var zone strings.Builder
	fmt.Fprintf(&zone, "@ 3600 SOA ns1 hostmaster ( 1 7200 1800 259200 900 )\n@ 3600 NS ns1\nns1 3600 A 127.0.0.1\n")
	for i := range nameCount {
		fmt.Fprintf(&zone, "n%d 1/1 DYNA simplefo!r\n", i)
	}
	for name, text := range map[string]string{"config": config, "zones/" + zoneName: zone.String()} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(path, "-c", dir, "start")
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
		return nil, fmt.Errorf("gdnsd did not start: %w: %s", err, text)
	}
	pinProcess(cmd.Process.Pid, 0)
	return s, nil
}

// wait asks until an answer comes.
func (s *server) wait(name string) error {
	client := &dns.Client{Timeout: 200 * time.Millisecond}
	for range 100 {
		if answer, _, err := client.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), s.address.String()); err == nil && len(answer.Answer) > 0 {
			return nil
		}
		if err := (tandem.SystemClock{}).Sleep(context.Background(), 50*time.Millisecond); err != nil {
			return err
		}
	}
	return errors.New("no answer within 5 s")
}

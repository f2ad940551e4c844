//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tandem"
)

// process is a part that was started in a session of its own.
type process struct {
	name string
	cmd  *exec.Cmd
}

// start runs command, on the given CPU (empty: on all), and waits until it listens.
func start(ctx context.Context, name, cpu, listen string, command []string) (*process, error) {
	if cpu != "" {
		command = append([]string{"taskset", "-c", cpu}, command...)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name, cmd}
	for range 200 {
		if nc, err := net.Dial("tcp", listen); err == nil {
			nc.Close()
			return p, nil
		}
		if err := (tandem.SystemClock{}).Sleep(ctx, 50*time.Millisecond); err != nil {
			break
		}
	}
	p.stop()
	return nil, fmt.Errorf("start %s: nothing listens on %s; see its message above", name, listen)
}

// profiled writes a CPU profile of do, where a file is named.
func profiled(file string, do func() error) error {
	if file == "" {
		return do()
	}
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("make profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return fmt.Errorf("start profile: %w", err)
	}
	err = do()
	pprof.StopCPUProfile()
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

// stop ends the session and waits for its first process.
func (p *process) stop() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM) // it may have ended by itself
	_ = p.cmd.Wait()
}

// usage is the CPU time in microseconds and the resident memory in bytes of all processes of the session.
func (p *process) usage() (micros float64, resident int64) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it ended meanwhile
		}
		// The second field is a name in parentheses that may hold spaces.
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if f[3] != strconv.Itoa(p.cmd.Process.Pid) {
			continue
		}
		user, _ := strconv.ParseFloat(f[11], 64)
		system, _ := strconv.ParseFloat(f[12], 64)
		pages, _ := strconv.ParseInt(f[21], 10, 64)
		micros += (user + system) * 1e4
		resident += pages * int64(os.Getpagesize())
	}
	return micros, resident
}

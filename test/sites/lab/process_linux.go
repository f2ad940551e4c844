package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"tandem"
	"tandem/test/sites/relay"
)

// Process is a program inside a site. It is killed with this process, however that ends.
type Process struct {
	Name, Site, LogFile string

	site    *relay.Site
	command []string
	clock   tandem.Clock
	mu      sync.Mutex
	run     *run // nil: it does not run
}

// run is one life of a process.
type run struct {
	cmd  *exec.Cmd
	life io.WriteCloser // its standard input
	done chan struct{}
}

// readyWithin is how long a process may take to say that it is ready.
const readyWithin = 2 * time.Minute

// Start starts the process, again after it ended. It waits for the ready message where ready is set, and for its end where
// the process says that it is ready and nobody wants to know what it said.
func (p *Process) Start(ctx context.Context, ready any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run != nil {
		return fmt.Errorf("start %s: it runs", p.Name)
	}
	log, err := os.OpenFile(p.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the process has its own
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close() //nolint:errcheck // it was read
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{w}
	cmd.Env = append(os.Environ(), "TANDEM_READY_FD=3")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	life, err := cmd.StdinPipe()
	if err == nil {
		err = p.site.Do(cmd.Start)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("start %s in %s: %w", p.Name, p.Site, err)
	}
	run := &run{cmd: cmd, life: life, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(run.done)
	}()
	p.run = run
	if err := p.await(ctx, r, ready); err != nil {
		p.end()
		return fmt.Errorf("start %s in %s: %w; the end of its log:\n%s", p.Name, p.Site, err, p.Tail(5))
	}
	return nil
}

// await reads the ready message. Programs that know nothing of it close the pipe when they end, or never: they have no
// ready, and are not waited for.
func (p *Process) await(ctx context.Context, r *os.File, ready any) error {
	if ready == nil && !p.tells() {
		return nil
	}
	if err := r.SetReadDeadline(p.clock.Now().Add(readyWithin)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	line, err := bufio.NewReader(r).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("it did not say that it is ready: %w", errors.Join(err, context.Cause(ctx)))
	}
	if ready == nil {
		return nil
	}
	return json.Unmarshal(line, ready)
}

// tells says whether the program is one that tells when it is ready.
func (p *Process) tells() bool {
	return len(p.command) > 1 && (p.command[1] == "serve" || p.command[1] == "backend")
}

// Alive tells whether the process runs, paused or not.
func (p *Process) Alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return false
	}
	select {
	case <-p.run.done:
		return false
	default:
		return true
	}
}

// Kill ends the process with SIGKILL, as a power cut would.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
}

func (p *Process) end() {
	if p.run == nil {
		return
	}
	_ = p.run.cmd.Process.Kill() // it may have ended by itself
	<-p.run.done
	_ = p.run.life.Close() // likewise
	p.run = nil
}

// Stop asks the process to end by closing its standard input, and kills it when it does not within a while.
func (p *Process) Stop(within time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return
	}
	_ = p.run.life.Close() // it may have ended by itself
	select {
	case <-p.run.done:
	case <-p.clock.After(within):
	}
	p.end()
}

// Pause stops the process with SIGSTOP, as a machine that hangs; Resume lets it go on.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return nil
	}
	return p.run.cmd.Process.Signal(s)
}

// PID is the process's number; 0: it does not run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return 0
	}
	return p.run.cmd.Process.Pid
}

// Tail gives the last lines of the log.
func (p *Process) Tail(lines int) string {
	raw, err := os.ReadFile(p.LogFile)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func build(ctx context.Context, to, pkg string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "build", "-o", to, pkg).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return to, nil
}

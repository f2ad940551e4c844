package rehearsal

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"tandem"
)

// process is a child: this very program with another verb. It ends when its standard input does, so that it cannot outlive
// its parent, however that ends; and it says on a pipe that it is ready.
type process struct {
	name  string
	cmd   *exec.Cmd
	life  io.WriteCloser // the child's standard input
	done  chan struct{}
	state error
	log   string
	mu    sync.Mutex
	dead  bool
}

// readyWithin is how long a child may take to start.
const readyWithin = 60 * time.Second

// startProcess starts a child and decodes its ready message. Its log goes to a file.
func startProcess(ctx context.Context, name, log string, ready any, args ...string) (*process, error) {
	fail := func(err error) (*process, error) {
		return nil, &tandem.Error{Op: "start", Subject: name, Kind: tandem.Unavailable, Err: err, Remedy: "look at " + log}
	}
	self, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		return fail(err)
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fail(err)
	}
	defer out.Close() //nolint:errcheck // the child has its own
	r, w, err := os.Pipe()
	if err != nil {
		return fail(err)
	}
	defer r.Close() //nolint:errcheck // it was read
	p := &process{name: name, done: make(chan struct{}), log: log}
	p.cmd = exec.Command(self, args...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.ExtraFiles = []*os.File{w}
	p.cmd.Env = append(os.Environ(), "TANDEM_READY_FD=3")
	detach(p.cmd)
	if p.life, err = p.cmd.StdinPipe(); err != nil {
		return fail(errors.Join(err, w.Close()))
	}
	err = p.cmd.Start()
	if err = errors.Join(err, w.Close()); err != nil {
		return fail(err)
	}
	go func() {
		p.state = p.cmd.Wait()
		close(p.done)
	}()
	line := make(chan error, 1)
	go func() {
		text, err := bufio.NewReader(r).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(text, ready)
		}
		line <- err
	}()
	late := time.NewTimer(readyWithin)
	defer late.Stop()
	select {
	case err = <-line:
	case <-late.C:
		err = fmt.Errorf("it was not ready after %s", readyWithin)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		p.Kill()
		if tail := lastLines(log, 3); tail != "" {
			err = fmt.Errorf("%w; the end of its log:\n%s", err, tail)
		}
		return fail(err)
	}
	return p, nil
}

// Kill ends the child at once, as a power cut would.
func (p *process) Kill() {
	p.mu.Lock()
	dead := p.dead
	p.dead = true
	p.mu.Unlock()
	if dead {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
	_ = p.life.Close() // likewise
}

// Stop asks the child to end, and kills it when it does not.
func (p *process) Stop() {
	p.mu.Lock()
	dead := p.dead
	p.mu.Unlock()
	if dead {
		return
	}
	_ = p.life.Close() // the child may have ended by itself
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	select {
	case <-p.done:
		p.mu.Lock()
		p.dead = true
		p.mu.Unlock()
	case <-late.C:
		p.Kill()
	}
}

func lastLines(file string, n int) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

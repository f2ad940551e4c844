package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"tandem"
	"tandem/test/sites/relay"
)

// Config says what a lab is made of.
type Config struct {
	Sites []string
	// Dir takes data and logs of processes.
	Dir   string
	Seed  uint64
	Clock tandem.Clock
}

// Lab is sites with processes in them.
type Lab struct {
	*relay.Network
	Dir   string
	Clock tandem.Clock

	mu        sync.Mutex
	processes []*Process // in the order of their first start
}

// TB is what a lab needs of a test; *testing.T has it.
type TB interface {
	Helper()
	Cleanup(func())
	TempDir() string
	Skip(args ...any)
	Fatal(args ...any)
	Error(args ...any)
	Failed() bool
	Logf(format string, args ...any)
}

// New makes a lab for a test, which is skipped where that is not permitted. All ends with the test; when it failed, the ends
// of the processes' logs are shown.
func New(t TB, sites ...string) *Lab {
	t.Helper()
	l, err := Open(Config{Sites: sites, Dir: t.TempDir(), Seed: 1, Clock: tandem.SystemClock{}})
	if errors.Is(err, relay.ErrNotPermitted) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for _, p := range l.processes {
				t.Logf("the end of the log of %s:\n%s", p.Name, p.Tail(20))
			}
		}
	})
	return l
}

// Long skips a test that runs real nodes for a minute, unless "make test-sites" asks for it.
func Long(t TB) {
	t.Helper()
	if os.Getenv("TANDEM_SITES") == "" {
		t.Skip("it runs nodes in namespaces for a minute: run it with 'make test-sites'")
	}
}

// Open makes a lab.
func Open(c Config) (*Lab, error) {
	n, err := relay.New(relay.Config{Clock: c.Clock, Sites: c.Sites, Seed: c.Seed})
	if err != nil {
		return nil, err
	}
	return &Lab{Network: n, Dir: c.Dir, Clock: c.Clock}, nil
}

// Close kills all processes and removes the sites.
func (l *Lab) Close() error {
	for _, p := range l.of("") {
		p.Kill()
	}
	return l.Network.Close()
}

// Start runs a program inside a site; see Process. Its log is NAME.log in the lab's folder. A program that is told so by
// ready, which may be nil, says on a pipe that it is ready: TANDEM_READY_FD is its number, a line of JSON its message.
func (l *Lab) Start(ctx context.Context, site, name string, ready any, command ...string) (*Process, error) {
	s := l.Site(site)
	if s == nil || len(command) == 0 {
		return nil, fmt.Errorf("start %s: there is no site %s, or no command", name, site)
	}
	p := &Process{Name: name, Site: site, LogFile: filepath.Join(l.Dir, name+".log"), site: s, command: command, clock: l.Clock}
	l.mu.Lock()
	l.processes = append(l.processes, p)
	l.mu.Unlock()
	return p, p.Start(ctx, ready)
}

// of gives the processes of a site, those started last first; "" is all sites.
func (l *Lab) of(site string) []*Process {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*Process
	for i := len(l.processes) - 1; i >= 0; i-- {
		if p := l.processes[i]; site == "" || p.Site == site {
			out = append(out, p)
		}
	}
	return out
}

// KillSite ends all processes of a site with SIGKILL. Its network stays, so that what connects to it is refused.
func (l *Lab) KillSite(site string) {
	for _, p := range l.of(site) {
		p.Kill()
	}
}

// PauseSite stops all processes of a site with SIGSTOP, ResumeSite lets them go on.
func (l *Lab) PauseSite(site string) error {
	var errs []error
	for _, p := range l.of(site) {
		errs = append(errs, p.Pause())
	}
	return errors.Join(errs...)
}

// ResumeSite lets the processes of a site go on after PauseSite.
func (l *Lab) ResumeSite(site string) error {
	var errs []error
	for _, p := range l.of(site) {
		errs = append(errs, p.Resume())
	}
	return errors.Join(errs...)
}

// RestartSite kills all processes of a site and starts them again, in their first order.
func (l *Lab) RestartSite(ctx context.Context, site string) error {
	l.KillSite(site)
	all := l.of(site)
	for i := len(all) - 1; i >= 0; i-- {
		if err := all[i].Start(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

// Program builds a command of this module into dir and gives its path; the environment variable TANDEM names one that is
// built already.
func Program(ctx context.Context, dir, pkg string) (string, error) {
	if ready := os.Getenv("TANDEM"); ready != "" {
		return ready, nil
	}
	return build(ctx, filepath.Join(dir, filepath.Base(pkg)), pkg)
}

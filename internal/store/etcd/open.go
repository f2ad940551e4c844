package etcd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/features"

	"tandem"
)

// Config describes an embedded etcd of one member.
type Config struct {
	Dir  string // the folder of its files, made with mode 0700; one process at a time may open it
	Name string // of the member, for logs and for a cluster that it may grow into; empty: "tandem"
	Log  *slog.Logger
	// Clock paces the reconnection of watches; nil: the machine's.
	Clock tandem.Clock
	// History is how long old revisions stay readable and watchable, rounded to hours by the engine's schedule;
	// zero: one hour. Long history is what backups are for.
	History time.Duration

	quota int64 // zero: Quota; tests take less
}

const (
	// Quota is the greatest size of the engine's database file, in bytes: the largest that etcd advises. A full database
	// refuses writes.
	Quota = 8 << 30

	// The engine holds its latest raft entries in memory by count, whatever their size. A hundred megabytes loaded in
	// batches of MaxBytes would stay there; these keep a few dozen batches. A single member has no follower to catch up.
	snapshotCount   = 200
	catchUpEntries  = 50
	defaultHistory  = time.Hour
	tickMillis      = 10 // a single member waits for its own election alone; short ticks make the start quick
	electionMillis  = 50
	requestOverhead = 512 << 10 // what etcd's encoding may add to MaxBytes
)

// Open starts the engine in cfg.Dir, or continues where it ended, and waits until it serves. Every write is on disk before
// it is acknowledged (law 1). The engine listens nowhere: it is reached through the returned store alone, so there is no
// socket that another user of the machine could open, and any number of stores run in one process.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Dir == "" {
		return nil, &tandem.Error{Op: "open store", Kind: tandem.Invalid, Err: errors.New("no folder is given"), Remedy: "set Dir"}
	}
	if cfg.Name == "" {
		cfg.Name = "tandem"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = tandem.SystemClock{}
	}
	if cfg.quota == 0 {
		cfg.quota = Quota
	}
	if cfg.History == 0 {
		cfg.History = defaultHistory
	}
	if err := makeDir(cfg.Dir); err != nil {
		return nil, openError(cfg.Dir, err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	g := &engine{dir: cfg.Dir, lock: lock, clock: cfg.Clock, log: newBridge(cfg.Log.With("part", "etcd"))}
	s, err := g.start(ctx, cfg)
	if err != nil {
		_ = g.close() // it could only repeat err
		return nil, openError(cfg.Dir, err)
	}
	return s, nil
}

func openError(dir string, err error) error {
	return &tandem.Error{Op: "open store", Subject: dir, Kind: tandem.Unavailable, Err: err,
		Remedy: "see that the folder can be written and the disk has room; a folder that is damaged is restored from a backup"}
}

// start starts the engine under g, and gives the store on it once it answers.
func (g *engine) start(ctx context.Context, cfg Config) (*Store, error) {
	settings, err := settings(cfg, g.log)
	if err != nil {
		return nil, err
	}
	if g.etcd, err = g.startEtcd(settings); err != nil {
		return nil, err
	}
	select {
	case <-g.etcd.Server.ReadyNotify():
	case <-g.etcd.Server.StopNotify():
		return nil, errors.New("the engine stopped while it started")
	case <-g.log.failed:
		return nil, g.log.failure()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	s := newStore(v3client.New(g.etcd.Server), "", cfg.Clock)
	s.engine = g
	g.watchFailure(s)
	if _, err := s.Revision(ctx); err != nil {
		s.end(err)
		s.client.Close()
		return nil, err
	}
	return s, nil
}

// startEtcd starts etcd on a goroutine of its own, since a fatal failure ends the goroutine that finds it; others of etcd's
// may then wait for ever.
func (g *engine) startEtcd(settings *embed.Config) (*embed.Etcd, error) {
	type result struct {
		etcd *embed.Etcd
		err  error
	}
	started := make(chan result, 1)
	go func() {
		defer func() { // etcd follows nil pointers where its files are damaged
			if p := recover(); p != nil {
				g.log.fail(fmt.Sprint("it panicked: ", p))
			}
		}()
		e, err := embed.StartEtcd(settings)
		started <- result{e, err}
	}()
	select {
	case r := <-started:
		return r.etcd, r.err
	case <-g.log.failed:
		return nil, g.log.failure()
	}
}

// settings is the engine's configuration.
func settings(cfg Config, log *bridge) (*embed.Config, error) {
	c := embed.NewConfig()
	c.Name, c.Dir = cfg.Name, cfg.Dir
	c.ZapLoggerBuilder = embed.NewZapLoggerBuilder(log.logger())

	// A peer address is part of a member's identity, even when it has no peers. Nothing listens on this one, nor dials it.
	self := url.URL{Scheme: "unix", Host: "unreachable"}
	c.ListenPeerUrls, c.ListenClientUrls, c.ListenClientHttpUrls, c.ListenMetricsUrls = nil, nil, nil, nil
	c.AdvertisePeerUrls, c.AdvertiseClientUrls = []url.URL{self}, []url.URL{self}
	c.InitialCluster = cfg.Name + "=" + self.String()
	c.InitialClusterToken = rand.Text() // two clusters never take each other for one; read at the first start only
	c.EnableGRPCGateway = false

	c.TickMs, c.ElectionMs = tickMillis, electionMillis
	c.SnapshotCount, c.SnapshotCatchUpEntries = snapshotCount, catchUpEntries
	c.MaxRequestBytes = 1<<20 + requestOverhead
	c.QuotaBackendBytes = cfg.quota
	c.AutoCompactionMode = embed.CompactorModePeriodic
	c.AutoCompactionRetention = cfg.History.String()

	gate, ok := c.ServerFeatureGate.(interface{ SetFromMap(map[string]bool) error })
	if !ok {
		return nil, fmt.Errorf("etcd's feature gate is a %T, which cannot be set", c.ServerFeatureGate)
	}
	return c, gate.SetFromMap(map[string]bool{
		string(features.InitialCorruptCheck): true,
		string(features.CompactHashCheck):    true,
	})
}

// makeDir makes the folder private to this user, and its name durable, since what is in it shall survive a power loss.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

func lockedError(dir string, err error) error {
	return &tandem.Error{Op: "open store", Subject: dir, Kind: tandem.Unavailable, Err: err,
		Remedy: "another store is open in this folder: end the process that holds it, or choose another folder"}
}

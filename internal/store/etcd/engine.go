package etcd

import (
	"errors"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"tandem"
)

// engine is the embedded etcd of one folder and what belongs to it.
type engine struct {
	dir  string
	etcd *embed.Etcd // nil when it did not start
	lock *os.File
	log  *bridge

	clock tandem.Clock

	stopFailure func() // ends and awaits the goroutine of watchFailure
}

// watchFailure ends the store's life when the engine cannot go on, so that calls fail at once and say why. The process
// lives on: the gateway in it serves from what it has (law 8).
func (g *engine) watchFailure(s *Store) {
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-stop:
		case <-g.log.failed:
			s.end(&tandem.Error{Op: "use store", Subject: g.dir, Kind: tandem.Unavailable, Err: g.log.failure(),
				Remedy: "see that the disk has room and no errors, then start the node again; what was acknowledged is kept"})
		}
	}()
	g.stopFailure = func() { close(stop); <-done }
}

// closePatience is how long the stop of an engine that failed may take.
const closePatience = 5 * time.Second

// close stops the engine and frees the folder. An engine that failed has lost goroutines, which its own stop may wait for
// in vain: then the folder stays locked until the process ends, since the engine still has its files open.
func (g *engine) close() error {
	g.log.quiet()
	if g.stopFailure != nil {
		g.stopFailure()
	}
	stuck := g.etcd == nil && g.log.hasFailed()
	if g.etcd != nil {
		done := make(chan struct{})
		go func() {
			defer close(done)
			g.etcd.Close()
		}()
		var enough <-chan time.Time
		if g.log.hasFailed() {
			enough = g.clock.After(closePatience)
		}
		select {
		case <-done:
		case <-enough:
			stuck = true
		}
	}
	if stuck {
		return &tandem.Error{Op: "close store", Subject: g.dir, Kind: tandem.Unavailable, Err: g.log.failure(),
			Remedy: "end the process before the folder is opened again"}
	}
	if err := errors.Join(unlockDir(g.lock), g.lock.Close()); err != nil {
		return &tandem.Error{Op: "unlock store", Subject: g.dir, Kind: tandem.Unavailable, Err: err}
	}
	return nil
}

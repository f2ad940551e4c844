package node

import (
	"context"
	"time"
)

// Leading says whether this node leads the control plane: the single home always does, of several members the one that
// they elected. Another may lead already while this one does not know yet: what must happen once is guarded by conditions of
// its commits.
func (n *Node) Leading() bool {
	if n.Control == nil {
		return n.Home != nil
	}
	opened := n.shared.opened.Load()
	return opened != nil && opened.Leading()
}

// awaitLeading waits until Leading is as given, or ctx ends, and returns ctx's error then.
func (n *Node) awaitLeading(ctx context.Context, leading bool) error {
	if n.Control == nil {
		if leading == (n.Home != nil) {
			return ctx.Err()
		}
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-n.sharedOpen:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := n.shared.opened.Load().Await(ctx, leading)
	if err != nil && ctx.Err() == nil { // the store ended: this node never leads again
		<-ctx.Done()
	}
	return err
}

// againAfter is the pause before work that ended by itself starts again at the leader.
const againAfter = time.Second

// whileLeading runs work whenever this node leads, until ctx ends: its context ends when another takes over. Work that
// returns early is started again.
func (n *Node) whileLeading(ctx context.Context, work func(ctx context.Context)) {
	for n.awaitLeading(ctx, true) == nil {
		term, end := context.WithCancel(ctx)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			_ = n.awaitLeading(term, false) // either way the term is over
			end()
		}()
		work(term)
		lost := term.Err() != nil
		end()
		<-watched
		if !lost && n.Clock.Sleep(ctx, againAfter) != nil {
			return
		}
	}
}

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tandem"
)

// Lock takes the space for one operation: from its return on no ordinary commit succeeds, until Unlock. The owner is an id
// of this operation alone. A space locked by another owner gives Locked; by the same one, success, so that an operation
// which is continued after a restart can take its lock again.
//
// A lock survives restarts and never expires, since no clock can tell a slow operation from a dead one (law 11). Head names
// its owner. Whoever knows that the operation is dead ends the lock with Unlock and the dead owner's id. Should it come
// back after all, its next step finds that the lock is not its own, and fails with Locked.
func (s *Space) Lock(ctx context.Context, owner, reason string) error {
	if owner == "" {
		return &tandem.Error{Op: "lock", Subject: s.prefix, Kind: tandem.Invalid, Err: errors.New("no owner is given"),
			Remedy: "give the operation's id"}
	}
	_, err := s.changeHead(ctx, func(h *Head) (bool, error) {
		switch {
		case h.Lock == nil:
			h.Lock = &Lock{Owner: owner, Reason: reason, Since: tandem.SystemClock{}.Now().UTC()}
			return true, nil
		case h.Lock.Owner == owner:
			return false, nil
		}
		return false, s.locked("lock", *h)
	})
	return err
}

// Unlock ends the owner's lock; a space that is not locked stays so. Locked means that another owner holds it. What was
// staged and not swapped is given up with the lock, since writes from now on would be lost by its swap; Sweep deletes it.
func (s *Space) Unlock(ctx context.Context, owner string) error {
	_, err := s.changeHead(ctx, func(h *Head) (bool, error) {
		if h.Lock == nil {
			return false, nil
		}
		if err := s.holds("unlock", *h, owner); err != nil {
			return false, err
		}
		h.Lock = nil
		h.abandon()
		return true, nil
	})
	return err
}

// holds is nil where the owner holds the lock.
func (s *Space) holds(op string, h Head, owner string) error {
	switch {
	case h.Lock == nil:
		return &tandem.Error{Op: op, Subject: s.prefix, Kind: tandem.Locked,
			Err:    fmt.Errorf("%q does not hold the lock, nobody does", owner),
			Remedy: "lock the space first; a lock that was held was broken, so begin the operation anew"}
	case h.Lock.Owner != owner:
		return s.locked(op, h)
	}
	return nil
}

func (s *Space) locked(op string, h Head) error {
	return &tandem.Error{Op: op, Subject: s.prefix, Kind: tandem.Locked,
		Err:    fmt.Errorf("%s holds it since %s: %s", h.Lock.Owner, h.Lock.Since.Format(time.RFC3339), h.Lock.Reason),
		Remedy: "try again when the operation has ended; if it is dead, unlock the space with its id"}
}

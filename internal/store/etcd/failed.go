package etcd

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"tandem"
)

// failed turns an error of etcd's client into one of Tandem's kinds. ctx is the call's, from begin.
func (s *Store) failed(ctx context.Context, op, subject string, err error) error {
	if s.life.Err() != nil {
		end := context.Cause(s.life)
		return &tandem.Error{Op: op, Subject: subject, Kind: tandem.KindOf(end), Err: end}
	}
	if ctx.Err() != nil {
		return &tandem.Error{Op: op, Subject: subject, Kind: tandem.Unavailable, Err: context.Cause(ctx)}
	}
	e := &tandem.Error{Op: op, Subject: subject, Kind: tandem.Unavailable, Err: err, Remedy: "try again"}
	switch {
	case errors.Is(err, rpctypes.ErrCompacted):
		e.Kind, e.Remedy = tandem.Compacted, "list again and go on from there"
	case errors.Is(err, rpctypes.ErrFutureRev):
		e.Kind, e.Remedy = tandem.Invalid, "give a revision that this store has reached"
	case errors.Is(err, rpctypes.ErrRequestTooLarge), errors.Is(err, rpctypes.ErrTooManyOps):
		e.Kind, e.Remedy = tandem.TooLarge, "write less in one batch, or raise the limits of the etcd"
	case errors.Is(err, rpctypes.ErrNoSpace):
		e.Remedy = "delete and compact, then defragment and disarm the alarm"
	case errors.Is(err, rpctypes.ErrPermissionDenied), errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrUserEmpty):
		e.Remedy = "give Tandem's user of this etcd the right to read and write its prefix"
	}
	return e
}

package repository

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/vault"
)

// Writers of snapshots share the vault; pruning needs it alone, since a writer counts on chunks that it has seen. Each puts a
// lock of its own and then looks for the other kind: whoever comes second sees the first. A lock that was not refreshed for
// staleAfter by the vault's own clock belongs to a process that died; a holder that cannot refresh its lock for half of that
// by its own monotonic clock gives up. No two machines' clocks are compared (law 11).
const (
	locksAt      = "locks/"
	sharedLock   = "write-"
	aloneLock    = "prune-"
	staleAfter   = 10 * time.Minute
	refreshEvery = time.Minute
	// lockWait is how long a writer waits for a pruning to end.
	lockWait = 15 * time.Minute
)

// lock takes the vault for writing, or alone. Work goes on in the context that it gives, which ends where the lock is lost;
// the caller calls release once, when the work has ended.
func (r *Repository) lock(ctx context.Context, alone bool) (work context.Context, release func() error, err error) {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, nil, err
	}
	mine, other := sharedLock, aloneLock
	if alone {
		mine, other = aloneLock, ""
	}
	name := locksAt + mine + hex.EncodeToString(id[:])
	began := r.Clock.Now()
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		holder, err := "", r.touch(ctx, name)
		if err == nil {
			holder, err = r.holder(ctx, name, other)
		}
		if err == nil && holder == "" {
			break
		}
		if err == nil && (alone || r.Clock.Now().Sub(began) > lockWait) {
			err = &tandem.Error{Op: "lock vault", Subject: holder, Kind: tandem.Locked, Err: errors.New("another process works in the vault"),
				Remedy: fmt.Sprintf("try again when it has ended; the lock of a process that died is ignored after %s", staleAfter)}
		}
		if err == nil {
			err = r.Clock.Sleep(ctx, pause)
		}
		if err != nil {
			return nil, nil, errors.Join(err, r.unlock(ctx, name))
		}
	}
	work, cancel := context.WithCancelCause(ctx)
	var wait sync.WaitGroup
	wait.Go(func() { r.refresh(work, cancel, name) })
	return work, func() error {
		cancel(nil)
		wait.Wait()
		return r.unlock(ctx, name)
	}, nil
}

// refresh keeps a lock fresh until the work ends, and ends the work where it cannot.
func (r *Repository) refresh(work context.Context, cancel context.CancelCauseFunc, name string) {
	fresh := r.Clock.Now()
	for r.Clock.Sleep(work, refreshEvery) == nil {
		began := r.Clock.Now()
		if err := r.touch(work, name); err == nil {
			fresh = began
		} else if r.Clock.Now().Sub(fresh) > staleAfter/2 {
			cancel(&tandem.Error{Op: "refresh lock of vault", Subject: name, Kind: tandem.Unavailable, Err: err, Remedy: "check the vault, and try again"})
			return
		}
	}
}

func (r *Repository) unlock(ctx context.Context, name string) error {
	return r.Vault.Delete(context.WithoutCancel(ctx), name)
}

func (r *Repository) touch(ctx context.Context, name string) error {
	_, err := r.Vault.Put(ctx, name, bytes.NewReader([]byte("tandem\n")), vault.PutOptions{})
	return err
}

// holder names a lock of the kind that is held by a process that lives, beside mine; empty: there is none. Stale ones are
// removed.
func (r *Repository) holder(ctx context.Context, mine, kind string) (string, error) {
	now, err := r.Vault.Head(ctx, mine)
	if err != nil {
		return "", err
	}
	for info, err := range r.Vault.List(ctx, locksAt+kind) {
		switch {
		case err != nil:
			return "", err
		case info.Name == mine || !strings.HasPrefix(info.Name, locksAt):
		case now.Modified.Sub(info.Modified) > staleAfter:
			if err := r.Vault.Delete(ctx, info.Name); err != nil {
				return "", err
			}
		default:
			return info.Name, nil
		}
	}
	return "", nil
}

// VaultTime is the time by the vault's own clock.
func (r *Repository) VaultTime(ctx context.Context) (time.Time, error) {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return time.Time{}, err
	}
	name := "tandem-check/" + hex.EncodeToString(id[:])
	if err := r.touch(ctx, name); err != nil {
		return time.Time{}, err
	}
	info, err := r.Vault.Head(ctx, name)
	return info.Modified, errors.Join(err, r.unlock(ctx, name))
}

package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/gateway"
	"tandem/internal/snapshot"
	"tandem/internal/store"
	"tandem/internal/vault"
)

// proveWithin is how long a gateway may take to serve the generation that was swapped in.
const proveWithin = 30 * time.Second

func (n *Native) restore(ctx context.Context, c *call) (json.RawMessage, error) {
	began := n.Clock.Now()
	v, err := n.Container(ctx, c.storage, false)
	if err != nil {
		return nil, failed("RestoreFailed", "Cannot restore: the container %s of the storage account %s cannot be opened: %v", c.storage.Container, c.storage.Account, err)
	}
	spool, size, err := n.fetch(ctx, v, c.blob)
	if err != nil {
		return nil, failed("RestoreFailed", "Cannot restore: the backup %s/%s cannot be read: %v", c.storage.Container, c.blob, err)
	}
	defer os.Remove(spool.Name()) //nolint:errcheck // a file in the temporary folder
	defer spool.Close()           //nolint:errcheck // it was only read
	m, all, err := load(ctx, spool, n.Identities)
	if err != nil {
		return nil, failed("RestoreFailed", "Cannot restore: the backup %s/%s is not sound: %v", c.storage.Container, c.blob, err)
	}
	if m.Source.SKU != c.record.Sku.Name {
		return nil, failed("RestoreFailed", "Cannot restore: current SKU is '%s', backup SKU is '%s'", c.record.Sku.Name, m.Source.SKU)
	}
	warnings, err := Apply(ctx, c.service, c.owner, "restore of backup "+c.blob, all, n.Gateways)
	if err != nil {
		return nil, failed("RestoreFailed", "Cannot restore: %v", err)
	}
	return json.Marshal(Outcome{Resources: len(all), Bytes: size, Millis: n.Clock.Now().Sub(began).Milliseconds(), Revision: m.Revision, Warnings: warnings})
}

// fetch brings a backup into a temporary file: it is read twice, once to verify every byte and once to use it.
func (n *Native) fetch(ctx context.Context, v vault.Vault, blob string) (*os.File, int64, error) {
	r, _, err := v.Get(ctx, blob, vault.Range{})
	if err != nil {
		return nil, 0, err
	}
	defer r.Close() //nolint:errcheck // it is read to its end
	spool, err := os.CreateTemp(n.Temp, "restore-*")
	if err != nil {
		return nil, 0, err
	}
	size, err := io.Copy(spool, r)
	if err == nil {
		_, err = spool.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = spool.Close()
		_ = os.Remove(spool.Name())
		return nil, 0, err
	}
	return spool, size, nil
}

// load reads a backup to its end: every byte is checked on the way.
func load(ctx context.Context, r io.Reader, identities []age.Identity) (snapshot.Manifest, []snapshot.Resource, error) {
	s, err := snapshot.Open(ctx, r, identities...)
	if err != nil {
		return snapshot.Manifest{}, nil, err
	}
	defer s.Close()
	var all []snapshot.Resource
	for res, err := range s.Resources(ctx) {
		if err != nil {
			return snapshot.Manifest{}, nil, err
		}
		all = append(all, res)
	}
	return s.Manifest(), all, nil
}

// Apply makes a service have exactly the resources, all or nothing (law 3): they are written as a generation beside the
// serving one, every gateway compiles it dry, one commit swaps, and the gateways say that they serve it. Writes are refused
// as locked meanwhile. After any error the service serves what it served before. Warnings are what the gateway would not
// honour but runs without.
func Apply(ctx context.Context, s *apim.Service, owner, reason string, all []snapshot.Resource, gateways Gateways) (warnings []gateway.Problem, err error) {
	im, err := newImporter(s.Table, s.Sealer, all)
	if err != nil {
		return nil, err
	}
	if err := s.Space.Lock(ctx, owner, reason); err != nil {
		if tandem.KindOf(err) == tandem.Unavailable { // the lock may have been taken, and its answer lost
			if undo := unlock(ctx, s, owner); tandem.KindOf(undo) != tandem.Locked {
				err = errors.Join(err, undo)
			}
		}
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock(ctx, s, owner)) }()
	stage, err := s.Space.Stage(ctx, owner, func(yield func(store.Write, error) bool) {
		for _, r := range all {
			if r.Path == "" {
				continue
			}
			writes, err := im.writes(r)
			if err != nil {
				yield(store.Write{}, err)
				return
			}
			for _, w := range writes {
				if !yield(w, nil) {
					return
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	problems, err := gateways.Prepare(ctx, s.ID, s.Space.Documents(ctx, stage.Generation, 0))
	if err == nil {
		err = fatal(problems)
	}
	if err != nil {
		return nil, errors.Join(err, stage.Discard(ctx))
	}
	before, err := s.Space.Head(ctx)
	if err != nil {
		return nil, err
	}
	rev, err := swap(ctx, s, stage)
	if err != nil {
		return nil, errors.Join(err, stage.Discard(ctx))
	}
	proof, cancel := context.WithTimeout(ctx, proveWithin)
	defer cancel()
	if err := gateways.WaitFor(proof, s.ID, stage.Generation, rev); err != nil {
		_, back := s.Space.Rollback(ctx, owner, before.Active)
		return nil, errors.Join(fmt.Errorf("the new generation was not served in time, and the old one serves again: %w", err), back)
	}
	if err := dropOld(ctx, s.Space, before.Active); err != nil { // the restore is done; what is left over costs space
		problems = append(problems, gateway.Problem{Message: fmt.Sprintf("an older generation could not be deleted, and the next restore does it: %v", err)})
	}
	return problems, nil
}

// swap swaps, and asks again where the answer was lost: only then is it known which generation serves.
func swap(ctx context.Context, s *apim.Service, stage *store.Stage) (rev tandem.Revision, err error) {
	pause := 100 * time.Millisecond
	for try := 1; ; try++ {
		if rev, err = stage.Swap(ctx); tandem.KindOf(err) != tandem.Unavailable || try == unlockTries {
			return rev, err
		}
		if err := s.Clock.Sleep(ctx, pause); err != nil {
			return 0, err
		}
		pause *= 2
	}
}

// unlockTries is how often a lock is taken off while the store does not answer: one that stays would keep the service from
// being written until the process starts anew.
const unlockTries = 6

func unlock(ctx context.Context, s *apim.Service, owner string) (err error) {
	ctx = context.WithoutCancel(ctx)
	pause := 100 * time.Millisecond
	for try := 1; ; try++ {
		if err = s.Space.Unlock(ctx, owner); tandem.KindOf(err) != tandem.Unavailable || try == unlockTries {
			return err
		}
		if err := s.Clock.Sleep(ctx, pause); err != nil {
			return err
		}
		pause *= 2
	}
}

// dropOld deletes kept generations older than the one that served until now, which stays for an instant undo.
func dropOld(ctx context.Context, space *store.Space, last tandem.Generation) error {
	h, err := space.Head(ctx)
	if err != nil {
		return err
	}
	for _, g := range h.Kept {
		if g != last {
			if err := space.Drop(ctx, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// fatal tells the first problems that make a generation unfit to serve.
func fatal(problems []gateway.Problem) error {
	var lines []string
	for _, p := range problems {
		if p.Fatal && len(lines) < 5 {
			lines = append(lines, fmt.Sprintf("%s, line %d: %s", p.Document, p.Line, p.Message))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return &tandem.Error{Op: "compile the backup's configuration", Kind: tandem.Unsupported, Err: errors.New(strings.Join(lines, "; ")), Remedy: "mend the named documents at the source and back up again"}
}

package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"tandem"
)

// Step is one hop of a Check that was passed.
type Step struct {
	Name string
	Took time.Duration
}

// Checked is what Check has proven.
type Checked struct {
	Steps []Step
	Drift time.Duration // the vault's clock less ours, as far as a second's precision tells; for people alone (law 11)
}

// checkSize is more than one block or part of any vault, so that both ways of writing are tried.
const checkSize = 9 << 20

// Check proves that a vault can be trusted with backups, before it is: it writes, reads back whole and in part, lists,
// is refused a second put-if-absent, and deletes, below "tandem-check/". The error's Op names the step that failed; a vault
// that answers well and lies is Corrupt.
func Check(ctx context.Context, v Vault, clock tandem.Clock) (Checked, error) {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return Checked{}, err
	}
	c := &checker{ctx: ctx, v: v, clock: clock, name: "tandem-check/" + hex.EncodeToString(id[:]), data: make([]byte, checkSize)}
	if _, err := rand.Read(c.data); err != nil {
		return Checked{}, err
	}
	for _, s := range []struct {
		name string
		run  func() error
	}{
		{"write", c.write}, {"read back", c.readBack}, {"list after write", c.list}, {"refuse a second write", c.second},
		{"delete", c.remove}, {"miss after delete", c.miss},
	} {
		from := clock.Now()
		if err := s.run(); err != nil {
			err = &tandem.Error{Op: "check vault: " + s.name, Subject: c.name, Kind: kindOr(err, tandem.Unavailable), Err: err, Remedy: "do not back up to this vault before the step passes"}
			if s.name != "delete" {
				err = errors.Join(err, c.clean())
			}
			return c.out, err
		}
		c.out.Steps = append(c.out.Steps, Step{s.name, clock.Now().Sub(from)})
	}
	return c.out, nil
}

type checker struct {
	ctx   context.Context
	v     Vault
	clock tandem.Clock
	name  string
	data  []byte
	out   Checked
}

func lie(format string, args ...any) error {
	return &tandem.Error{Op: "compare", Kind: tandem.Corrupt, Err: fmt.Errorf(format, args...)}
}

func (c *checker) write() error {
	info, err := c.v.Put(c.ctx, c.name, bytes.NewReader(c.data), PutOptions{IfAbsent: true})
	if err != nil {
		return err
	}
	c.out.Drift = info.Modified.Sub(c.clock.Now()).Round(time.Second)
	if info.Size != checkSize {
		return lie("it stored %d bytes of %d", info.Size, checkSize)
	}
	return nil
}

func (c *checker) readBack() error {
	for _, part := range []Range{{}, {Offset: checkSize/2 + 1, Length: 1000}} {
		r, _, err := c.v.Get(c.ctx, c.name, part)
		if err != nil {
			return err
		}
		got, err := io.ReadAll(io.LimitReader(r, checkSize+1))
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		want := c.data[part.Offset:]
		if part.Length > 0 {
			want = want[:part.Length]
		}
		if !bytes.Equal(got, want) {
			return lie("it gave back other bytes than were written")
		}
	}
	return nil
}

func (c *checker) list() error {
	for info, err := range c.v.List(c.ctx, c.name) {
		if err != nil {
			return err
		}
		if info.Name == c.name && info.Size == checkSize {
			return nil
		}
	}
	return lie("the listing does not show what was written")
}

func (c *checker) second() error {
	_, err := c.v.Put(c.ctx, c.name, bytes.NewReader([]byte("second")), PutOptions{IfAbsent: true})
	if err == nil {
		return lie("it wrote over a blob that it was to write only if absent")
	}
	if !errors.Is(err, tandem.Exists) {
		return err
	}
	return nil
}

func (c *checker) remove() error { return c.v.Delete(c.ctx, c.name) }

func (c *checker) miss() error {
	if _, err := c.v.Head(c.ctx, c.name); err == nil {
		return lie("a deleted blob is still there")
	} else if !errors.Is(err, tandem.NotFound) {
		return err
	}
	for info, err := range c.v.List(c.ctx, c.name) {
		if err != nil {
			return err
		}
		return lie("the listing still shows %s", info.Name)
	}
	return nil
}

// clean removes what a failed check has left.
func (c *checker) clean() error {
	return c.v.Delete(context.WithoutCancel(c.ctx), c.name)
}

func kindOr(err error, k tandem.Kind) tandem.Kind {
	if inner := tandem.KindOf(err); inner != "" {
		return inner
	}
	return k
}

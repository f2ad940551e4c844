package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tandem/test/sites/world"
)

// askEvery is the pause between two questions about one name.
const askEvery = 50 * time.Millisecond

// run goes through all phases, each for a length of time.
func (b *bench) run(ctx context.Context, length time.Duration) (rows []row, err error) {
	for _, p := range phases() {
		if err := b.settle(ctx); err != nil {
			return rows, fmt.Errorf("before %s: %w", p.name, err)
		}
		some, err := b.phase(ctx, p, length)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", p.name, err)
		}
		rows = append(rows, some...)
	}
	return rows, nil
}

func (b *bench) phase(ctx context.Context, p phase, length time.Duration) ([]row, error) {
	rows := make([]row, len(b.trials))
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	for i, t := range b.trials {
		rows[i] = row{Phase: p.name, Trial: t.name, What: t.what}
		if !p.sickness {
			rows[i].What = p.what
		}
		work.Go(func() { b.observe(watch, t, &rows[i]) })
	}
	err := b.live(ctx, p, length)
	cancel()
	work.Wait()
	for i, t := range b.trials {
		rows[i].Probes, rows[i].Failed = b.pages[t.name].counts()
	}
	return rows, errors.Join(err, b.sick(false))
}

// live makes a phase happen.
func (b *bench) live(ctx context.Context, p phase, length time.Duration) error {
	if err := b.sick(p.sickness); err != nil {
		return err
	}
	act := func(f func(context.Context, *bench) error) error {
		if f == nil {
			return nil
		}
		return f(ctx, b)
	}
	outage := func(on bool) error {
		for _, t := range b.trials {
			if t.outages && p.sickness {
				if err := b.vanish(t.name, on); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, step := range []func() error{
		func() error { return act(p.breaks) },
		func() error { return b.clock.Sleep(ctx, length/3) },
		func() error { return outage(true) },
		func() error { return b.clock.Sleep(ctx, length/3) },
		func() error { return outage(false) },
		func() error { return b.clock.Sleep(ctx, length/3) },
		func() error { return act(p.mends) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// observe asks for a trial's name until ctx ends and counts where it leads.
func (b *bench) observe(ctx context.Context, t trial, r *row) {
	began := b.clock.Now()
	at, since := t.name, began
	for ctx.Err() == nil {
		ip, err := b.world.Named(ctx, world.Client, t.name)
		now := b.clock.Now()
		if site := b.world.SiteOf(ip); err == nil {
			r.Questions++
			if site != at {
				r.Moves++
				from, to := b.fails(at), b.fails(site)
				note := fmt.Sprintf("%.1f s: %s → %s", now.Sub(began).Seconds(), at, site)
				// Back to the preferred endpoint once it is well is what should happen; all else must lead to a better one.
				if home := site == t.name && to == 0; to >= from && !home {
					r.Wrong++
					note += fmt.Sprintf(", wrong: it fails %.0f %% of probes, the one left %.0f %%", to*100, from*100)
				}
				r.Notes = append(r.Notes, note)
				if at != t.name {
					r.Elsewhere += now.Sub(since)
				}
				at, since = site, now
			}
		}
		_ = b.clock.Sleep(ctx, askEvery) // ended by ctx, which the loop looks at
	}
	now := b.clock.Now()
	if at != t.name {
		r.Elsewhere += now.Sub(since)
	}
	r.Lasted = now.Sub(began)
}

//go:build linux

package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"time"

	"tandem/internal/traffic/health"
)

// runFlap puts the pure decision through a day of an endpoint that fails a share of its probes, at random, in simulated
// time, and prints how often it moved. The last column is what one strike and one good probe would have done.
func runFlap(args []string) error {
	f := flag.NewFlagSet("flap", flag.ContinueOnError)
	interval := f.Duration("interval", 10*time.Second, "between probes")
	if err := f.Parse(args); err != nil {
		return err
	}
	ours := health.Rules{Strikes: 4, Recover: 2, Budget: 10, SteadyRun: 10, HoldDown: 5 * time.Second, HoldDownMax: 5 * time.Minute, FlapWindow: time.Hour, Recheck: 20 * time.Millisecond, Interval: *interval}
	bare := health.Rules{Strikes: 1, Recover: 1, Interval: *interval}
	row("failing probes", "moves in a day", "time in DNS", "with one strike and one good probe")
	row("---", "---", "---", "---")
	for _, share := range []float64{0.01, 0.1, 0.3, 0.5, 0.9} {
		moves, served := day(ours, share)
		bareMoves, _ := day(bare, share)
		row(fmt.Sprintf("%.0f %%", share*100), fmt.Sprint(moves), fmt.Sprintf("%.1f %%", served*100), fmt.Sprint(bareMoves))
	}
	fmt.Println()
	runFleet()
	return nil
}

func day(r health.Rules, share float64) (moves int, served float64) {
	random := rand.New(rand.NewPCG(1, uint64(share*100)))
	now := time.Unix(0, 0)
	end := now.Add(24 * time.Hour)
	s := health.Fresh(now)
	up := time.Duration(0)
	for now.Before(end) {
		e := health.Event{Kind: health.Success}
		if random.Float64() < share {
			e = health.Event{Kind: health.Failure, Reason: "lost"}
		}
		next, d := health.Step(r, s, e, now)
		if next.Status != s.Status && s.Status != health.Checking {
			moves++
		}
		s = next
		step := r.Interval
		if d.Next > 0 {
			step = d.Next
		}
		if s.Status != health.Degraded {
			up += step
		}
		now = now.Add(step)
	}
	return moves, up.Hours() / 24
}

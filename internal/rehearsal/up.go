package rehearsal

import (
	"context"
	"time"
)

// Up brings a world up without the story: what it holds is made on the first start, later ones begin where the last ended.
func Up(ctx context.Context, w *World, tell Teller) error {
	s := &story{w: w, tell: tell}
	steps := []step{{"start both regions", s.start}}
	if !w.Built {
		steps = append(steps, []step{
			{"create services, storage and roles", func(ctx context.Context) (string, error) { return "", w.createServices(ctx) }},
			{"import the API, make product, keys and policy", func(ctx context.Context) (string, error) { return "", w.buildAPI(ctx) }},
			{"call through the primary, with the key and without", s.callPrimary},
			{"back up the primary", s.backup},
			{"restore into the standby", s.restore},
			{"point the traffic name at the primary", s.pointTraffic},
		}...)
	}
	return s.steps(ctx, steps)
}

// Silent is a Teller that shows nothing.
type Silent struct{}

// Begin implements Teller.
func (Silent) Begin(string) {}

// End implements Teller.
func (Silent) End(string, time.Duration, string, error) {}

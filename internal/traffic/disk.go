package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"tandem"
	"tandem/internal/traffic/health"
)

// savedState is the file that a start goes on from. Times in it are of this machine alone.
type savedState struct {
	Format   int                        `json:"format"`
	Saved    time.Time                  `json:"saved"`
	Revision tandem.Revision            `json:"revision"`
	Profiles map[string]*Profile        `json:"profiles"`
	States   map[string]health.State    `json:"states"`
	Good     map[string]map[string]bool `json:"lastGood"`
	Failback map[string]int64           `json:"failback"`
	Drains   map[string]time.Time       `json:"drains"`
	Drained  map[string]bool            `json:"drained"`
	Flat     map[string][]netip.Addr    `json:"addresses"`
	Steered  map[string]steered         `json:"steered"`
}

const stateFormat = 1

func (s *Service) statePath() string { return filepath.Join(s.config.Dir, "traffic-state.json") }

// restore reads the last state. No file is a first start; a broken one is told and set aside, since a start with wrong
// knowledge is worse than one with none.
func (s *Service) restore() (savedState, error) {
	var saved savedState
	if s.config.Dir == "" {
		return saved, nil
	}
	if err := os.MkdirAll(s.config.Dir, 0o700); err != nil {
		return saved, &tandem.Error{Op: "open state directory", Subject: s.config.Dir, Kind: tandem.Unavailable, Err: err, Remedy: "give a directory this process may write"}
	}
	raw, err := os.ReadFile(s.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return saved, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &saved)
	}
	if err == nil && saved.Format != stateFormat {
		err = errors.New("it is of another format")
	}
	if err != nil {
		s.config.Log.Error("the saved traffic state cannot be used; starting without it", "path", s.statePath(), "error", err)
		if err := os.Rename(s.statePath(), s.statePath()+".bad"); err != nil {
			return savedState{}, &tandem.Error{Op: "set aside broken state", Subject: s.statePath(), Kind: tandem.Unavailable, Err: err, Remedy: "remove the file"}
		}
		return savedState{}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if saved.Failback != nil {
		s.failback = saved.Failback
	}
	if saved.Flat != nil {
		s.flat = saved.Flat
	}
	if saved.Good != nil {
		s.good = saved.Good
	}
	now := s.config.Clock.Now()
	for id, since := range saved.Drains {
		if since.After(now) { // the wall clock was set back meanwhile
			since = now
		}
		s.drains[id] = since
	}
	if saved.Steered != nil {
		s.steered = saved.Steered
	}
	if saved.Drained != nil {
		s.drained = saved.Drained
	}
	return saved, nil
}

// keep saves after changes, not more often than ten times a second.
func (s *Service) keep(ctx context.Context) {
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		err := s.save()
		if err != nil && !failing {
			s.config.Log.Error("the traffic state is not being saved; a restart without the store would answer the last saved one", "error", err)
		}
		failing = err != nil
		if s.config.Clock.Sleep(ctx, 100*time.Millisecond) != nil {
			return
		}
	}
}

// save writes the state beside the old one and takes its place, so that a crash leaves one of the two.
func (s *Service) save() error {
	if s.config.Dir == "" {
		return nil
	}
	states := map[string]health.State{}
	for id, v := range s.monitor.Views() {
		states[id] = v.State
	}
	s.mu.Lock()
	raw, err := json.Marshal(savedState{Format: stateFormat, Saved: s.config.Clock.Now(), Revision: s.revision, Profiles: s.profiles, States: states,
		Good: s.good, Failback: s.failback, Drains: s.drains, Drained: s.drained, Flat: s.flat, Steered: s.steered})
	s.mu.Unlock()
	if err == nil {
		err = replaceFile(s.statePath(), raw)
	}
	if err != nil {
		return &tandem.Error{Op: "save traffic state", Subject: s.statePath(), Kind: tandem.Unavailable, Err: err, Remedy: "make room, or give a directory this process may write"}
	}
	return nil
}

func replaceFile(path string, raw []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Drained implements Health.
func (s *Service) Drained(endpoint string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drained[endpoint]
}

// tick moves drains on and renews signatures.
func (s *Service) tick(ctx context.Context) {
	resigned := s.config.Clock.Now()
	for s.config.Clock.Sleep(ctx, time.Second) == nil {
		now := s.config.Clock.Now()
		s.mu.Lock()
		moved := s.endDrains(now)
		if moved || !s.expiry.IsZero() && !now.Before(s.expiry) || len(s.drains) > len(s.drained) { // weights of draining endpoints fall
			s.compile()
		}
		s.mu.Unlock()
		if moved {
			s.dirty()
		}
		if now.Sub(resigned) > resignEvery {
			resigned = now
			s.resign()
		}
	}
}

// resignEvery is how often old signatures are looked for; they are renewed after a day and hold for a week.
const resignEvery = 6 * time.Hour

func (s *Service) resign() {
	for _, z := range s.zones() {
		err := z.Resign()
		s.mu.Lock()
		s.note("signatures of "+z.Name(), err)
		s.mu.Unlock()
	}
}

// endDrains takes endpoints out whose clients have had the time of the old TTL to come back. Called with mu held.
func (s *Service) endDrains(now time.Time) bool {
	moved := false
	for _, p := range s.profiles {
		for _, e := range p.Properties.Endpoints {
			id := endpointID(p, e)
			if since, ok := s.drains[id]; ok && !s.drained[id] && now.Sub(since) >= drainLength(p, e) {
				s.drained[id] = true
				moved = true
			}
		}
	}
	return moved
}

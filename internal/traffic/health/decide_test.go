package health

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var rewrite = flag.Bool("rewrite", false, "write what scenarios do into testdata")

// TestScenarios runs testdata/*.txt: commands, a line ----, the trace. With -rewrite the traces are written anew, to be
// read in review.
//
//	rules strikes=4 recover=2 ...   starts an endpoint nobody has looked at
//	ok [xN], fail [xN] [reason], abstain, readmit
//	wait 5s
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			run := &scenario{}
			for i, block := range strings.Split(strings.TrimSpace(string(raw)), "\n\n") {
				commands, _, _ := strings.Cut(block, "----")
				if i > 0 {
					out.WriteString("\n")
				}
				fmt.Fprintf(&out, "%s\n----\n", strings.TrimSpace(commands))
				for line := range strings.Lines(commands) {
					if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
						out.WriteString(run.do(t, line))
					}
				}
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got, want := out.String(), strings.TrimSpace(string(raw))+"\n"; got != want {
				t.Errorf("the trace differs (run with -rewrite and read the difference):\n%s", got)
			}
		})
	}
}

type scenario struct {
	rules Rules
	state State
	now   time.Time
	began time.Time
}

func (s *scenario) do(t *testing.T, line string) string {
	t.Helper()
	f := strings.Fields(line)
	switch f[0] {
	case "rules":
		s.rules = Rules{Strikes: 4, Recover: 2, Budget: 10, SteadyRun: 10, HoldDown: 5 * time.Second, HoldDownMax: time.Minute, FlapWindow: time.Hour, Recheck: 20 * time.Millisecond, Interval: 10 * time.Second}
		for _, kv := range f[1:] {
			k, v, _ := strings.Cut(kv, "=")
			n, _ := strconv.Atoi(v)
			d, _ := time.ParseDuration(v)
			switch k {
			case "strikes":
				s.rules.Strikes = n
			case "recover":
				s.rules.Recover = n
			case "budget":
				s.rules.Budget = n
			case "steady":
				s.rules.SteadyRun = n
			case "hold":
				s.rules.HoldDown = d
			case "recheck":
				s.rules.Recheck = d
			case "manual":
				s.rules.Manual = true
			default:
				t.Fatalf("unknown rule %q", k)
			}
		}
		s.began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		s.now, s.state = s.began, Fresh(s.began)
		return ""
	case "wait":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(d)
		return ""
	}
	e := Event{Kind: map[string]EventKind{"ok": Success, "fail": Failure, "abstain": Abstain, "readmit": Readmit}[f[0]], Reason: "refused"}
	times := 1
	for _, x := range f[1:] {
		if n, err := strconv.Atoi(strings.TrimPrefix(x, "x")); err == nil {
			times = n
		} else {
			e.Reason = x
		}
	}
	var out strings.Builder
	for range times {
		var d Decision
		from := s.state
		s.state, d = Step(s.rules, s.state, e, s.now)
		fmt.Fprintf(&out, "%8v %-7s %-16s ok %d, failed %d, spent %d", s.now.Sub(s.began), f[0], s.state.Status, s.state.Successes, s.state.Failures, s.state.Spent)
		if s.state.HeldUntil.After(s.now) {
			fmt.Fprintf(&out, ", held for %v", s.state.HeldUntil.Sub(s.now))
		}
		if s.state.Awaiting {
			out.WriteString(", awaits failback")
		}
		if d.Next > 0 {
			fmt.Fprintf(&out, ", look again in %v", d.Next)
			s.now = s.now.Add(d.Next)
		} else if e.Kind != Readmit {
			s.now = s.now.Add(s.rules.Interval)
		}
		if d.Changed {
			fmt.Fprintf(&out, "\n         CHANGED from %s: %s", from.Status, d.Why)
		}
		out.WriteString("\n")
	}
	return out.String()
}

// TestInvariants holds what State says of itself, and the two that matter: nothing goes down on fewer strikes than the
// rules ask unless its budget is spent, and nothing comes back on fewer successes.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rules{Strikes: rapid.IntRange(1, 5).Draw(t, "strikes"), Recover: rapid.IntRange(1, 4).Draw(t, "recover"), Budget: rapid.IntRange(0, 8).Draw(t, "budget"),
			SteadyRun: rapid.IntRange(1, 6).Draw(t, "steady"), HoldDown: 5 * time.Second, HoldDownMax: time.Minute, FlapWindow: 10 * time.Minute,
			Manual: rapid.Bool().Draw(t, "manual"), Recheck: 20 * time.Millisecond, Interval: time.Second}
		now := time.Unix(1e9, 0)
		s := Fresh(now)
		inARow, oks := 0, 0
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			e := Event{Kind: rapid.SampledFrom([]EventKind{Success, Success, Failure, Failure, Abstain, Readmit}).Draw(t, "event"), Reason: "x"}
			switch e.Kind {
			case Success:
				inARow, oks = 0, oks+1
			case Failure:
				inARow, oks = inARow+1, 0
			}
			next, d := Step(r, s, e, now)
			if next.Successes > 0 && next.Failures > 0 {
				t.Fatal("successes and failures at once")
			}
			if next.Awaiting && next.Status != Degraded {
				t.Fatal("awaits failback while ", next.Status)
			}
			if !next.HeldUntil.IsZero() && next.Status != Degraded {
				t.Fatal("held while ", next.Status)
			}
			if d.Changed != (next.Status != s.Status || next.Awaiting != s.Awaiting) {
				t.Fatal("Changed is not the truth")
			}
			if next.Status == Degraded && s.Status != Degraded && inARow < r.Strikes && !next.Unsteady {
				t.Fatalf("down after %d strikes of %d", inARow, r.Strikes)
			}
			if next.Status == Online && s.Status == Degraded {
				if e.Kind != Readmit && (oks < r.Recover || r.Manual && s.Proven || now.Before(s.HeldUntil)) {
					t.Fatalf("back after %d successes, held until %v", oks, s.HeldUntil)
				}
			}
			if d.Next < 0 || d.Next > r.Interval {
				t.Fatal("next look in ", d.Next)
			}
			s = next
			now = now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "gap")) * time.Millisecond)
		}
	})
}

// TestFlapping puts a day of random failures through the rules: an endpoint that fails often must not go in and out.
func TestFlapping(t *testing.T) {
	r := Rules{Strikes: 4, Recover: 2, Budget: 10, SteadyRun: 10, HoldDown: 5 * time.Second, HoldDownMax: 5 * time.Minute, FlapWindow: time.Hour, Recheck: 20 * time.Millisecond, Interval: 10 * time.Second}
	for share, most := range map[float64]int{0: 0, 0.01: 2, 0.1: 60, 0.3: 24, 0.5: 12, 0.9: 6, 1: 1} {
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, 1))
			now := time.Unix(0, 0)
			s, moves := Fresh(now), 0
			for end := now.Add(24 * time.Hour); now.Before(end); {
				e := Event{Kind: Success}
				if random.Float64() < share {
					e = Event{Kind: Failure, Reason: "lost"}
				}
				next, d := Step(r, s, e, now)
				if next.Status != s.Status && next.Status != Online || next.Status == Online && s.Status == Degraded {
					moves++
				}
				s = next
				if d.Next == 0 {
					d.Next = r.Interval
				}
				now = now.Add(d.Next)
			}
			if moves > most {
				t.Errorf("failing %.0f %%, seed %d: %d moves in a day, at most %d are sane", share*100, seed, moves, most)
			}
		}
	}
}

// TestRestoredTimes: a wall clock that was set back must not hold an endpoint for years.
func TestRestoredTimes(t *testing.T) {
	now := time.Unix(1e9, 0)
	r := Rules{HoldDown: 5 * time.Second, HoldDownMax: time.Minute}
	future := now.Add(10_000 * time.Hour)
	s := State{Status: Degraded, HeldUntil: future, Since: future, Downs: []time.Time{now.Add(-time.Minute), future}}.within(r, now)
	if s.HeldUntil != now.Add(time.Minute) || s.Since != now || len(s.Downs) != 1 {
		t.Errorf("%+v", s)
	}
}

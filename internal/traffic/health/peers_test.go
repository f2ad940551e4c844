package health

import (
	"sync"
	"testing"
	"time"

	"tandem"
)

func TestAgree(t *testing.T) {
	three := QuorumRule{Vantages: 3, Fresh: time.Minute, Alone: 10 * time.Second}
	v := func(s Status, age time.Duration) Verdict { return Verdict{Status: s, Age: age, Held: age} }
	suspect := Verdict{Status: Degraded, Suspect: true}
	for _, c := range []struct {
		name   string
		rule   QuorumRule
		own    Verdict
		others []Verdict
		now    Status
		want   Status
	}{
		{"alone by rule", QuorumRule{}, v(Degraded, 0), nil, Online, Degraded},
		{"one of three says down", three, v(Degraded, time.Second), []Verdict{v(Online, 0), v(Online, 0)}, Online, Online},
		{"two of three say down", three, v(Degraded, 0), []Verdict{v(Degraded, 0), v(Online, 0)}, Online, Degraded},
		{"the others say down, here it answers", three, v(Online, 0), []Verdict{v(Degraded, 0), v(Degraded, 0)}, Online, Degraded},
		{"a tie keeps what is", three, v(Degraded, time.Hour), []Verdict{v(Online, 0)}, Online, Online},
		{"old verdicts are no votes", three, v(Degraded, time.Second), []Verdict{v(Degraded, time.Hour), v(Degraded, time.Hour)}, Online, Online},
		{"cut off for long: decides alone", three, v(Degraded, 11*time.Second), nil, Online, Degraded},
		{"cut off and suspect of itself", three, suspect, nil, Online, Online},
		{"suspects do not vote", three, v(Online, 0), []Verdict{suspect, suspect}, Online, Online},
		{"back by quorum", three, v(Online, 0), []Verdict{v(Online, 0), v(Degraded, 0)}, Degraded, Online},
		{"not back on one voice", three, v(Online, time.Second), []Verdict{v(Degraded, 0), v(Degraded, 0)}, Degraded, Degraded},
		{"the first verdict needs nobody", three, v(Degraded, 0), nil, Checking, Degraded},
		{"nothing known", three, v(Checking, time.Hour), nil, Checking, Checking},
	} {
		if got := Agree(c.rule, c.own, c.others, c.now); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// hall is an exchange of verdicts between monitors in one process.
type hall struct {
	mu    sync.Mutex
	seats []*seat
}

type seat struct {
	hall *hall
	name string
	said map[string]Verdict
	cut  bool
	news chan string
}

func (h *hall) join(name string) *seat {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := &seat{hall: h, name: name, said: map[string]Verdict{}, news: make(chan string, 1000)}
	h.seats = append(h.seats, s)
	return s
}

func (s *seat) Tell(v Verdict) {
	s.hall.mu.Lock()
	defer s.hall.mu.Unlock()
	v.Vantage = s.name
	s.said[v.Endpoint] = v
	for _, o := range s.hall.seats {
		if o != s && !s.cut && !o.cut {
			select {
			case o.news <- v.Endpoint:
			default:
			}
		}
	}
}

func (s *seat) Heard(endpoint string) (out []Verdict) {
	s.hall.mu.Lock()
	defer s.hall.mu.Unlock()
	for _, o := range s.hall.seats {
		if v, ok := o.said[endpoint]; ok && o != s && !s.cut && !o.cut {
			out = append(out, v)
		}
	}
	return out
}

func (s *seat) News() <-chan string { return s.news }

func (s *seat) Contact() (int, time.Time) {
	s.hall.mu.Lock()
	defer s.hall.mu.Unlock()
	if s.cut {
		return len(s.hall.seats) - 1, time.Time{}
	}
	return len(s.hall.seats) - 1, tandem.SystemClock{}.Now()
}

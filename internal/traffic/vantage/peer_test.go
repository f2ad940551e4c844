package vantage

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/traffic/health"
)

// clockless is an exchange without senders, to be driven message by message.
func clockless(name, other, boot string) *Exchange {
	x := &Exchange{config: Config{Name: name}, boot: boot, own: map[string]*ours{}, peers: map[string]*peer{}, pending: map[string]bool{}}
	x.peers[other] = &peer{Peer: Peer{Name: other}, verdicts: map[string]kept{}}
	return x
}

func (x *Exchange) put(endpoint string, s health.Status, now time.Time) {
	x.version++
	x.own[endpoint] = &ours{said{Endpoint: endpoint, Status: s, Version: x.version}, now}
}

// TestAnyNetwork: messages are lost, doubled, kept back and overtaken, and places begin anew. Whatever is believed was true
// no longer ago than its age says, and a few messages that arrive make both hold the same.
func TestAnyNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, boots := time.Unix(1000, 0), 0
		type letter struct {
			to   int
			text []byte
		}
		names := []string{"a", "b"}
		sides := []*Exchange{clockless("a", "b", "a0"), clockless("b", "a", "b0")}
		// history holds what each side held of "e" in each of its runs, and until when.
		type span struct {
			status health.Status
			until  time.Time // zero: still
		}
		history := [2][]span{}
		var mail []letter
		post := func(from int, echo *mark) {
			x := sides[from]
			m := x.write(x.peers[names[1-from]], now)
			if echo != nil {
				m.Echo = echo
			}
			text, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			mail = append(mail, letter{1 - from, text})
		}
		deliver := func(l letter, answer bool) {
			var m message
			if err := json.Unmarshal(l.text, &m); err != nil {
				t.Fatal(err)
			}
			if err := m.check(); err != nil {
				t.Fatalf("%s: %v", l.text, err)
			}
			x := sides[l.to]
			p := x.peers[names[1-l.to]]
			x.take(p, &m, now)
			if answer {
				post(l.to, &mark{m.Boot, m.Sequence})
			}
		}
		check := func() {
			for i, x := range sides {
				v, ok := x.peers[names[1-i]].verdict("e", now)
				if !ok {
					continue
				}
				true_ := false
				for _, s := range history[1-i] {
					true_ = true_ || s.status == v.Status && (s.until.IsZero() || now.Sub(s.until) <= v.Age)
				}
				if !true_ {
					t.Fatalf("%s believes %+v; the history is %+v at %v", names[i], v, history[1-i], now)
				}
			}
		}
		set := func(i int, s health.Status) {
			if n := len(history[i]); n > 0 && history[i][n-1].until.IsZero() {
				history[i][n-1].until = now
			}
			history[i] = append(history[i], span{status: s})
			sides[i].put("e", s, now)
		}
		for range rapid.IntRange(5, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "ms")) * time.Millisecond)
			i := rapid.IntRange(0, 1).Draw(t, "side")
			switch rapid.SampledFrom([]string{"set", "post", "deliver", "deliver", "double", "lose", "restart"}).Draw(t, "what") {
			case "set":
				set(i, rapid.SampledFrom([]health.Status{health.Online, health.Degraded, health.Checking}).Draw(t, "status"))
			case "post":
				post(i, nil)
			case "deliver", "double":
				if len(mail) > 0 {
					n := rapid.IntRange(0, len(mail)-1).Draw(t, "letter")
					l := mail[n]
					mail = append(mail[:n:n], mail[n+1:]...)
					deliver(l, rapid.Bool().Draw(t, "answer"))
				}
			case "lose":
				if len(mail) > 0 {
					mail = mail[1:]
				}
			case "restart":
				boots++
				sides[i] = clockless(names[i], names[1-i], fmt.Sprint(names[i], boots))
				if n := len(history[i]); n > 0 && history[i][n-1].until.IsZero() {
					history[i][n-1].until = now
				}
			}
			check()
		}
		set(0, health.Degraded)
		set(1, health.Online)
		for range 4 { // a quiet network: messages with their answers
			now = now.Add(time.Millisecond)
			for i := range sides {
				mail = nil
				post(i, nil)
				deliver(mail[0], true)
				deliver(mail[1], false)
			}
			check()
		}
		for i, want := range []health.Status{health.Online, health.Degraded} {
			if v, ok := sides[i].peers[names[1-i]].verdict("e", now); !ok || v.Status != want || v.Age > 10*time.Millisecond {
				t.Fatalf("%s ends with %+v, %v", names[i], v, ok)
			}
		}
	})
}

// FuzzMessage: whatever arrives is read or refused; what is read keeps within bounds.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"vantage":"b","boot":"1","sequence":3,"echo":{"boot":"a0","number":1},"known":{"boot":"a0","number":0},"base":0,"top":2,"verdicts":[{"endpoint":"e","status":"Online","heldMilliseconds":5,"version":2}]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m message
		if json.Unmarshal(raw, &m) != nil || m.check() != nil {
			return
		}
		x := clockless("a", "b", "a0")
		p := x.peers["b"]
		x.put("e", health.Online, time.Unix(0, 0))
		x.write(p, time.Unix(1, 0))
		x.take(p, &m, time.Unix(2, 0))
		if p.acked > x.version || p.top > 0 && p.confirmed.IsZero() {
			t.Errorf("%s left %d of %d, %d", raw, p.acked, x.version, p.top)
		}
	})
}

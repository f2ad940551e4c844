package balance

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestScenarios runs testdata/*.txt: commands, then "----", then what they told.
//
//	rule count=3 percentage=50 interval=10s trip=5s status=500-599 reason=Timeout retry
//	at 1s status=503 after=7s
//	open 2s
//	member a priority=1 weight=3 [tripped=5s]
//	pick 0s [prefer=a] [times=8]
func TestScenarios(t *testing.T) {
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			raw, err := os.ReadFile("testdata/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			for n, part := range strings.Split(string(raw), "\n\n") {
				commands, want, ok := strings.Cut(strings.TrimSpace(part), "\n----\n")
				if !ok {
					t.Fatalf("scenario %d has no ----", n+1)
				}
				if got := strings.TrimSpace(tell(t, commands)); got != strings.TrimSpace(want) {
					t.Errorf("scenario %d\n%s\ntells\n%s\nwant\n%s", n+1, commands, got, want)
				}
			}
		})
	}
}

func tell(t *testing.T, commands string) string {
	var out strings.Builder
	var rules []Rule
	var members []Member
	var b *Breaker
	var p *Pool
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	sc := bufio.NewScanner(strings.NewReader(commands))
	for sc.Scan() {
		words := strings.Fields(sc.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		args := map[string]string{}
		for _, w := range words[1:] {
			k, v, _ := strings.Cut(w, "=")
			args[k] = v
		}
		number := func(k string) int { n, _ := strconv.Atoi(args[k]); return n }
		span := func(s string) time.Duration { d, _ := time.ParseDuration(s); return d }
		switch words[0] {
		case "rule":
			r := Rule{Count: int64(number("count")), Percentage: int64(number("percentage")), Interval: span(args["interval"]), Trip: span(args["trip"])}
			_, r.AcceptRetry = args["retry"]
			if s := args["status"]; s != "" {
				low, high, _ := strings.Cut(s, "-")
				l, _ := strconv.Atoi(low)
				h, _ := strconv.Atoi(high)
				r.Statuses = []Range{{l, h}}
			}
			if s := args["reason"]; s != "" {
				r.Reasons = []string{s}
			}
			rules = append(rules, r)
		case "at":
			if b == nil {
				b = NewBreaker(rules)
			}
			if b.Record(start.Add(span(words[1])), Outcome{Status: number("status"), Reason: args["reason"], RetryAfter: span(args["after"])}) {
				fmt.Fprintf(&out, "%s tripped\n", words[1])
			}
		case "open":
			wait, open := b.Open(start.Add(span(words[1])))
			fmt.Fprintf(&out, "%s open=%v wait=%v\n", words[1], open, wait)
		case "member":
			m := Member{ID: words[1], Priority: number("priority"), Weight: number("weight")}
			if s := args["tripped"]; s != "" {
				m.Breaker = NewBreaker([]Rule{{Count: 1, Interval: time.Second, Trip: span(s), Statuses: []Range{{500, 599}}}})
				m.Breaker.Record(start, Outcome{Status: 500})
			}
			members = append(members, m)
		case "pick":
			if p == nil {
				p = NewPool(members)
			}
			var ids []string
			for range max(number("times"), 1) {
				id, wait, ok := p.Pick(start.Add(span(words[1])), args["prefer"])
				if !ok {
					id = "none for " + wait.String()
				}
				ids = append(ids, id)
			}
			fmt.Fprintf(&out, "%s\n", strings.Join(ids, " "))
		default:
			t.Fatalf("unknown command %q", words[0])
		}
	}
	return out.String()
}

// TestCountIsExactWithinTenth: a breaker by count trips when the failures of the interval reach the count, and never
// while even the interval and a tenth more holds fewer.
func TestCountIsExactWithinTenth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := Rule{Count: rapid.Int64Range(1, 6).Draw(t, "count"), Interval: 10 * time.Second, Trip: time.Hour, Statuses: []Range{{500, 599}}}
		b := NewBreaker([]Rule{rule})
		start := time.Unix(1_700_000_000, 0)
		now := start
		var failures []time.Time
		for range rapid.IntRange(1, 40).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "gap")) * time.Millisecond)
			status := rapid.SampledFrom([]int{200, 500, 503}).Draw(t, "status")
			if status >= 500 {
				failures = append(failures, now)
			}
			within := func(d time.Duration) int64 {
				n := int64(0)
				for _, f := range failures {
					if now.Sub(f) < d {
						n++
					}
				}
				return n
			}
			tripped := b.Record(now, Outcome{Status: status})
			if tripped && within(rule.Interval) < rule.Count {
				t.Fatalf("tripped at %v with failures at %v", now.Sub(start), failures)
			}
			if !tripped && status >= 500 && within(rule.Interval*9/10) >= rule.Count {
				t.Fatalf("not tripped at %v with failures at %v", now.Sub(start), failures)
			}
			if tripped {
				return
			}
		}
	})
}

// TestShares: over one round of the weights each member gets exactly its share.
func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 20), 1, 6).Draw(t, "weights")
		var members []Member
		total := 0
		for i, w := range weights {
			members = append(members, Member{ID: strconv.Itoa(i), Weight: w})
			total += w
		}
		p := NewPool(members)
		got := make([]int, len(weights))
		for range total {
			id, _, ok := p.Pick(time.Time{}, "")
			n, err := strconv.Atoi(id)
			if !ok || err != nil {
				t.Fatalf("picked %q", id)
			}
			got[n]++
		}
		if !slices.Equal(got, weights) {
			t.Fatalf("shares %v of weights %v", got, weights)
		}
	})
}

// TestConcurrent runs picks and records at once, for the race detector.
func TestConcurrent(t *testing.T) {
	b := NewBreaker([]Rule{{Count: 3, Interval: time.Second, Trip: time.Millisecond, Statuses: []Range{{500, 599}}}})
	p := NewPool([]Member{{ID: "a", Breaker: b}, {ID: "b"}})
	done := make(chan struct{})
	for g := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 1000 {
				now := time.Unix(0, int64(i)*int64(time.Millisecond))
				if _, _, ok := p.Pick(now, ""); !ok {
					t.Error("no member though b is never tripped")
				}
				b.Record(now, Outcome{Status: 200 + 100*(g%4)})
			}
		}()
	}
	for range 4 {
		<-done
	}
}

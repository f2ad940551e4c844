package workflow

import (
	"context"
	"math"
	"strings"
	"time"

	"tandem/internal/workflow/dotnet"
	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

// wait is a Delay or a Delay until.
type wait struct{}

func parseWait(p *parser, a *action, o *value.Object, _ int) spec {
	in := p.inputs(a, o, "interval", "until")
	at := property(a.path, "inputs")
	interval, until := p.object(at, in, "interval"), p.object(at, in, "until")
	if (interval == nil) == (until == nil) {
		p.add(at, `write {"interval": {"count": 10, "unit": "Second"}} or {"until": {"timestamp": …}}`, "a Wait has either an interval or an end")
	}
	if interval != nil {
		p.only(property(at, "interval"), interval, "count", "unit")
		for _, n := range []string{"count", "unit"} {
			p.needed(property(at, "interval"), interval, n, "give it")
		}
		if u := interval.String("unit"); u != "" && !strings.Contains(u, "@") && unit(u) == 0 && !strings.EqualFold(u, "Month") {
			p.add(property(property(at, "interval"), "unit"), "use Second, Minute, Hour, Day, Week or Month", "%q is no unit of time", u)
		}
	}
	if until != nil {
		p.only(property(at, "until"), until, "timestamp")
		p.needed(property(at, "until"), until, "timestamp", "give it")
	}
	a.inputs = p.field(a.path, o, "inputs", user{action: a})
	return wait{}
}

func unit(name string) time.Duration {
	switch strings.ToLower(name) {
	case "second":
		return time.Second
	case "minute":
		return time.Minute
	case "hour":
		return time.Hour
	case "day":
		return 24 * time.Hour
	case "week":
		return 7 * 24 * time.Hour
	}
	return 0
}

func (wait) instant() bool { return false }

func (wait) run(ctx context.Context, x *exec) outcome {
	end, bad := waitEnd(x)
	if bad != nil {
		return *bad
	}
	if err := x.r.clock.Sleep(ctx, end.Sub(x.r.clock.Now())); err != nil {
		return outcome{status: Cancelled, code: codeCancelled}
	}
	return ok(nil)
}

// waitEnd is when the waiting ends. It is journalled, so that a crash does not prolong it.
func waitEnd(x *exec) (time.Time, *outcome) {
	if p, started := x.rec.Progress.(*value.Object); started {
		if t, err := time.Parse(time.RFC3339Nano, p.String("until")); err == nil {
			return t, nil
		}
	}
	v, bad := x.inputs()
	if bad != nil {
		return time.Time{}, bad
	}
	in, _ := v.(*value.Object)
	var end time.Time
	if u := in.Object("until"); u != nil {
		stamp, _ := u.Get("timestamp")
		d, err := dotnet.Parse(value.Text(stamp))
		if err != nil {
			out := fail(codeTemplate, "The end that action '%s' waits for is no timestamp: %v", x.a.name, err)
			return end, &out
		}
		end = d.Time
	} else {
		i := in.Object("interval")
		count, _ := i.Get("count")
		n, err := expr.Apply("int", count)
		k, _ := n.(int64)
		u := unit(i.String("unit"))
		months := strings.EqualFold(i.String("unit"), "Month")
		if err != nil || k < 0 || u == 0 && !months || u > 0 && k > math.MaxInt64/4/int64(u) || months && k > 12 {
			out := fail(codeTemplate, "The interval of action '%s' is not valid; give a count and one of Second, Minute, Hour, Day, Week, Month.", x.a.name)
			return end, &out
		}
		if months {
			end = dotnet.UTC(x.rec.Start).AddMonths(int(k)).Time
		} else {
			end = x.rec.Start.Add(time.Duration(k) * u)
		}
	}
	x.rec.Progress = value.New("until", end.Format(time.RFC3339Nano))
	if err := x.checkpoint(); err != nil {
		return end, &outcome{}
	}
	return end, nil
}

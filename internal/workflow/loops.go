package workflow

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

// Limits and defaults of loops, those of Azure Logic Apps.
const (
	maxItems           = 100_000
	defaultRepetitions = 20
	defaultUntilCount  = 60
	defaultUntilTime   = time.Hour
)

// foreach runs its actions for each element of an array.
type foreach struct {
	over *expr.Node
	b    *block
}

func parseForeach(p *parser, a *action, o *value.Object, depth int) spec {
	s := &foreach{}
	if v, found := p.needed(a.path, o, "foreach", "give the array to go through"); found {
		s.over = p.compile(property(a.path, "foreach"), v, user{action: a})
	}
	s.b = p.inner(a, property(a.path, "actions"), p.object(a.path, o, "actions"), depth)
	return s
}

func (*foreach) instant() bool { return false }

func (s *foreach) run(ctx context.Context, x *exec) outcome {
	p, started := x.rec.Progress.(*value.Object)
	if !started {
		v, bad := x.eval(s.over)
		if bad != nil {
			return *bad
		}
		items, isArray := v.([]any)
		if !isArray {
			return fail("ExpressionEvaluationFailed", "The value that '%s' goes through is of type %s, not an array.", x.a.name, value.Type(v))
		}
		if len(items) > maxItems {
			return fail("ForeachItemsLimitExceeded", "The array has %d elements; %d is the most.", len(items), maxItems)
		}
		// The elements are journalled: after a crash the expression might give others.
		p = value.New("items", items)
		x.rec.Progress, x.rec.Count = p, len(items)
		if err := x.checkpoint(); err != nil {
			return outcome{}
		}
	}
	v, _ := p.Get("items")
	items, _ := v.([]any)
	return s.iterate(ctx, x, len(items))
}

// iterate runs the iterations, at most so many at a time.
func (s *foreach) iterate(ctx context.Context, x *exec, n int) outcome {
	width := defaultRepetitions
	if x.a.repetitions > 0 {
		width = x.a.repetitions
	}
	if x.a.option("Sequential") {
		width = 1
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	next, result := 0, ok(nil)
	for range min(width, n) {
		all.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= n || ctx.Err() != nil {
					return
				}
				out := x.r.block(ctx, s.b, append(slices.Clone(x.indexes), i))
				mu.Lock()
				if out.status != Succeeded && result.status != Failed {
					result = out
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return result
}

// until repeats its actions until a condition holds.
type until struct {
	condition *condition
	b         *block
}

func parseUntil(p *parser, a *action, o *value.Object, depth int) spec {
	s := &until{}
	s.b = p.inner(a, property(a.path, "actions"), p.object(a.path, o, "actions"), depth)
	if v, found := p.needed(a.path, o, "expression", "give the condition that ends the loop"); found {
		s.condition = p.condition(property(a.path, "expression"), v, user{action: a, inside: true})
	}
	if a.limit.count == 0 {
		a.limit.count = defaultUntilCount
	}
	if a.limit.timeout == 0 {
		a.limit.timeout = defaultUntilTime
	}
	return s
}

func (*until) instant() bool { return false }

func (s *until) run(ctx context.Context, x *exec) outcome {
	left := x.rec.Start.Add(x.a.limit.timeout).Sub(x.r.clock.Now())
	ctx, cancel := withTimeout(ctx, x.r.clock, left)
	defer cancel()
	result := ok(nil)
	// Iterations before the journalled one are over: their condition was tested with the variables of that time.
	first := 0
	if p, started := x.rec.Progress.(*value.Object); started {
		v, _ := p.Get("iteration")
		n, _ := v.(int64)
		first = int(n)
	}
	for i := first; ; i++ {
		if i >= x.a.limit.count {
			return s.limited(x, result, "count", i)
		}
		x.rec.Count = i + 1
		x.rec.Progress = value.New("iteration", int64(i))
		if err := x.checkpoint(); err != nil {
			return outcome{}
		}
		indexes := append(slices.Clone(x.indexes), i)
		result = x.r.block(ctx, s.b, indexes)
		if ctx.Err() != nil {
			if errors.Is(context.Cause(ctx), errTimeout) {
				return s.limited(x, result, "timeout", i+1)
			}
			return result
		}
		holds, err := s.condition.holds(x.r.env(&scope{a: x.a, indexes: indexes, current: x.rec.object()}))
		if err != nil {
			return fail(codeTemplate, "The condition of action '%s' cannot be evaluated: %v", x.a.name, err)
		}
		if holds {
			return result
		}
	}
}

// limited is how a loop ends at its limit: well, unless it is told to fail.
func (s *until) limited(x *exec, last outcome, which string, iterations int) outcome {
	if !x.a.option("FailWhenLimitsReached") {
		if last.status == Failed && which == "count" {
			return last
		}
		return ok(nil)
	}
	out := fail("UntilLimitsReached", "The loop '%s' reached its limit (%s) after %d iterations and its condition does not hold.", x.a.name, which, iterations)
	if which == "timeout" {
		out.status, out.code = TimedOut, codeTimedOut
	}
	return out
}

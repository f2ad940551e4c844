package policy

import (
	"context"
	"errors"
	"sync"

	"tandem/internal/policy/markup"
)

var policyWait = &Policy{
	Name: "wait", Category: "Control", Does: "runs its policies side by side and waits for all of them or for the first",
	Sections: []Section{Inbound, Outbound, Backend}, Body: Listed,
	Nested:  []string{"choose", "forward-request", "send-request", "cache-lookup-value", "cache-store-value", "authentication-managed-identity"},
	Attrs:   []Attribute{attr("for", "all", "any").def("all")},
	compile: compileWait,
}

// errFirstDone cancels the other branches of a wait for any.
var errFirstDone = errors.New("another policy of the wait is done")

func compileWait(c *compiler, n *markup.Node) runFunc {
	mode := c.text(n, "for", "all")
	steps := c.steps(n, c.path)
	return func(s *State) error {
		m, err := mode.get(s)
		if err != nil {
			return err
		}
		if err := s.holdBodies(); err != nil {
			return err
		}
		ctx, cancel := context.WithCancelCause(s.Ctx())
		defer cancel(nil)
		branches := make([]*State, len(steps))
		errs := make([]error, len(steps))
		first := -1
		var mu sync.Mutex
		var done sync.WaitGroup
		for i := range steps {
			b := s.fork(ctx)
			branches[i] = b
			done.Add(1)
			go func() {
				defer done.Done()
				err := b.run(b.section, steps[i:i+1])
				mu.Lock()
				defer mu.Unlock()
				if first < 0 {
					first = i
					if m == "any" {
						cancel(errFirstDone)
					}
				}
				errs[i] = err
			}()
		}
		done.Wait()
		for i, b := range branches {
			if m == "any" && i != first {
				continue
			}
			s.join(b)
			if errs[i] != nil {
				return errs[i]
			}
		}
		return nil
	}
}

// fork makes a state for a branch that runs beside others: it has its own variables and messages.
func (s *State) fork(ctx context.Context) *State {
	b := *s
	x := *s.Exchange
	x.Context = ctx
	x.Request.Header = x.Request.Header.Clone()
	x.Response.Header = x.Response.Header.Clone()
	b.Exchange = &x
	b.vars.list = append([]variable(nil), s.vars.list...)
	b.env = newEnv(&b)
	b.after = nil
	b.Tracer = nil
	return &b
}

// join takes over what a branch did.
func (s *State) join(b *State) {
	for _, v := range b.vars.list {
		if old, ok := s.vars.get(v.name); !ok || !same(old, v.value) {
			s.vars.set(v.name, v.value)
		}
	}
	if b.Forwarded && !s.Forwarded || b.Response.Status != s.Response.Status {
		s.Response, s.Forwarded = b.Response, b.Forwarded
		s.noResponse = false
	}
	s.after = append(s.after, b.after...)
}

// same compares boxed values; those that cannot be compared count as different.
func same(a, b any) (eq bool) {
	defer func() {
		if recover() != nil {
			eq = false
		}
	}()
	return a == b
}

// holdBodies reads both bodies into memory, so that branches can read them at the same time.
func (s *State) holdBodies() error {
	if _, err := s.Request.Body.Bytes(s.Host.maxBody()); err != nil {
		return bodyFailure(err)
	}
	return nil
}

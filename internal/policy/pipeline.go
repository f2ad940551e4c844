package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"tandem/internal/policy/markup"
)

// Unit is one compiled document.
type Unit struct {
	Scope    Scope
	sections map[Section]*part
	uses     []string // names of the policies in it
}

// part is one section of a document.
type part struct{ steps []step }

// sectionOrder is the order in which a request meets them.
var sectionOrder = []Section{Inbound, Backend, Outbound, OnError}

// Uses lists the policies that the document uses, each once, by name.
func (u *Unit) Uses() []string { return u.uses }

// CompileUnit compiles one document. The unit is nil when a problem is an error.
func CompileUnit(src Source, o Options) (*Unit, Problems) {
	c := newCompiler(o, src)
	u := c.document(src)
	if c.problems.Failed() {
		return nil, c.problems
	}
	return u, c.problems
}

func (c *compiler) document(src Source) *Unit {
	d, err := markup.Read(src.Text)
	if err != nil {
		c.unreadable(err)
		return nil
	}
	u := &Unit{Scope: src.Scope, sections: map[Section]*part{}}
	switch d.Root.Name {
	case "policies":
		c.sections(u, d.Root)
	case "fragment":
		c.open = append(c.open, src.Name)
		u.sections[""] = &part{steps: c.steps(d.Root, "")}
	default:
		if p := c.table[d.Root.Name]; p != nil && len(p.Sections) == 1 && p.Sections[0] == Resolver {
			c.section = Resolver
			u.sections[Resolver] = &part{steps: c.child(d.Root, d.Root.Name)}
			break
		}
		c.report(Error, d.Root.Pos, KindDocument, d.Root.Name, "a policy document begins with <policies> or <fragment>, not <%s>", d.Root.Name)
	}
	for _, name := range sortedNames(c.table) {
		if c.used[name] {
			u.uses = append(u.uses, name)
		}
	}
	return u
}

func (c *compiler) sections(u *Unit, root *markup.Node) {
	c.checkAttributes(root, "policies", nil)
	for _, n := range root.Elements() {
		name := Section(n.Name)
		switch name {
		case Inbound, Backend, Outbound, OnError:
		default:
			c.report(Error, n.Pos, KindElement, n.Name, "<policies> has the sections inbound, backend, outbound and on-error, not <%s>", n.Name)
			continue
		}
		if u.sections[name] != nil {
			c.report(Error, n.Pos, KindElement, n.Name, "the section %s is there twice", n.Name)
			continue
		}
		c.section = name
		p := &part{steps: c.steps(n, "")}
		bases := 0
		for _, st := range p.steps {
			if st.base {
				bases++
			}
		}
		if bases > 1 {
			c.report(Error, n.Pos, KindElement, "base", "<base /> is in the section %s %d times; once is allowed", name, bases)
		}
		u.sections[name] = p
	}
	c.section = ""
}

// Pipeline is the effective policy of an operation: what Azure shows as "calculate effective policy". It is immutable.
type Pipeline struct {
	inbound  []step
	backend  []step
	outbound []step
	onError  []step
	resume   int // where outbound goes on after a cache hit
	cors     int // how many cors policies stand directly in inbound
}

// Link computes the effective policy of units, outermost first; nil units are scopes without a document. A section that
// a document does not have is inherited. Below the outermost unit lies the service's default, which forwards the request.
func Link(units ...*Unit) *Pipeline {
	eff := map[Section][]step{Backend: {defaultForward()}}
	for _, u := range units {
		if u == nil {
			continue
		}
		for _, name := range sectionOrder {
			p := u.sections[name]
			if p == nil {
				continue
			}
			var steps []step
			for _, st := range p.steps {
				if st.base {
					steps = append(steps, eff[name]...)
				} else {
					steps = append(steps, st)
				}
			}
			eff[name] = steps
		}
	}
	p := &Pipeline{inbound: eff[Inbound], backend: eff[Backend], outbound: eff[Outbound], onError: eff[OnError]}
	for _, st := range p.inbound {
		if st.name == "cors" {
			p.cors++
		}
	}
	for i, st := range p.outbound {
		if st.store {
			p.resume = i + 1
		}
	}
	return p
}

// Compile compiles documents, outermost scope first, and links them. The error is Problems; warnings come with a pipeline.
func Compile(sources []Source, o Options) (*Pipeline, Problems, error) {
	var all Problems
	var units []*Unit
	for _, src := range sources {
		u, ps := CompileUnit(src, o)
		all = append(all, ps...)
		units = append(units, u)
	}
	if all.Failed() {
		return nil, all, fmt.Errorf("compile policies: %w", all)
	}
	return Link(units...), all, nil
}

// Run takes the request through inbound, backend and outbound, or on-error when something fails; then s.Response is the
// answer and s.LastError what went wrong, if anything. The error is the context's: the client is gone, nobody waits.
func (p *Pipeline) Run(ctx context.Context, s *State) error {
	p.begin(ctx, s)
	err := s.run(Inbound, p.inbound)
	if err == nil && !s.skipTo {
		s.noResponse = false
		err = s.run(Backend, p.backend)
	}
	if err == nil {
		s.noResponse = false
		if s.Response.Status == 0 {
			s.Response.Status = 200 // no policy forwarded the request: Azure answers with an empty 200
		}
		from := 0
		if s.skipTo {
			from = p.resume
		}
		err = s.run(Outbound, p.outbound[from:])
	}
	return p.finish(s, err)
}

// Fail answers a request that a step before the pipeline refused (no operation, no subscription): on-error runs.
func (p *Pipeline) Fail(ctx context.Context, s *State, e *LastError) error {
	p.begin(ctx, s)
	return p.finish(s, e)
}

func (p *Pipeline) begin(ctx context.Context, s *State) {
	s.Context = ctx
	s.noResponse = true
	s.cors = p.cors
	s.env = newEnv(s)
	if s.OriginalMethod == "" {
		s.OriginalMethod = s.Request.Method
	}
	if s.Original == (exchangeURL{}) {
		s.Original = s.Request.URL
	}
}

func (p *Pipeline) finish(s *State, err error) error {
	if err != nil && !errors.Is(err, errResponded) {
		p.onFailure(s, asLastError(err))
	}
	for _, f := range s.after {
		f(s)
	}
	s.after = nil
	return context.Cause(s.Ctx())
}

func (p *Pipeline) onFailure(s *State, e *LastError) {
	if e.Source == "" {
		e.Source = "pipeline"
	}
	s.LastError, s.hold = e, nil
	e.answer(s)
	err := s.run(OnError, p.onError)
	if err != nil && !errors.Is(err, errResponded) {
		last := asLastError(err)
		s.LastError = last
		last.answer(s)
	}
}

// run runs one section. A fault of ours in a policy must not take the gateway down: it fails this request alone.
func (s *State) run(name Section, steps []step) (err error) {
	s.section = name
	defer func() {
		if r := recover(); r != nil {
			err = &LastError{Source: "pipeline", Section: name, Status: 500, Message: "A policy met an internal fault.", Err: fmt.Errorf("%v\n%s", r, debug.Stack())}
		}
	}()
	return s.steps(steps)
}

// steps runs policies in order, and stops at the first that fails or answers.
func (s *State) steps(steps []step) error {
	for i := range steps {
		if s.Tracer != nil {
			if err := s.traced(&steps[i]); err != nil {
				return s.placed(&steps[i], err)
			}
			continue
		}
		if err := steps[i].run(s); err != nil {
			return s.placed(&steps[i], err)
		}
		if s.skipTo && s.section == Inbound {
			return nil
		}
	}
	return nil
}

// placed completes an error with the policy that it came from, the innermost one.
func (s *State) placed(st *step, err error) error {
	if err == errResponded {
		return err
	}
	e := asLastError(err)
	if e.Source == "" {
		e.Source, e.Path, e.PolicyID, e.Scope, e.Section = st.name, st.path, st.id, st.scope, s.section
	}
	return e
}

func (s *State) traced(st *step) error {
	before := len(s.vars.list)
	err := st.run(s)
	t := TraceStep{Section: s.section, Scope: st.scope, Policy: st.name, Path: st.path, Line: st.line}
	if err != nil && !errors.Is(err, errResponded) {
		t.Error = asLastError(err).Message
	}
	for _, v := range s.vars.list[min(before, len(s.vars.list)):] {
		if t.Set == nil {
			t.Set = map[string]any{}
		}
		t.Set[v.name] = traceValue(v.value)
	}
	s.Tracer.Step(t)
	return err
}

package workflow

import (
	"context"
	"strings"

	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

// initialize declares one variable.
type initialize struct {
	name, kind string
	value      *expr.Node
}

func variableTypes() []string {
	return []string{"string", "integer", "float", "boolean", "array", "object"}
}

func parseInitialize(p *parser, a *action, o *value.Object, depth int) spec {
	s := &initialize{}
	in := p.inputs(a, o, "variables")
	at := property(property(a.path, "inputs"), "variables")
	if depth > 1 {
		p.add(a.path, "move it to the top of the workflow", "a variable is initialized outside of loops, scopes and conditions")
	}
	v, _ := in.Get("variables")
	list, _ := v.([]any)
	if len(list) != 1 {
		p.add(at, `write [{"name": …, "type": …, "value": …}]`, "an InitializeVariable action declares exactly one variable")
		return s
	}
	d, isObject := list[0].(*value.Object)
	if !isObject {
		p.add(at+"[0]", `write {"name": …, "type": …, "value": …}`, "a variable is an object")
		return s
	}
	p.only(at+"[0]", d, "name", "type", "value")
	s.name = d.String("name")
	if s.name == "" || strings.Contains(s.name, "@{") {
		p.add(at+"[0].name", "give it a plain name", "the variable has no fixed name")
	}
	if p.declared(s.name) {
		p.add(at+"[0].name", "rename one of them", "the variable %q is declared twice", s.name)
	}
	for _, t := range variableTypes() {
		if strings.EqualFold(t, d.String("type")) {
			s.kind = t
		}
	}
	if s.kind == "" {
		p.add(at+"[0].type", "use "+strings.Join(variableTypes(), ", "), "%q is no type of a variable", d.String("type"))
	}
	p.def.variables[s.name] = s.kind
	if len(p.def.variables) > MaxVariables {
		p.add(at, "remove some", "there are more than %d variables", MaxVariables)
	}
	s.value = p.field(at+"[0]", d, "value", user{action: a})
	if c, known := s.value.Constant(); known && c != nil && s.kind != "" {
		if _, fits := fit(s.kind, c); !fits {
			p.add(at+"[0].value", "correct the value or the type", "a value of type %s does not fit a variable of type %s", value.Type(c), s.kind)
		}
	}
	return s
}

// fit turns a value into one of a variable's type, where it is one.
func fit(kind string, v any) (any, bool) {
	if v == nil {
		return nil, true
	}
	t := value.Type(v)
	switch kind {
	case "string":
		if t == "String" {
			return v, true
		}
		if t == "Object" || t == "Array" {
			return nil, false
		}
		return value.Text(v), true
	case "integer":
		if f, isFloat := v.(float64); isFloat && f == float64(int64(f)) {
			return int64(f), true
		}
		if s, isText := v.(string); isText {
			n, whole := value.Number(s).(int64)
			return n, whole
		}
		return v, t == "Integer"
	case "float":
		if s, isText := v.(string); isText {
			_, number := value.Float(value.Number(s))
			return value.Number(s), number
		}
		return v, t == "Float" || t == "Integer"
	case "boolean":
		if s, isText := v.(string); isText {
			return strings.EqualFold(s, "true"), strings.EqualFold(s, "true") || strings.EqualFold(s, "false")
		}
		return v, t == "Boolean"
	case "array":
		return v, t == "Array"
	default:
		return v, t == "Object"
	}
}

func (*initialize) instant() bool { return true }

func (s *initialize) run(_ context.Context, x *exec) outcome {
	v, bad := x.eval(s.value)
	if bad != nil {
		return *bad
	}
	x.rec.Inputs = value.New("variables", []any{value.New("name", s.name, "type", s.kind, "value", v)})
	fitted, fits := fit(s.kind, v)
	if !fits {
		return fail(codeBadRequest, "The variable '%s' is of type %s, its value of type %s.", s.name, s.kind, value.Type(v))
	}
	x.rec.Variable, x.rec.Value = s.name, fitted
	return ok(nil)
}

// change is SetVariable, IncrementVariable, DecrementVariable, AppendToStringVariable and AppendToArrayVariable.
type change struct {
	kind, name string
	value      *expr.Node
}

func parseVariable(kind string) func(p *parser, a *action, o *value.Object, depth int) spec {
	return func(p *parser, a *action, o *value.Object, _ int) spec {
		in := p.inputs(a, o, "name", "value")
		s := &change{kind: kind, name: in.String("name")}
		at := property(a.path, "inputs")
		if kind == "IncrementVariable" || kind == "DecrementVariable" {
			p.require(a, in, "name")
		} else {
			p.require(a, in, "name", "value")
		}
		s.value = p.field(at, in, "value", user{action: a})
		p.checks = append(p.checks, func() {
			t, declared := "", false
			for name, kind := range p.def.variables {
				if strings.EqualFold(name, s.name) {
					s.name, t, declared = name, kind, true
				}
			}
			if !declared {
				p.add(property(at, "name"), "declare it with an InitializeVariable action", "the variable %q is not declared", s.name)
				return
			}
			want := map[string]string{"IncrementVariable": "integer float", "DecrementVariable": "integer float", "AppendToStringVariable": "string", "AppendToArrayVariable": "array"}[kind]
			if want != "" && !strings.Contains(want, t) {
				p.add(property(at, "name"), "use a variable of type "+strings.ReplaceAll(want, " ", " or "), "the variable %q is of type %s", s.name, t)
			}
			if c, known := s.value.Constant(); known && c != nil && kind == "SetVariable" {
				if _, fits := fit(t, c); !fits {
					p.add(property(at, "value"), "correct the value", "a value of type %s does not fit the variable %q of type %s", value.Type(c), s.name, t)
				}
			}
		})
		return s
	}
}

func (*change) instant() bool { return true }

func (s *change) run(_ context.Context, x *exec) outcome {
	v, bad := x.eval(s.value)
	if bad != nil {
		return *bad
	}
	if s.value == nil {
		v = int64(1)
	}
	x.rec.Inputs = value.New("name", s.name, "value", v)
	// Reading, changing and journalling the variable are one step: parallel branches lose no change.
	x.r.write.Lock()
	defer x.r.write.Unlock()
	x.r.mu.Lock()
	before, initialized := x.r.variables[s.name]
	x.r.mu.Unlock()
	if !initialized {
		return fail(codeBadRequest, "The variable '%s' has not been initialized yet.", s.name)
	}
	kind := x.r.def.variables[s.name]
	after, fits := v, true
	switch s.kind {
	case "SetVariable":
		after, fits = fit(kind, v)
	case "AppendToStringVariable":
		after = value.Text(before) + expr.ContentText(v)
	case "AppendToArrayVariable":
		list, _ := before.([]any)
		after = append(append([]any{}, list...), v)
	default:
		f := "add"
		if s.kind == "DecrementVariable" {
			f = "sub"
		}
		if before == nil {
			before = int64(0)
		}
		sum, err := expr.Apply(f, before, v)
		if err != nil {
			return fail(codeBadRequest, "The variable '%s' cannot be changed: %v", s.name, err)
		}
		after, fits = fit(kind, sum)
	}
	if !fits {
		return fail(codeBadRequest, "The variable '%s' is of type %s, the value of type %s.", s.name, kind, value.Type(v))
	}
	x.rec.Variable, x.rec.Value = s.name, after
	// The entry is journalled while the lock is held, so that the order of entries is that of the changes.
	out := ok(value.New("name", s.name, "value", after))
	x.end(out)
	rec := x.rec
	if err := x.r.save(&rec); err != nil {
		return outcome{}
	}
	x.saved = true
	return out
}

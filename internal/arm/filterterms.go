package arm

import "time"

// Fields are the fields that the filter asks for, as written.
func (f *Filter) Fields() []string {
	var out []string
	walk(f.root, func(x expr) {
		switch x := x.(type) {
		case field:
			out = append(out, x.path)
		case anyExpr:
			out = append(out, x.list)
		}
	})
	return out
}

func walk(x expr, visit func(expr)) {
	visit(x)
	switch x := x.(type) {
	case logic:
		walk(x.left, visit)
		walk(x.right, visit)
	case negation:
		walk(x.of, visit)
	case comparison:
		walk(x.left, visit)
		walk(x.right, visit)
	case callExpr:
		for _, a := range x.args {
			walk(a, visit)
		}
	case anyExpr:
		if x.of != nil {
			// The variable is not a field of the item.
			walk(x.of, func(y expr) {
				if f, ok := y.(field); !ok || !ofVariable(f.path, x.variable) {
					visit(y)
				}
			})
		}
	}
}

// Term is one part of a filter whose parts are joined by and.
type Term struct{ of expr }

// Conjuncts parts the filter at its outermost ands.
func (f *Filter) Conjuncts() []Term {
	var out []Term
	var split func(expr)
	split = func(x expr) {
		if l, ok := x.(logic); ok && l.op == "and" {
			split(l.left)
			split(l.right)
			return
		}
		out = append(out, Term{x})
	}
	split(f.root)
	return out
}

// Call gives a term that is a call with constant arguments.
func (t Term) Call() (name string, args []any, ok bool) {
	c, ok := t.of.(callExpr)
	if !ok {
		return "", nil, false
	}
	for _, a := range c.args {
		l, constant := a.(literal)
		if !constant {
			return "", nil, false
		}
		args = append(args, l.value)
	}
	return c.name, args, true
}

// Equality gives a term of the form field eq constant, either way round.
func (t Term) Equality() (name string, value any, ok bool) {
	c, ok := t.of.(comparison)
	if !ok || c.op != "eq" {
		return "", nil, false
	}
	l, r := c.left, c.right
	if _, swapped := l.(literal); swapped {
		l, r = r, l
	}
	f, isField := l.(field)
	v, isValue := r.(literal)
	return f.path, v.value, isField && isValue
}

// Comparison gives a term that compares a field with a constant, with the field on the left: eq, ne, gt, ge, lt or le.
func (t Term) Comparison() (name, op string, value any, ok bool) {
	c, ok := t.of.(comparison)
	if !ok {
		return "", "", nil, false
	}
	l, r, op := c.left, c.right, c.op
	if _, swapped := l.(literal); swapped {
		l, r = r, l
		if turned := map[string]string{"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}[op]; turned != "" {
			op = turned
		}
	}
	f, isField := l.(field)
	v, isValue := r.(literal)
	return f.path, op, v.value, isField && isValue
}

// Time reads a constant of a filter as a time; text counts where it is one.
func Time(value any) (time.Time, bool) {
	switch v := value.(type) {
	case time.Time:
		return v, true
	case string:
		return parseTime(v)
	}
	return time.Time{}, false
}

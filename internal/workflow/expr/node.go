package expr

import (
	"strings"

	"tandem/internal/workflow/value"
)

// Node is a compiled JSON value: its strings, and the names of its properties, may be templates.
type Node struct {
	constant  any
	isConst   bool
	template  *Template
	items     []*Node
	names     []*Template
	values    []*Node
	isArray   bool
	templates []*Template
}

// Problem is an error at a place below the compiled value.
type Problem struct {
	Path string // as in "headers['content-type']", relative to the value
	Err  error
}

// CompileValue compiles all strings of a value.
func CompileValue(v any) (*Node, []Problem) {
	var problems []Problem
	n := compileValue(v, "", &problems)
	return n, problems
}

func compileValue(v any, path string, problems *[]Problem) *Node {
	n := &Node{}
	take := func(t *Template) { n.templates = append(n.templates, t) }
	compile := func(s, at string) *Template {
		t, err := Compile(s)
		if err != nil {
			*problems = append(*problems, Problem{Path: at, Err: err})
			return &Template{text: s}
		}
		take(t)
		return t
	}
	child := func(v any, at string) *Node {
		c := compileValue(v, at, problems)
		n.templates = append(n.templates, c.templates...)
		return c
	}
	switch v := v.(type) {
	case string:
		t := compile(v, path)
		n.template = t
		if t.Constant() {
			n.isConst = true
			n.constant, _ = t.Eval(&Env{}) // text alone cannot fail
		}
	case []any:
		n.isArray, n.isConst = true, true
		for i, e := range v {
			c := child(e, ElementPath(path, i))
			n.items = append(n.items, c)
			n.isConst = n.isConst && c.isConst
		}
	case *value.Object:
		n.isConst = true
		v.Walk(func(name string, e any) {
			at := PropertyPath(path, name)
			t, c := compile(name, at), child(e, at)
			n.names, n.values = append(n.names, t), append(n.values, c)
			n.isConst = n.isConst && t.Constant() && c.isConst
		})
	default:
		n.isConst, n.constant = true, v
	}
	if n.isConst && n.template == nil && (n.isArray || n.names != nil) {
		n.constant, _ = n.build(&Env{}) // nothing in it is an expression
	} else if n.isConst && n.template == nil && v != nil && n.constant == nil {
		n.constant = value.New()
	}
	return n
}

// Constant gives the value where it holds no expression.
func (n *Node) Constant() (any, bool) {
	if n == nil {
		return nil, true
	}
	return n.constant, n.isConst
}

// Templates are all compiled strings in the value.
func (n *Node) Templates() []*Template {
	if n == nil {
		return nil
	}
	return n.templates
}

// Eval evaluates all expressions in the value. A nil Node is null.
func (n *Node) Eval(env *Env) (any, error) {
	if n == nil {
		return nil, nil
	}
	if n.isConst {
		return n.constant, nil
	}
	return n.build(env)
}

func (n *Node) build(env *Env) (any, error) {
	switch {
	case n.template != nil:
		return n.template.Eval(env)
	case n.isArray:
		out := make([]any, len(n.items))
		for i, c := range n.items {
			v, err := c.Eval(env)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	}
	out := value.New()
	for i, t := range n.names {
		name, err := t.Eval(env)
		if err != nil {
			return nil, err
		}
		v, err := n.values[i].Eval(env)
		if err != nil {
			return nil, err
		}
		out.Set(value.Text(name), v)
	}
	return out, nil
}

// PropertyPath is the JSON path of a property below path.
func PropertyPath(path, name string) string {
	plain := name != ""
	for i := range len(name) {
		if !letter(name[i]) && (i == 0 || !digit(name[i])) && name[i] != '$' && name[i] != '-' {
			plain = false
		}
	}
	if !plain {
		return path + "['" + strings.ReplaceAll(name, "'", `\'`) + "']"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// ElementPath is the JSON path of an element below path.
func ElementPath(path string, i int) string {
	return path + "[" + value.Text(int64(i)) + "]"
}

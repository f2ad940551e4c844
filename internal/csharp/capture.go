package csharp

// captures collects the names that lambdas and local functions use from the functions around them. A variable of such
// a name lives in a cell of its own, because it may outlive its frame.
func captures(x *expr, s *stmt) map[string]bool {
	w := &capture{names: map[string]bool{}}
	w.expr(x)
	w.stmt(s)
	return w.names
}

type capture struct {
	names map[string]bool
	inner []map[string]bool // names declared by the functions around, outermost first
}

func (w *capture) function(params []param, x *expr, s *stmt) {
	own := map[string]bool{}
	for _, p := range params {
		own[p.name] = true
	}
	w.inner = append(w.inner, own)
	w.expr(x)
	w.stmt(s)
	w.inner = w.inner[:len(w.inner)-1]
}

func (w *capture) declare(name string) {
	if n := len(w.inner); n > 0 {
		w.inner[n-1][name] = true
	}
}

func (w *capture) use(name string) {
	n := len(w.inner)
	if n == 0 || w.inner[n-1][name] {
		return
	}
	w.names[name] = true
}

func (w *capture) args(as []arg) {
	for _, a := range as {
		w.expr(a.x)
		w.declare(a.decl)
	}
}

func (w *capture) init(in *initializer) {
	if in == nil {
		return
	}
	for _, it := range in.items {
		w.args(it.index)
		w.expr(it.value)
		for _, x := range it.list {
			w.expr(x)
		}
		w.init(it.init)
	}
}

func (w *capture) expr(x *expr) {
	if x == nil {
		return
	}
	switch x.kind {
	case xName:
		w.use(x.name)
	case xLambda:
		w.function(x.params, x.x, x.body)
		return
	case xIs:
		w.declare(x.name)
	}
	w.expr(x.x)
	w.expr(x.y)
	w.expr(x.z)
	w.args(x.args)
	w.init(x.init)
	for _, p := range x.parts {
		w.expr(p.x)
	}
}

func (w *capture) stmt(s *stmt) {
	if s == nil {
		return
	}
	if s.kind == sFunc {
		w.declare(s.name)
		w.function(s.params, s.x, s.body)
		return
	}
	if s.kind == sForeach {
		w.declare(s.name)
	}
	for _, d := range s.decls {
		w.declare(d.name)
		w.expr(d.x)
		w.init(d.init)
	}
	w.expr(s.x)
	for _, t := range s.list {
		w.stmt(t)
	}
	w.stmt(s.body)
	w.stmt(s.other)
	for _, x := range s.post {
		w.expr(x)
	}
	for _, c := range s.cases {
		for _, l := range c.labels {
			w.declare(l.name)
			w.expr(l.value)
			w.expr(l.when)
		}
		for _, t := range c.body {
			w.stmt(t)
		}
	}
	for _, c := range s.catches {
		w.declare(c.name)
		w.expr(c.when)
		w.stmt(c.body)
	}
	w.stmt(s.finally)
}

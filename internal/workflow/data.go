package workflow

import (
	"context"
	"html"
	"strings"

	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

// each is Select, Query and Table: an array, and something to evaluate for each of its elements.
type each struct {
	from    *expr.Node
	node    *expr.Node // select, where
	columns []column
	html    bool
	finish  func(s *each, x *exec, items []any) outcome
}

type column struct{ header, value *expr.Node }

func (*each) instant() bool { return true }

func (s *each) run(_ context.Context, x *exec) outcome {
	v, bad := x.eval(s.from)
	if bad != nil {
		return *bad
	}
	items, isArray := v.([]any)
	if !isArray {
		return fail(codeBadRequest, "The 'from' property value in the '%s' action inputs is of type '%s'. The value must be an array.", x.a.name, value.Type(v))
	}
	x.rec.Inputs = value.New("from", items)
	return s.finish(s, x, items)
}

// of evaluates a node with an element as item().
func (x *exec) of(n *expr.Node, element any) (any, *outcome) {
	in := x.scope
	in.element, in.hasElem = element, true
	v, err := n.Eval(x.r.env(&in))
	if err != nil {
		out := fail(codeTemplate, "Unable to process template language expressions in action '%s': %v", x.a.name, err)
		return nil, &out
	}
	return v, nil
}

func parseSelect(p *parser, a *action, o *value.Object, _ int) spec {
	in := p.inputs(a, o, "from", "select")
	p.require(a, in, "from", "select")
	at := property(a.path, "inputs")
	s := &each{from: p.field(at, in, "from", user{action: a}), node: p.field(at, in, "select", user{action: a, element: true})}
	s.finish = func(s *each, x *exec, items []any) outcome {
		out := []any{}
		for _, e := range items {
			v, bad := x.of(s.node, e)
			if bad != nil {
				return *bad
			}
			out = append(out, v)
		}
		return ok(value.New("body", out))
	}
	return s
}

func parseQuery(p *parser, a *action, o *value.Object, _ int) spec {
	in := p.inputs(a, o, "from", "where")
	p.require(a, in, "from", "where")
	at := property(a.path, "inputs")
	s := &each{from: p.field(at, in, "from", user{action: a}), node: p.field(at, in, "where", user{action: a, element: true})}
	s.finish = func(s *each, x *exec, items []any) outcome {
		out := []any{}
		for _, e := range items {
			v, bad := x.of(s.node, e)
			if bad != nil {
				return *bad
			}
			holds, isBool := v.(bool)
			if !isBool {
				return fail(codeTemplate, "The 'where' expression of action '%s' gives a value of type %s, not a Boolean.", x.a.name, value.Type(v))
			}
			if holds {
				out = append(out, e)
			}
		}
		return ok(value.New("body", out))
	}
	return s
}

func parseTable(p *parser, a *action, o *value.Object, _ int) spec {
	in := p.inputs(a, o, "from", "format", "columns")
	p.require(a, in, "from", "format")
	at := property(a.path, "inputs")
	s := &each{from: p.field(at, in, "from", user{action: a}), finish: writeTable}
	switch strings.ToUpper(in.String("format")) {
	case "HTML":
		s.html = true
	case "CSV":
	default:
		p.add(property(at, "format"), "use CSV or HTML", "%q is no format of a table", in.String("format"))
	}
	v, _ := in.Get("columns")
	list, _ := v.([]any)
	for i, e := range list {
		at := expr.ElementPath(property(at, "columns"), i)
		c, isObject := e.(*value.Object)
		if !isObject {
			p.add(at, `write {"header": …, "value": …}`, "a column is an object")
			continue
		}
		p.only(at, c, "header", "value")
		s.columns = append(s.columns, column{p.field(at, c, "header", user{action: a}), p.field(at, c, "value", user{action: a, element: true})})
	}
	return s
}

// cells makes the rows of a table, the headers first.
func (s *each) cells(x *exec, items []any) ([][]string, *outcome) {
	var headers []string
	if s.columns == nil {
		for _, e := range items {
			if o, isObject := e.(*value.Object); isObject && headers == nil {
				headers = o.Keys()
			}
		}
	}
	for _, c := range s.columns {
		v, bad := x.eval(c.header)
		if bad != nil {
			return nil, bad
		}
		headers = append(headers, value.Text(v))
	}
	rows := [][]string{headers}
	for _, e := range items {
		var row []string
		if s.columns == nil {
			o, isObject := e.(*value.Object)
			if !isObject {
				out := fail(codeBadRequest, "The elements of a table without columns must be objects, not of type %s.", value.Type(e))
				return nil, &out
			}
			for _, h := range headers {
				v, _ := o.Get(h)
				row = append(row, expr.ContentText(v))
			}
		}
		for _, c := range s.columns {
			v, bad := x.of(c.value, e)
			if bad != nil {
				return nil, bad
			}
			row = append(row, expr.ContentText(v))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func writeTable(s *each, x *exec, items []any) outcome {
	rows, bad := s.cells(x, items)
	if bad != nil {
		return *bad
	}
	var b strings.Builder
	if s.html {
		b.WriteString("<table><thead>")
	}
	for i, row := range rows {
		if s.html {
			cell := "td"
			if i == 0 {
				cell = "th"
			}
			b.WriteString("<tr>")
			for _, c := range row {
				b.WriteString("<" + cell + ">" + html.EscapeString(c) + "</" + cell + ">")
			}
			b.WriteString("</tr>")
			if i == 0 {
				b.WriteString("</thead><tbody>")
			}
			continue
		}
		for j, c := range row {
			if j > 0 {
				b.WriteByte(',')
			}
			if strings.ContainsAny(c, ",\"\r\n") { // RFC 4180
				c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
			}
			b.WriteString(c)
		}
		b.WriteString("\r\n")
	}
	if s.html {
		b.WriteString("</tbody></table>")
	}
	return ok(value.New("body", b.String()))
}

// join makes a string of an array.
type join struct{}

func parseJoin(p *parser, a *action, o *value.Object, _ int) spec {
	in := p.inputs(a, o, "from", "joinWith")
	p.require(a, in, "from", "joinWith")
	a.inputs = p.field(a.path, o, "inputs", user{action: a})
	return join{}
}

func (join) instant() bool { return true }

func (join) run(_ context.Context, x *exec) outcome {
	v, bad := x.inputs()
	if bad != nil {
		return *bad
	}
	in := v.(*value.Object)
	from, _ := in.Get("from")
	with, _ := in.Get("joinWith")
	text, err := expr.Apply("join", from, with)
	if err != nil {
		return fail(codeBadRequest, "The array of action '%s' cannot be joined: %v", x.a.name, err)
	}
	return ok(value.New("body", text))
}

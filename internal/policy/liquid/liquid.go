// Package liquid renders the Liquid templates of set-body: DotLiquid in its "C# mode", with filters in Pascal case, .NET
// patterns in Replace, .NET formats in Date, and Azure's own tag JSONArrayFor. Names of properties compare without regard
// to case, as DotLiquid's naming convention makes them.
package liquid

import (
	"fmt"
	"strings"
	"time"

	"github.com/osteele/liquid"
	"github.com/osteele/liquid/render"
	"github.com/osteele/liquid/values"
)

// Options are what templates need from outside.
type Options struct {
	// FormatDate writes a time by a .NET format.
	FormatDate func(t time.Time, format string) (string, error)
	// Pattern limits the time of a .NET pattern; 0: one second.
	Pattern time.Duration
}

// Engine parses templates.
type Engine struct{ e *liquid.Engine }

// Template is a parsed template. It is immutable.
type Template struct{ t *liquid.Template }

// New makes an engine.
func New(o Options) *Engine {
	e := liquid.NewEngine()
	addFilters(e, o)
	e.RegisterBlock("JSONArrayFor", jsonArrayFor)
	return &Engine{e}
}

// Parse parses a template; the error says at which line what is wrong.
func (e *Engine) Parse(src string) (t *Template, err error) {
	defer recovered(&err)
	p, serr := e.e.ParseString(endTags.Replace(src))
	if serr != nil {
		return nil, fmt.Errorf("parse the Liquid template: %w", serr)
	}
	return &Template{p}, nil
}

// endTags gives DotLiquid's spelling of the closing tag the library's.
var endTags = strings.NewReplacer("endJSONArrayFor", "endJSONArrayFor", "EndJSONArrayFor", "endJSONArrayFor")

// Render renders the template over its bindings.
func (t *Template) Render(bindings map[string]any) (out []byte, err error) {
	defer recovered(&err)
	out, serr := t.t.Render(bindings)
	if serr != nil {
		return nil, fmt.Errorf("render the Liquid template: %w", serr)
	}
	return out, nil
}

// recovered turns the library's panics on odd values into errors.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("render the Liquid template: %v", r)
	}
}

// jsonArrayFor is "{% JSONArrayFor item in list %}": the block once for each element, with commas between. What is no
// list is a list of one, since an XML element that may repeat often stands alone; nothing is an empty list.
func jsonArrayFor(ctx render.Context) (string, error) {
	name, expr, ok := strings.Cut(strings.TrimSpace(ctx.TagArgs()), " in ")
	if !ok {
		return "", ctx.Errorf("write JSONArrayFor item in list")
	}
	name = strings.TrimSpace(name)
	v, err := ctx.EvaluateString(strings.TrimSpace(expr))
	if err != nil {
		return "", err
	}
	items := list(v)
	outer := ctx.Get(name)
	defer ctx.Set(name, outer)
	parts := make([]string, 0, len(items))
	for _, item := range items {
		ctx.Set(name, item)
		s, err := ctx.InnerString()
		if err != nil {
			return "", err
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, ","), nil
}

func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	case string:
		if strings.TrimSpace(v) == "" {
			return nil
		}
	}
	return []any{v}
}

// Object is a JSON object or an XML element with children: its keys are in lower case.
type Object map[string]any

// NewObject makes an Object of keys in any case.
func NewObject(m map[string]any) Object {
	o := make(Object, len(m))
	for k, v := range m {
		o[strings.ToLower(k)] = v
	}
	return o
}

// String is what {{object}} writes: nothing of use, as in DotLiquid.
func (o Object) String() string { return "" }

// Interface implements values.Value.
func (o Object) Interface() any { return o }

// Int implements values.Value.
func (o Object) Int() int { return 0 }

// Equal implements values.Value; an object equals nothing else.
func (o Object) Equal(values.Value) bool { return false }

// Less implements values.Value.
func (o Object) Less(values.Value) bool { return false }

// Test implements values.Value: an object is true.
func (o Object) Test() bool { return true }

// Contains tells whether the object has a key.
func (o Object) Contains(v values.Value) bool {
	_, ok := o[strings.ToLower(fmt.Sprint(v.Interface()))]
	return ok
}

// IndexValue gives object["key"].
func (o Object) IndexValue(v values.Value) values.Value { return o.PropertyValue(v) }

// PropertyValue gives object.key.
func (o Object) PropertyValue(v values.Value) values.Value {
	key := strings.ToLower(fmt.Sprint(v.Interface()))
	if x, ok := o[key]; ok {
		return values.ValueOf(x)
	}
	if key == "size" {
		return values.ValueOf(len(o))
	}
	return values.ValueOf(nil)
}

// Date is a time in a JSON body: written as .NET writes a DateTime.
type Date struct {
	time.Time
	text string // as it was in the body
}

// String writes the date with the invariant culture's general format.
func (d Date) String() string { return d.Format("01/02/2006 15:04:05") }

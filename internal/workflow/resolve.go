package workflow

import (
	"context"
	"net/url"
	"strings"
	"time"

	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

// call is one Http action as far as it can be known without running the workflow. Unknown texts hold unknownText.
type call struct {
	action       *action
	method, host string
	path         []string
	query        url.Values
	body         *value.Object
	fixed        *value.Object // of the body: the properties that are the same in every run
}

const unknownText = "{unknown}"

// fixedClock shows one time.
type fixedClock struct{ now time.Time }

func (c fixedClock) Now() time.Time                                   { return c.now }
func (c fixedClock) After(time.Duration) <-chan time.Time             { return nil }
func (c fixedClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// known evaluates the actions that have no effect, at some time, and then everything else as far as it goes.
func known(def *Definition, params map[string]any, now time.Time, id string) func(v any, a *action) any {
	j := &memoryJournal{records: map[string]*Record{}}
	r := &runner{def: def, parameters: params, info: infoOf(workflowDoc{}, id), trigger: value.New(), journal: j, clock: fixedClock{now},
		guid: func() string { return id }, rand: func(n int64) int64 { return now.Unix() % n }}
	r.load(nil)
	r.parent = context.Background()
	_, r.cancel = context.WithCancelCause(r.parent)
	for range def.top.actions { // in whatever order they stand, each finds what it needs after so many rounds
		for _, a := range def.top.actions {
			if rec := r.record(a, nil); rec != nil && rec.Status == Succeeded {
				continue
			}
			switch a.kind {
			case "Compose", "ParseJson", "InitializeVariable":
				x := &exec{r: r, a: a, scope: scope{a: a}, rec: Record{Action: a.name}}
				x.finish(r.parent, a.spec.run(r.parent, x))
			}
		}
	}
	r.cancel(nil)
	var eval func(v any, a *action) any
	eval = func(v any, a *action) any {
		switch v := v.(type) {
		case string:
			t, err := expr.Compile(v)
			if err != nil {
				return unknownText
			}
			out, err := t.Eval(r.env(&scope{a: a}))
			if err != nil {
				return unknownText
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i := range v {
				out[i] = eval(v[i], a)
			}
			return out
		case *value.Object:
			out := value.New()
			v.Walk(func(k string, e any) { out.Set(k, eval(e, a)) })
			return out
		}
		return v
	}
	return eval
}

// calls finds what the Http actions of a definition ask for.
func calls(def *Definition, params map[string]any) []call {
	first := known(def, params, time.Unix(1_700_000_000, 0), "00000000-0000-0000-0000-000000000001")
	second := known(def, params, time.Unix(1_800_054_321, 0), "00000000-0000-0000-0000-000000000002")
	var out []call
	for _, name := range def.names {
		a := def.actions[name]
		in := a.source.Object("inputs")
		if a.kind != "Http" || in == nil {
			continue
		}
		one, _ := first(in, a).(*value.Object)
		two, _ := second(in, a).(*value.Object)
		c := call{action: a, method: strings.ToUpper(one.String("method")), body: one.Object("body"), fixed: value.New()}
		if u, err := url.Parse(one.String("uri")); err == nil {
			c.host, c.query = strings.ToLower(u.Host), u.Query()
			c.path = strings.Split(strings.Trim(u.Path, "/"), "/")
		}
		c.body.Walk(func(k string, v any) {
			w, _ := two.Object("body").Get(k)
			if s, isText := v.(string); isText && value.Equal(v, w) && !strings.Contains(s, unknownText) {
				c.fixed.Set(k, v)
			}
		})
		out = append(out, c)
	}
	return out
}

// operation tells what a call does to an API Management service: "backup", "restore" or "".
func (c call) operation() string {
	if c.method != "POST" || len(c.path) < 9 || !strings.EqualFold(c.path[6], "service") {
		return ""
	}
	if op := strings.ToLower(c.path[8]); len(c.path) == 9 && (op == "backup" || op == "restore") {
		return op
	}
	return ""
}

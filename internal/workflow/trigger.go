package workflow

import (
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/recurrence"
	"tandem/internal/workflow/value"
)

// Trigger starts runs.
type Trigger struct {
	Name       string
	Kind       string // "Recurrence" or "Request"
	Recurrence *recurrence.Recurrence
	Source     *value.Object // the recurrence as written
	Method     string        // of a Request trigger; empty: any
	Path       string        // its relative path; empty: none

	schema     *jsonschema.Schema
	schemaText any
	conditions []*expr.Template
	secureIn   bool
	secureOut  bool
	runs       int // how many runs may be under way; 0: any number
	waiting    int // how many more may wait for their turn
	single     bool
}

func (p *parser) trigger(path, name string, v any) {
	o, ok := v.(*value.Object)
	if !ok {
		p.add(path, `write {"type": "Recurrence", "recurrence": …}`, "a trigger is an object")
		return
	}
	t := &Trigger{Name: name}
	common := []string{"type", "description", "metadata", "conditions", "runtimeConfiguration", "operationOptions", "correlation"}
	switch kind := strings.ToLower(o.String("type")); kind {
	case "recurrence":
		t.Kind = "Recurrence"
		p.only(path, o, append(common, "recurrence", "evaluatedRecurrence", "inputs")...)
		t.Source = o.Object("recurrence")
		given, _ := o.Get("recurrence")
		r, problems := recurrence.Read(given)
		for _, problem := range problems {
			at := property(path, "recurrence")
			if problem.Path != "" {
				at += "." + problem.Path
			}
			p.add(at, problem.Remedy, "%s", problem.Message)
		}
		t.Recurrence = r
	case "request", "manual":
		t.Kind = "Request"
		p.only(path, o, append(common, "kind", "inputs")...)
		p.requestTrigger(path, t, o)
	default:
		p.add(property(path, "type"), "use Recurrence or Request", "the trigger type %q is not supported", o.String("type"))
		return
	}
	p.def.Triggers = append(p.def.Triggers, t)
	p.triggerRuns(path, t, o)
	conditions, _ := o.Get("conditions")
	list, _ := conditions.([]any)
	for i, c := range list {
		at := fmt.Sprintf("%s[%d]", property(path, "conditions"), i)
		in, _ := c.(*value.Object)
		p.compile(property(at, "expression"), in.String("expression"), user{trigger: true})
		tmpl, err := expr.Compile(in.String("expression"))
		if err == nil && tmpl.Constant() {
			p.add(at, `write {"expression": "@equals(…)"}`, "a condition needs an expression")
		}
		if err == nil {
			t.conditions = append(t.conditions, tmpl)
		}
	}
}

func (p *parser) requestTrigger(path string, t *Trigger, o *value.Object) {
	if kind := o.String("kind"); kind != "" && !strings.EqualFold(kind, "Http") && !strings.EqualFold(kind, "Button") {
		p.add(property(path, "kind"), `use "Http"`, "a Request trigger of kind %q is not supported", kind)
	}
	in := p.object(path, o, "inputs")
	if in == nil {
		return
	}
	at := property(path, "inputs")
	p.only(at, in, "schema", "method", "relativePath")
	t.Method = strings.ToUpper(in.String("method"))
	t.Path = strings.Trim(in.String("relativePath"), "/")
	if s, ok := in.Get("schema"); ok {
		if text, isText := s.(string); isText && text == "" {
			return
		}
		schema, err := compileSchema(s)
		if err != nil {
			p.add(property(at, "schema"), "correct the schema", "it is no JSON schema: %v", err)
		}
		t.schema, t.schemaText = schema, s
	}
}

func (p *parser) triggerRuns(path string, t *Trigger, o *value.Object) {
	for _, option := range strings.Split(o.String("operationOptions"), ",") {
		switch strings.ToLower(strings.TrimSpace(option)) {
		case "":
		case "singleinstance":
			t.single = true
		case "enableschemavalidation":
			if t.schema == nil {
				p.add(property(path, "operationOptions"), "give inputs.schema", "there is no schema to validate with")
			}
		default:
			p.add(property(path, "operationOptions"), "remove it", "the option %q is not supported for a trigger", option)
		}
	}
	if !strings.Contains(strings.ToLower(o.String("operationOptions")), "enableschemavalidation") {
		t.schema = nil // without the option a schema only describes
	}
	at := property(path, "runtimeConfiguration")
	rc := p.object(path, o, "runtimeConfiguration")
	if rc == nil {
		return
	}
	p.only(at, rc, "concurrency", "secureData")
	t.secureIn, t.secureOut = p.secure(at, rc)
	c := p.object(at, rc, "concurrency")
	if c == nil {
		return
	}
	at = property(at, "concurrency")
	p.only(at, c, "runs", "maximumWaitingRuns")
	read := func(name string, def, most int64) int {
		v, ok := c.Get(name)
		if !ok {
			return int(def)
		}
		n, whole := v.(int64)
		if !whole || n < 1 || n > most {
			p.add(property(at, name), fmt.Sprintf("use a whole number from 1 to %d", most), "%s is not valid", name)
		}
		return int(n)
	}
	t.runs = read("runs", 25, 100)
	t.waiting = read("maximumWaitingRuns", int64(10+t.runs), 100)
}

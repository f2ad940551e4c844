package workflow

import (
	"context"
	"strconv"
	"strings"

	"tandem/internal/workflow/value"
)

// terminate ends the run.
type terminate struct{}

func parseTerminate(p *parser, a *action, o *value.Object, _ int) spec {
	in := p.inputs(a, o, "runStatus", "runError")
	p.require(a, in, "runStatus")
	at := property(a.path, "inputs")
	if s := in.String("runStatus"); s != "" && !strings.Contains(s, "@") && !endStatus(s) {
		p.add(property(at, "runStatus"), "use Succeeded, Failed or Cancelled", "a run cannot end with the status %q", s)
	}
	if e := p.object(at, in, "runError"); e != nil {
		p.only(property(at, "runError"), e, "code", "message")
		if s := in.String("runStatus"); s != "" && !strings.Contains(s, "@") && !strings.EqualFold(s, "Failed") {
			p.add(property(at, "runError"), "remove it, or let the run end with Failed", "only a failed run has an error")
		}
	}
	if len(a.loops) > 0 {
		p.add(a.path, "set a variable in the loop, and terminate after it", "a Terminate cannot stand in a Foreach or an Until")
	}
	a.inputs = p.field(a.path, o, "inputs", user{action: a})
	return terminate{}
}

func endStatus(s string) bool {
	status, known := readStatus(s)
	return known && (status == Succeeded || status == Failed || status == Cancelled)
}

func (terminate) instant() bool { return true }

func (terminate) run(_ context.Context, x *exec) outcome {
	v, bad := x.inputs()
	if bad != nil {
		return *bad
	}
	in := v.(*value.Object)
	if !endStatus(in.String("runStatus")) {
		return fail(codeBadRequest, "A run cannot end with the status '%s'; use Succeeded, Failed or Cancelled.", in.String("runStatus"))
	}
	x.end(ok(nil))
	x.rec.Code = codeTerminated
	rec := x.rec
	if err := x.r.save(&rec); err != nil {
		return outcome{}
	}
	x.saved = true
	x.r.cancel(termination(&rec))
	return ok(nil)
}

// termination is how a run ends by the record of a Terminate action.
func termination(rec *Record) *terminated {
	in, _ := rec.Inputs.(*value.Object)
	status, _ := readStatus(in.String("runStatus"))
	t := &terminated{status: status}
	if e := in.Object("runError"); e != nil && status == Failed {
		code, _ := e.Get("code")
		message, _ := e.Get("message")
		t.fault = fault(value.Text(code), "%s", value.Text(message))
	}
	return t
}

// response answers who called the Request trigger.
type response struct{}

func parseResponse(p *parser, a *action, o *value.Object, _ int) spec {
	in := p.inputs(a, o, "statusCode", "headers", "body", "schema")
	p.require(a, in, "statusCode")
	at := property(a.path, "inputs")
	if kind := o.String("kind"); kind != "" && !strings.EqualFold(kind, "Http") {
		p.add(property(a.path, "kind"), `use "Http"`, "a Response of kind %q is not supported", kind)
	}
	if c, found := in.Get("statusCode"); found {
		if n, isInt := c.(int64); isInt && (n < 100 || n > 599) {
			p.add(property(at, "statusCode"), "use 200 to 599", "%d is no HTTP status code", n)
		}
	}
	if len(a.loops) > 0 {
		p.add(a.path, "move it out of the loop", "a Response cannot stand in a Foreach or an Until")
	}
	p.checks = append(p.checks, func() {
		for _, t := range p.def.Triggers {
			if t.Kind == "Request" {
				return
			}
		}
		p.add(a.path, "add a Request trigger, or remove the Response", "a Response needs a Request trigger")
	})
	a.inputs = p.field(a.path, o, "inputs", user{action: a})
	return response{}
}

func (response) instant() bool { return false }

func (response) run(_ context.Context, x *exec) outcome {
	v, bad := x.inputs()
	if bad != nil {
		return *bad
	}
	in := v.(*value.Object)
	code, _ := in.Get("statusCode")
	n, err := strconv.Atoi(value.Text(code))
	if err != nil || n < 200 || n > 599 {
		return fail(codeBadRequest, "'%s' is no status code of a response; use 200 to 599.", value.Text(code))
	}
	body, _ := in.Get("body")
	a := &Answer{Status: n, Headers: in.Object("headers"), Body: body}
	first, err := x.r.journal.respond(x.r.parent, a)
	if err != nil {
		x.r.stop(err)
		return outcome{}
	}
	if !first && len(x.rec.Attempts) == 0 {
		return fail("ActionResponseSkipped", "The caller was answered already, or did not wait; a run answers once.")
	}
	out := value.New("statusCode", int64(n))
	if a.Headers != nil {
		out.Set("headers", a.Headers)
	}
	if body != nil {
		out.Set("body", body)
	}
	return ok(out)
}

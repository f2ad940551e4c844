package workflow

import (
	"context"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

// compose gives its inputs as its outputs.
type compose struct{}

func parseCompose(p *parser, a *action, o *value.Object, _ int) spec {
	if _, ok := o.Get("inputs"); !ok {
		p.add(a.path, "give the value to compose", `the property "inputs" is missing`)
	}
	a.inputs = p.field(a.path, o, "inputs", user{action: a})
	return compose{}
}

func (compose) instant() bool { return true }

func (compose) run(_ context.Context, x *exec) outcome {
	v, bad := x.inputs()
	if bad != nil {
		return *bad
	}
	return ok(v)
}

// parseJSON reads a value and holds it to a schema.
type parseJSON struct {
	schema *jsonschema.Schema // nil: it holds expressions and is compiled when it runs
	text   *expr.Node
}

func parseParseJSON(p *parser, a *action, o *value.Object, _ int) spec {
	in := p.inputs(a, o, "content", "schema")
	p.require(a, in, "content", "schema")
	a.inputs = p.field(a.path, o, "inputs", user{action: a})
	s := &parseJSON{}
	schema, _ := in.Get("schema")
	node, problems := expr.CompileValue(schema)
	if len(problems) > 0 {
		return s // reported with the inputs
	}
	if constant, known := node.Constant(); known {
		compiled, err := compileSchema(constant)
		if err != nil {
			p.add(property(property(a.path, "inputs"), "schema"), "correct the schema", "it is no JSON schema: %v", err)
		}
		s.schema = compiled
	}
	s.text = node
	return s
}

func (*parseJSON) instant() bool { return true }

func (s *parseJSON) run(_ context.Context, x *exec) outcome {
	v, bad := x.inputs()
	if bad != nil {
		return *bad
	}
	in := v.(*value.Object)
	content, _ := in.Get("content")
	switch c := content.(type) {
	case string:
		read, err := value.Decode([]byte(c))
		if err != nil {
			return fail(codeTemplate, "The content of action '%s' is no JSON: %v", x.a.name, err)
		}
		content = read
	case *value.Object:
		if data, mediaType, is := expr.Content(c); is && strings.Contains(strings.ToLower(mediaType), "json") {
			read, err := value.Decode(data)
			if err != nil {
				return fail(codeTemplate, "The content of action '%s' is no JSON: %v", x.a.name, err)
			}
			content = read
		}
	case nil:
		return fail("InvalidTemplate", "The content of action '%s' is null; give it a value.", x.a.name)
	}
	schema := s.schema
	if schema == nil {
		text, _ := in.Get("schema")
		compiled, err := compileSchema(text)
		if err != nil {
			return fail(codeBadRequest, "The schema of action '%s' is no JSON schema: %v", x.a.name, err)
		}
		schema = compiled
	}
	if err := validate(schema, content); err != nil {
		out := fail("SchemaValidationFailed", "The content of action '%s' does not fit the schema: %v", x.a.name, err)
		out.code = codeBadRequest
		return out
	}
	return ok(value.New("body", content))
}

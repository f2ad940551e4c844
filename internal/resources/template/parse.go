package template

import (
	"slices"
	"strings"
)

// Template is a template that was checked.
type Template struct {
	source      map[string]any
	parameters  []*parameter
	definitions map[string]any
	functions   map[string]*userFunction
	builtins    map[string]builtin
	resources   []*declaration
	outputs     map[string]any
	outer       *Plan // of the template that this one stands in and takes its names from; else nil
}

// declaration is a resource as the template writes it.
type declaration struct {
	path   string
	symbol string // its symbolic name; empty where the template has none
	body   map[string]any
	parent *declaration
}

// Parse checks a template. outer is the plan of the template that it stands in, where its expressions are evaluated there
// (expressionEvaluationOptions "outer"), else nil. The error is Errors with all that was found.
func Parse(source any, outer *Plan) (*Template, error) {
	t := &Template{builtins: builtins(), functions: map[string]*userFunction{}, outer: outer}
	c := &checker{t: t}
	var ok bool
	if t.source, ok = source.(map[string]any); !ok {
		return nil, Errors{errorAt("", "the template must be an object, not %s", typeName(source))}
	}
	c.template()
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return t, nil
}

// checker gathers what is wrong with a template.
type checker struct {
	t        *Template
	problems Errors
}

func (c *checker) add(path, format string, args ...any) {
	if len(c.problems) < 50 {
		c.problems = append(c.problems, errorAt(path, format, args...))
	}
}

// section gives a member that must be an object where it is there.
func (c *checker) section(path string, o map[string]any, name string) map[string]any {
	v, ok := get(o, name)
	if !ok || v == nil {
		return nil
	}
	m, isObject := v.(map[string]any)
	if !isObject {
		c.add(property(path, name), "an object is expected, not %s", typeName(v))
	}
	return m
}

func (c *checker) template() {
	t := c.t
	known := []string{"$schema", "contentVersion", "languageVersion", "apiProfile", "parameters", "variables", "functions", "resources", "outputs", "definitions", "metadata"}
	for _, name := range sortedKeys(t.source) {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
			c.add(name, "a template has no such member here; there are %s", strings.Join(known, ", "))
		}
	}
	schema := stringOf(t.source, "$schema")
	if !strings.Contains(strings.ToLower(schema), "deploymenttemplate.json") {
		c.add("$schema", "it must name the schema of a deployment template, as https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#")
	}
	for _, word := range []string{"managementGroup", "tenant"} {
		if strings.Contains(strings.ToLower(schema), "/"+strings.ToLower(word)+"deploymenttemplate.json") {
			c.add("$schema", "templates for a %s are not deployed here: only those for a resource group or a subscription", word)
		}
	}
	if stringOf(t.source, "contentVersion") == "" {
		c.add("contentVersion", "it is missing; write one, as 1.0.0.0")
	}
	t.definitions = c.section("", t.source, "definitions")
	c.userFunctions()
	t.parameters = c.declared("parameters", c.section("", t.source, "parameters"))
	c.resources()
	t.outputs = c.section("", t.source, "outputs")
	c.expressions()
}

// declared reads parameters of the template or of a function.
func (c *checker) declared(path string, section map[string]any) []*parameter {
	var out []*parameter
	for _, name := range sortedKeys(section) {
		at := property(path, name)
		spec, ok := section[name].(map[string]any)
		if !ok {
			c.add(at, "an object with a type is expected")
			continue
		}
		p := &parameter{name: name, path: at, spec: spec}
		p.value, p.hasDefault = get(spec, "defaultValue")
		if ref := stringOf(spec, "$ref"); ref == "" && !knownType(p.kind()) {
			c.add(property(at, "type"), "the type %q is not known; there are string, secureString, int, bool, array, object and secureObject", stringOf(spec, "type"))
		}
		out = append(out, p)
	}
	return out
}

func (c *checker) userFunctions() {
	v, _ := get(c.t.source, "functions")
	list, _ := v.([]any)
	if v != nil && list == nil {
		c.add("functions", "an array of namespaces is expected")
	}
	for i, item := range list {
		path := element("functions", i)
		space, _ := item.(map[string]any)
		namespace := stringOf(space, "namespace")
		if namespace == "" {
			c.add(path, "the namespace of the functions is missing")
		}
		members := c.section(path, space, "members")
		for _, name := range sortedKeys(members) {
			at := property(property(path, "members"), name)
			body, _ := members[name].(map[string]any)
			f := &userFunction{name: namespace + "." + name, path: property(property(at, "output"), "value")}
			raw, _ := get(body, "parameters")
			params, _ := raw.([]any)
			for _, p := range params {
				spec, _ := p.(map[string]any)
				f.params = append(f.params, parameter{name: stringOf(spec, "name"), spec: spec})
			}
			var ok bool
			if f.output, ok = get(objectOf(body, "output"), "value"); !ok {
				c.add(at, "the function has no output value")
			}
			c.t.functions[strings.ToLower(f.name)] = f
		}
	}
}

func (c *checker) resources() {
	v, ok := get(c.t.source, "resources")
	if !ok {
		c.add("resources", "it is missing; an empty array deploys nothing")
	}
	c.declarations("resources", v, nil)
}

// declarations reads a list of resources, or an object of them by symbolic name.
func (c *checker) declarations(path string, v any, parent *declaration) {
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			c.declaration(element(path, i), "", item, parent)
		}
	case map[string]any:
		for _, name := range sortedKeys(v) {
			c.declaration(property(path, name), name, v[name], parent)
		}
	case nil:
	default:
		c.add(path, "an array, or an object by symbolic names, is expected")
	}
}

func (c *checker) declaration(path, symbol string, v any, parent *declaration) {
	body, ok := v.(map[string]any)
	if !ok {
		c.add(path, "an object is expected, not %s", typeName(v))
		return
	}
	d := &declaration{path: path, symbol: symbol, body: body, parent: parent}
	c.t.resources = append(c.t.resources, d)
	for _, name := range []string{"type", "apiVersion", "name"} {
		if stringOf(body, name) == "" {
			c.add(path, "the resource has no %s", name)
		}
	}
	if t := stringOf(body, "type"); isExpression(t) {
		c.add(property(path, "type"), "the type must be written out")
	}
	if _, imported := get(body, "import"); imported {
		c.add(property(path, "import"), "resources of Bicep extensions cannot be deployed here")
	}
	if _, loop := get(body, "copy"); loop && parent != nil {
		c.add(property(path, "copy"), "a resource within another one cannot have a loop; write it beside its parent, with the parent's name in its own")
	}
	if strings.EqualFold(stringOf(body, "type"), deploymentType) {
		c.nested(path, body)
		return
	}
	children, _ := get(body, "resources")
	c.declarations(property(path, "resources"), children, d)
}

// nested checks the template of a deployment within the template.
func (c *checker) nested(path string, body map[string]any) {
	at := property(path, "properties")
	properties := objectOf(body, "properties")
	if _, linked := get(properties, "templateLink"); linked {
		c.add(property(at, "templateLink"), "linked templates are not fetched; put the template into the member template")
		return
	}
	inner, ok := get(properties, "template")
	if !ok {
		c.add(at, "the deployment has no template")
		return
	}
	if !isInner(body) {
		return // its names are those of this template; its expressions are checked with the others
	}
	if _, err := Parse(inner, nil); err != nil {
		for _, e := range err.(Errors) { //nolint:errorlint,forcetypeassert // Parse gives nothing else
			c.add(property(at, "template")+"."+e.Path, "%s", e.Message)
		}
	}
}

// isInner says whether a nested deployment evaluates its expressions itself.
func isInner(body map[string]any) bool {
	return strings.EqualFold(stringOf(objectOf(objectOf(body, "properties"), "expressionEvaluationOptions"), "scope"), "inner")
}

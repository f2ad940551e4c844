package apim

import (
	"encoding/json"
	"fmt"
	"strings"
)

// parameter turns a parameter into API Management's form. A schema that says more than a type, values and a default goes
// among the named schemas, so that nothing of it is lost.
func (r *openAPIReader) parameter(p map[string]any, operation string) map[string]any {
	name := asString(p["name"])
	out := map[string]any{"name": name, "required": p["required"] == true, "type": "string", "values": []any{}}
	if d := asString(p["description"]); d != "" {
		out["description"] = d
	}
	schema, _ := p["schema"].(map[string]any)
	if r.swagger && schema == nil { // Swagger writes the schema into the parameter
		schema = map[string]any{}
		for member, v := range p {
			switch member {
			case "name", "in", "description", "required", "allowEmptyValue", "collectionFormat":
			default:
				if !strings.HasPrefix(member, "x-") {
					schema[member] = v
				}
			}
		}
	}
	if content, ok := p["content"].(map[string]any); ok && schema == nil {
		for _, mediaType := range sortedNames(content) {
			media, _ := content[mediaType].(map[string]any)
			schema, _ = media["schema"].(map[string]any)
			break
		}
	}
	said := schema // what a reference leads to says the type
	if schema["$ref"] != nil {
		if target, err := r.resolve(schema, nil); err == nil {
			said = target
		}
	}
	if t := typeOf(said); t != "" {
		out["type"] = t
	}
	values := []any{}
	for _, v := range orEmptyList(said["enum"]) {
		values = append(values, scalarText(v))
	}
	out["values"] = values
	if d, ok := said["default"]; ok {
		out["defaultValue"] = scalarText(d)
	}
	if rich(schema) {
		r.name(out, schema, operation+"-"+name)
	}
	if ex := examplesOf(p); len(ex) > 0 {
		out["examples"] = ex
	}
	return out
}

// typeOf is a schema's type; of OpenAPI 3.1's lists the first that is not null.
func typeOf(schema map[string]any) string {
	switch t := schema["type"].(type) {
	case string:
		return t
	case []any:
		for _, v := range t {
			if s, ok := v.(string); ok && s != "null" {
				return s
			}
		}
	}
	return ""
}

// rich tells whether a parameter's schema says more than a parameter of API Management can.
func rich(schema map[string]any) bool {
	for member, v := range schema {
		switch member {
		case "default":
			if _, isObject := v.(map[string]any); isObject {
				return true
			}
			if _, isList := v.([]any); isList {
				return true
			}
		case "type":
			if _, isText := v.(string); !isText {
				return true
			}
		case "enum":
			if typeOf(schema) == "" || typeOf(schema) == "array" {
				return true
			}
		default:
			return true
		}
	}
	return false
}

func scalarText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case nil:
		return "null"
	}
	b, _ := json.Marshal(v) // what was JSON encodes
	return string(b)
}

func (r *openAPIReader) representations(content map[string]any, name string) []any {
	out := []any{}
	for _, mediaType := range sortedNames(content) {
		media, _ := content[mediaType].(map[string]any)
		rep := map[string]any{"contentType": mediaType}
		if schema, ok := media["schema"].(map[string]any); ok && len(schema) > 0 {
			r.name(rep, schema, name)
		}
		if ex := examplesOf(media); len(ex) > 0 {
			rep["examples"] = ex
		}
		out = append(out, rep)
	}
	return out
}

// name makes a representation or parameter name a schema: the one it refers to, or an inline one under a new name. Equal
// inline schemas of one operation, one for each media type, share a name.
func (r *openAPIReader) name(in, schema map[string]any, wish string) {
	if ref, ok := schema["$ref"].(string); ok && len(schema) == 1 {
		if name, ok := strings.CutPrefix(ref, r.refs); ok && !strings.Contains(name, "/") {
			r.needs = append(r.needs, reference{in, name})
			return
		}
	}
	wish = plainName(wish)
	name := wish
	for n := 2; ; n++ {
		other, taken := r.schemas[name]
		if !taken || sameJSON(other, schema) {
			break
		}
		name = fmt.Sprintf("%s-%d", wish, n)
	}
	r.schemas[name] = schema
	r.needs = append(r.needs, reference{in, name})
}

// plainName keeps what the names of components may have.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, s)
}

func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// examplesOf gives example and examples in API Management's form.
func examplesOf(m map[string]any) map[string]any {
	out := map[string]any{}
	if ex, ok := m["example"]; ok {
		out["default"] = map[string]any{"value": ex}
	}
	all, _ := m["examples"].(map[string]any)
	for name, v := range all {
		from, _ := v.(map[string]any)
		to := map[string]any{}
		for _, member := range []string{"value", "summary", "description", "externalValue"} {
			if x, ok := from[member]; ok {
				to[member] = x
			}
		}
		if len(to) > 0 {
			out[name] = to
		}
	}
	return out
}

// largestSchemas bounds a schema document in bytes: the store takes 1 MiB at once.
const largestSchemas = 600 << 10

// finishSchemas parts the schemas into documents that the store takes, "components", "components-2" and so on, and tells
// the operations in which one each schema is.
func (r *openAPIReader) finishSchemas() error {
	contentType, wrap := componentsSchema, func(m map[string]any) any {
		return map[string]any{"components": map[string]any{"schemas": m}}
	}
	if r.swagger {
		contentType, wrap = definitionsSchema, func(m map[string]any) any { return map[string]any{"definitions": m} }
	}
	in := map[string]string{} // document by schema
	part, size := map[string]any{}, 0
	finish := func() {
		if len(part) > 0 {
			id := schemaDocument(len(r.got.schemas))
			r.got.schemas = append(r.got.schemas, importedChild{name: id, properties: map[string]any{"contentType": contentType, "document": wrap(part)}})
		}
		part, size = map[string]any{}, 0
	}
	for _, name := range sortedNames(r.schemas) {
		raw, err := json.Marshal(r.schemas[name])
		if err != nil {
			return err
		}
		if len(raw) > largestSchemas {
			return faultAt(append(strings.Split(strings.Trim(r.refs, "#/"), "/"), name), "the schema %s has %d bytes; one schema may have %d", name, len(raw), largestSchemas)
		}
		if size+len(raw) > largestSchemas {
			finish()
		}
		part[name], in[name] = r.schemas[name], schemaDocument(len(r.got.schemas))
		size += len(raw) + len(name) + 4
	}
	finish()
	for _, need := range r.needs {
		need.in["typeName"] = need.name
		if id := in[need.name]; id != "" {
			need.in["schemaId"] = id
		} else {
			return faultAt(nil, "the reference %q leads to nothing", r.refs+need.name)
		}
	}
	return nil
}

func schemaDocument(n int) string {
	if n == 0 {
		return "components"
	}
	return fmt.Sprintf("components-%d", n+1)
}

package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// OperationInfo is context.Operation, with the contract that mock-response and the validation policies use. It may be
// used by many requests at once; its schemas are compiled when first asked for.
type OperationInfo struct {
	ID, Name, Method, URLTemplate string
	Path, Query, Headers          []Parameter // of the request
	Request                       []Representation
	Responses                     []ResponseInfo
}

// Parameter is one documented parameter.
type Parameter struct {
	Name     string
	Required bool
	Type     string // "string", "integer", "number", "boolean", "array", "object"; empty: anything
	Values   []string
	Schema   *Schema // more than Type says; nil: Type alone
}

// Representation is one documented content of a request or a response.
type Representation struct {
	ContentType string
	Example     string // empty: none
	Schema      *Schema
}

// ResponseInfo is one documented response.
type ResponseInfo struct {
	Status          int
	Headers         []Parameter
	Representations []Representation
}

// Schema is a JSON Schema, or an OpenAPI schema, by its text. Refs that leave the text are looked up in Components.
type Schema struct {
	Text       string
	Pointer    string // a JSON pointer into Text, for a schema of a document of components: "#/components/schemas/Pet"
	once       sync.Once
	compiled   *jsonschema.Schema
	root       any
	err        error
	fold, deny bool
}

// NewSchema makes a schema of its text; pointer may be empty.
func NewSchema(text, pointer string) *Schema { return &Schema{Text: text, Pointer: pointer} }

// with makes the variant that validate-content asks for: names without regard to case, no further properties.
func (s *Schema) with(fold, deny bool) *Schema {
	return &Schema{Text: s.Text, Pointer: s.Pointer, fold: fold, deny: deny}
}

func (s *Schema) compile() (*jsonschema.Schema, error) {
	s.once.Do(func() {
		if s.root, s.err = jsonschema.UnmarshalJSON(strings.NewReader(s.Text)); s.err != nil {
			s.err = fmt.Errorf("read the schema: %w", s.err)
			return
		}
		fromOpenAPI(s.root, s.fold, s.deny)
		c := jsonschema.NewCompiler()
		c.DefaultDraft(jsonschema.Draft2020)
		c.UseLoader(noLoader{})
		if s.err = c.AddResource("schema.json", s.root); s.err == nil {
			s.compiled, s.err = c.Compile("schema.json" + s.Pointer)
		}
		if s.err != nil {
			s.err = fmt.Errorf("compile the schema: %w", s.err)
		}
	})
	return s.compiled, s.err
}

// noLoader refuses references to other documents: a schema must not make the gateway read files or call services.
type noLoader struct{}

// Load implements jsonschema.URLLoader.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("the schema refers to %s, outside of itself", url)
}

// fromOpenAPI turns what OpenAPI 3.0 says differently into JSON Schema: nullable, and exclusive bounds as booleans.
func fromOpenAPI(v any, fold, deny bool) {
	switch v := v.(type) {
	case map[string]any:
		if v["nullable"] == true {
			if t, ok := v["type"].(string); ok {
				v["type"] = []any{t, "null"}
			}
		}
		for bound, exclusive := range map[string]string{"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"} {
			if b, ok := v[exclusive].(bool); ok {
				delete(v, exclusive)
				if b && v[bound] != nil {
					v[exclusive] = v[bound]
					delete(v, bound)
				}
			}
		}
		props, isObject := v["properties"].(map[string]any)
		if isObject && deny && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		if isObject && fold {
			lower := map[string]any{}
			for k, p := range props {
				lower[strings.ToLower(k)] = p
			}
			v["properties"] = lower
			if req, ok := v["required"].([]any); ok {
				for i, r := range req {
					if name, ok := r.(string); ok {
						req[i] = strings.ToLower(name)
					}
				}
			}
		}
		for k, x := range v {
			if k != "example" && k != "examples" && k != "default" && k != "enum" {
				fromOpenAPI(x, fold, deny)
			}
		}
	case []any:
		for _, x := range v {
			fromOpenAPI(x, fold, deny)
		}
	}
}

// validate holds JSON against the schema; the errors say where, one a line.
func (s *Schema) validate(body []byte) []string {
	c, err := s.compile()
	if err != nil {
		return []string{err.Error()}
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(trimBOM(body))))
	if err != nil {
		return []string{"The content is not JSON."}
	}
	return s.check(c, v)
}

func (s *Schema) check(c *jsonschema.Schema, v any) []string {
	if s.fold {
		v = lowerKeys(v)
	}
	err := c.Validate(v)
	if err == nil {
		return nil
	}
	ve, ok := err.(*jsonschema.ValidationError)
	if !ok {
		return []string{err.Error()}
	}
	var out []string
	leaves(ve, &out)
	return out
}

func leaves(e *jsonschema.ValidationError, out *[]string) {
	if len(e.Causes) == 0 {
		lines := strings.Split(e.Error(), "\n")
		*out = append(*out, strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "- "))
	}
	for _, c := range e.Causes {
		leaves(c, out)
	}
}

func lowerKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[strings.ToLower(k)] = lowerKeys(x)
		}
		return out
	case []any:
		for i := range v {
			v[i] = lowerKeys(v[i])
		}
	}
	return v
}

// example makes a JSON text that the schema allows, for mock-response.
func (s *Schema) example() (string, bool) {
	var root any
	if json.Unmarshal([]byte(s.Text), &root) != nil {
		return "", false
	}
	v := sample(root, pointed(root, s.Pointer), 0)
	b, err := json.Marshal(v)
	return string(b), err == nil
}

// pointed follows a JSON pointer.
func pointed(root any, pointer string) any {
	v := root
	for _, part := range strings.Split(strings.TrimPrefix(pointer, "#"), "/") {
		if part == "" {
			continue
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return v
}

func sample(root, schema any, depth int) any {
	m, ok := schema.(map[string]any)
	if !ok || depth > 12 {
		return nil
	}
	for _, key := range []string{"example", "default", "const"} {
		if v, ok := m[key]; ok {
			return v
		}
	}
	if list, ok := m["enum"].([]any); ok && len(list) > 0 {
		return list[0]
	}
	if ref, ok := m["$ref"].(string); ok {
		return sample(root, pointed(root, ref), depth+1)
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		if list, ok := m[key].([]any); ok && len(list) > 0 {
			return sample(root, list[0], depth+1)
		}
	}
	if list, ok := m["allOf"].([]any); ok {
		out := map[string]any{}
		for _, part := range list {
			if p, ok := sample(root, part, depth+1).(map[string]any); ok {
				for k, v := range p {
					out[k] = v
				}
			}
		}
		return out
	}
	kind, _ := m["type"].(string)
	switch {
	case kind == "object" || m["properties"] != nil:
		out := map[string]any{}
		props, _ := m["properties"].(map[string]any)
		for k, p := range props {
			out[k] = sample(root, p, depth+1)
		}
		return out
	case kind == "array":
		return []any{sample(root, m["items"], depth+1)}
	case kind == "integer", kind == "number":
		if least, ok := m["minimum"].(float64); ok {
			return least
		}
		return 0
	case kind == "boolean":
		return true
	case kind == "string":
		switch m["format"] {
		case "date-time":
			return "2000-01-23T04:56:07Z"
		case "date":
			return "2000-01-23"
		case "uuid":
			return "046b6c7f-0b8a-43b9-b35d-6489e6daee91"
		}
		return "string"
	}
	return nil
}

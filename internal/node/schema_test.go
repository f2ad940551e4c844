package node

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var updateSchema = flag.Bool("update", false, "write the schema anew")

// TestSchema holds the published schema to the struct and its comments; -update writes it anew.
func TestSchema(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{} // "Config.Region"
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				for _, name := range f.Names {
					text := f.Doc.Text() + f.Comment.Text()
					comments[spec.Name.Name+"."+name.Name] = strings.TrimSpace(strings.ReplaceAll(text, "\n", " "))
				}
			}
		}
		return false
	})
	schema := objectSchema(reflect.TypeFor[Config](), comments)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "Configuration of a Tandem node"
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(schema); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"config.schema.json", "../../docs/config.schema.json"} {
		if *updateSchema {
			if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is not what config.go says; run: go test ./internal/node -run TestSchema -update", file)
		}
	}
}

func objectSchema(t reflect.Type, comments map[string]string) map[string]any {
	properties, required := map[string]any{}, []string{}
	for f := range fields(t) {
		s := valueSchema(f.Type, comments)
		if text := comments[t.Name()+"."+f.Name]; text != "" {
			s["description"] = text
		}
		properties[f.name] = s
		if !f.optional {
			required = append(required, f.name)
		}
	}
	out := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func valueSchema(t reflect.Type, comments map[string]string) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return valueSchema(t.Elem(), comments)
	case reflect.Struct:
		return objectSchema(t, comments)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": valueSchema(t.Elem(), comments)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": valueSchema(t.Elem(), comments)}
	case reflect.Int:
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	}
	return map[string]any{"type": "string"}
}

// TestExamples reads the files of deploy/three-sites as a node does, and checks them against the schema.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../deploy/three-sites/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.AddResource("config.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	nodes := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(raw, []byte("masterKey:")) {
			continue // another part of the example
		}
		nodes++
		c, err := ReadConfig(file, raw, nil)
		if err == nil {
			err = c.Check()
		}
		if err != nil {
			t.Error(err)
		}
		var v any
		if err := yaml.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if v, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if nodes < 3 {
		t.Errorf("deploy/three-sites has %d nodes", nodes)
	}
}

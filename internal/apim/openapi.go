package apim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/goccy/go-yaml"
)

// componentsSchema is the content type under which API Management keeps the components of an OpenAPI 3 document.
const componentsSchema = "application/vnd.oai.openapi.components+json"

// readOpenAPI reads OpenAPI 2.0, 3.0 or 3.1 in JSON or YAML. base completes a relative server address.
func readOpenAPI(content []byte, base string) (*imported, error) {
	var head struct {
		Swagger string `json:"swagger" yaml:"swagger"`
		OpenAPI string `json:"openapi" yaml:"openapi"`
	}
	if err := yaml.Unmarshal(content, &head); err != nil { // JSON is YAML
		return nil, fmt.Errorf("the document is neither JSON nor YAML: %s", yaml.FormatError(err, false, false))
	}
	var doc *openapi3.T
	loader := openapi3.NewLoader()
	switch {
	case strings.HasPrefix(head.Swagger, "2."):
		raw, err := asJSON(content)
		if err != nil {
			return nil, err
		}
		var v2 openapi2.T
		if err := json.Unmarshal(raw, &v2); err != nil {
			return nil, err
		}
		if doc, err = openapi2conv.ToV3(&v2); err != nil {
			return nil, err
		}
	case strings.HasPrefix(head.OpenAPI, "3."):
		var err error
		if doc, err = loader.LoadFromData(content); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("the document says neither swagger: \"2.0\" nor openapi: 3.x")
	}
	if doc.Info == nil {
		return nil, fmt.Errorf("the document has no info")
	}
	return fromOpenAPI(doc, base)
}

func asJSON(content []byte) ([]byte, error) {
	if t := bytes.TrimSpace(content); len(t) > 0 && t[0] == '{' {
		return content, nil
	}
	return yaml.YAMLToJSON(content)
}

func fromOpenAPI(doc *openapi3.T, base string) (*imported, error) {
	got := &imported{properties: map[string]any{"displayName": doc.Info.Title, "description": doc.Info.Description}}
	if doc.Info.TermsOfService != "" {
		got.properties["termsOfServiceUrl"] = doc.Info.TermsOfService
	}
	if len(doc.Servers) > 0 {
		address := doc.Servers[0].URL
		if strings.HasPrefix(address, "/") {
			address = base + address
		}
		if strings.Contains(address, "://") {
			got.properties["serviceUrl"] = strings.TrimSuffix(address, "/")
			scheme, _, _ := strings.Cut(address, "://")
			got.properties["protocols"] = []any{strings.ToLower(scheme)}
		}
	}
	schemaID := ""
	if doc.Components != nil && len(doc.Components.Schemas) > 0 {
		raw, err := json.Marshal(map[string]any{"components": map[string]any{"schemas": doc.Components.Schemas}})
		if err != nil {
			return nil, err
		}
		var components any
		if err := json.Unmarshal(raw, &components); err != nil {
			return nil, err
		}
		schemaID = "components"
		got.schemas = []importedChild{{name: schemaID, properties: map[string]any{"contentType": componentsSchema, "document": components}}}
	}
	used := map[string]bool{}
	paths := make([]string, 0, doc.Paths.Len())
	for path := range doc.Paths.Map() {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	for _, path := range paths {
		item := doc.Paths.Value(path)
		methods := make([]string, 0, 8)
		for m := range item.Operations() {
			methods = append(methods, m)
		}
		sort.Strings(methods)
		for _, m := range methods {
			op := item.Operations()[m]
			got.operations = append(got.operations, fromOperation(path, m, item, op, schemaID, used))
		}
	}
	return got, nil
}

func fromOperation(path, method string, item *openapi3.PathItem, op *openapi3.Operation, schemaID string, used map[string]bool) importedChild {
	id := op.OperationID
	if id == "" {
		id = strings.ToLower(method) + path
	}
	display := op.Summary
	if display == "" {
		display = id
	}
	var template, query, headers []any
	for _, ref := range append(append(openapi3.Parameters{}, item.Parameters...), op.Parameters...) {
		if ref.Value == nil {
			continue
		}
		p := parameter(ref.Value, schemaID)
		switch ref.Value.In {
		case "path":
			p["required"] = true
			template = replaceNamed(template, p)
		case "query":
			query = replaceNamed(query, p)
		case "header":
			headers = replaceNamed(headers, p)
		}
	}
	for _, name := range templateNames(path) { // a parameter that the document forgot to declare
		if !hasNamed(template, name) {
			template = append(template, map[string]any{"name": name, "type": "string", "required": true})
		}
	}
	request := map[string]any{"queryParameters": orEmpty(query), "headers": orEmpty(headers), "representations": []any{}}
	if op.RequestBody != nil && op.RequestBody.Value != nil {
		request["description"] = op.RequestBody.Value.Description
		request["representations"] = representations(op.RequestBody.Value.Content, schemaID)
	}
	responses := []any{}
	if op.Responses != nil {
		codes := make([]string, 0, op.Responses.Len())
		for code := range op.Responses.Map() {
			codes = append(codes, code)
		}
		sort.Strings(codes)
		for _, code := range codes {
			if r := response(code, op.Responses.Value(code), schemaID); r != nil {
				responses = append(responses, r)
			}
		}
	}
	return importedChild{name: uniqueName(used, id), properties: map[string]any{"displayName": display, "method": method, "urlTemplate": path, "description": op.Description,
		"templateParameters": orEmpty(template), "request": request, "responses": responses}}
}

func parameter(p *openapi3.Parameter, schemaID string) map[string]any {
	out := map[string]any{"name": p.Name, "required": p.Required, "type": "string", "values": []any{}}
	if p.Description != "" {
		out["description"] = p.Description
	}
	if p.Schema != nil && p.Schema.Value != nil {
		s := p.Schema.Value
		if s.Type != nil && len(*s.Type) > 0 {
			out["type"] = (*s.Type)[0]
		}
		if s.Default != nil {
			out["defaultValue"] = fmt.Sprint(s.Default)
		}
		values := []any{}
		for _, v := range s.Enum {
			values = append(values, fmt.Sprint(v))
		}
		out["values"] = values
		if name := schemaName(p.Schema); name != "" {
			out["schemaId"], out["typeName"] = schemaID, name
		}
	}
	return out
}

func response(code string, ref *openapi3.ResponseRef, schemaID string) map[string]any {
	var status int
	if _, err := fmt.Sscanf(code, "%d", &status); err != nil || ref == nil || ref.Value == nil {
		return nil // "default" and "4XX" have no place in API Management
	}
	out := map[string]any{"statusCode": status, "representations": representations(ref.Value.Content, schemaID), "headers": []any{}}
	if ref.Value.Description != nil {
		out["description"] = *ref.Value.Description
	}
	return out
}

func representations(content openapi3.Content, schemaID string) []any {
	out := []any{}
	types := make([]string, 0, len(content))
	for t := range content {
		types = append(types, t)
	}
	sort.Strings(types)
	for _, t := range types {
		m := content[t]
		rep := map[string]any{"contentType": t}
		if name := schemaName(m.Schema); name != "" {
			rep["schemaId"], rep["typeName"] = schemaID, name
		}
		examples := map[string]any{}
		if m.Example != nil {
			examples["default"] = map[string]any{"value": m.Example}
		}
		for name, ex := range m.Examples {
			if ex.Value != nil {
				examples[name] = map[string]any{"value": ex.Value.Value, "summary": ex.Value.Summary}
			}
		}
		if len(examples) > 0 {
			rep["examples"] = examples
		}
		out = append(out, rep)
	}
	return out
}

func schemaName(ref *openapi3.SchemaRef) string {
	if ref == nil {
		return ""
	}
	if name, ok := strings.CutPrefix(ref.Ref, "#/components/schemas/"); ok {
		return name
	}
	return ""
}

func orEmpty(list []any) []any {
	if list == nil {
		return []any{}
	}
	return list
}

func hasNamed(list []any, name string) bool {
	for _, v := range list {
		if m, ok := v.(map[string]any); ok && m["name"] == name {
			return true
		}
	}
	return false
}

// replaceNamed appends a parameter; an operation's own replaces the path's of the same name.
func replaceNamed(list []any, p map[string]any) []any {
	for i, v := range list {
		if m, ok := v.(map[string]any); ok && m["name"] == p["name"] {
			list[i] = p
			return list
		}
	}
	return append(list, p)
}

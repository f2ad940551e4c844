package apim

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
)

// openAPIWriter turns an API's documents back into OpenAPI 3.0.1 or Swagger 2.0.
type openAPIWriter struct {
	service *Service
	viewer  *viewer
	swagger bool
	gateway string
	schemas map[string]any
}

func (w *openAPIWriter) refs() string {
	if w.swagger {
		return "#/definitions/"
	}
	return "#/components/schemas/"
}

func (w *openAPIWriter) document(ctx context.Context, api *Document) (map[string]any, error) {
	if err := w.readSchemas(ctx, api); err != nil {
		return nil, err
	}
	info := map[string]any{"title": api.String("displayName"), "version": "1.0"}
	for member, property := range map[string]string{"description": "description", "version": "apiVersion", "termsOfService": "termsOfServiceUrl"} {
		if v := api.String(property); v != "" {
			info[member] = v
		}
	}
	for _, member := range []string{"contact", "license"} {
		if m, ok := api.Value(member).(map[string]any); ok && len(m) > 0 {
			info[member] = m
		}
	}
	ops, err := w.service.List(ctx, api.Type+".operations", api.IDs)
	if err != nil {
		return nil, err
	}
	paths := map[string]any{}
	for _, op := range ops {
		path, _, _ := strings.Cut(op.String("urlTemplate"), "?")
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		item, _ := paths[path].(map[string]any)
		if item == nil {
			item = map[string]any{}
			paths[path] = item
		}
		method := strings.ToLower(op.String("method"))
		if _, twice := item[method]; twice {
			return nil, invalid("format", "the operations of the API cannot be described: %s %s is there twice", method, path)
		}
		item[method] = w.operation(op)
	}
	out := map[string]any{"info": info, "paths": paths}
	w.frame(out, api)
	return out, nil
}

// frame adds what differs between the versions around the paths: the address, the schemas and the keys.
func (w *openAPIWriter) frame(out map[string]any, api *Document) {
	address := strings.TrimSuffix(w.gateway+"/"+api.String("path"), "/")
	security := map[string]any{}
	header, query := api.String("subscriptionKeyParameterNames.header"), api.String("subscriptionKeyParameterNames.query")
	if api.Bool("subscriptionRequired", true) && header != "" && query != "" {
		security["apiKeyHeader"] = map[string]any{"type": "apiKey", "name": header, "in": "header"}
		security["apiKeyQuery"] = map[string]any{"type": "apiKey", "name": query, "in": "query"}
		out["security"] = []any{map[string]any{"apiKeyHeader": []any{}}, map[string]any{"apiKeyQuery": []any{}}}
	}
	if !w.swagger {
		out["openapi"], out["servers"] = "3.0.1", []any{map[string]any{"url": address}}
		out["components"] = map[string]any{"schemas": w.schemas, "securitySchemes": security}
		return
	}
	out["swagger"], out["definitions"], out["securityDefinitions"] = "2.0", w.schemas, security
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		out["host"], out["schemes"] = u.Host, []any{u.Scheme}
		out["basePath"] = "/" + strings.TrimPrefix(u.Path, "/")
	}
}

// readSchemas gathers the schemas of all schema documents of the API, in the notation that is written.
func (w *openAPIWriter) readSchemas(ctx context.Context, api *Document) error {
	w.schemas = map[string]any{}
	docs, err := w.service.List(ctx, api.Type+".schemas", api.IDs)
	if err != nil {
		return err
	}
	for _, d := range docs {
		all, _ := d.Value("document.components.schemas").(map[string]any)
		if all == nil {
			all, _ = d.Value("document.definitions").(map[string]any)
		}
		for name, schema := range all {
			if _, known := w.schemas[name]; !known {
				w.schemas[name] = w.translate(schema)
			}
		}
	}
	return nil
}

// translate rewrites references to schemas into the notation that is written.
func (w *openAPIWriter) translate(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inner := range v {
			if ref, ok := inner.(string); ok && name == "$ref" {
				for _, from := range []string{"#/components/schemas/", "#/definitions/"} {
					if rest, ok := strings.CutPrefix(ref, from); ok {
						ref = w.refs() + rest
						break
					}
				}
				out[name] = ref
				continue
			}
			out[name] = w.translate(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = w.translate(inner)
		}
		return out
	}
	return v
}

func (w *openAPIWriter) operation(op *Document) map[string]any {
	out := map[string]any{"operationId": op.Name(), "summary": op.String("displayName")}
	if d := op.String("description"); d != "" {
		out["description"] = d
	}
	parameters := []any{}
	for _, from := range []struct{ property, in string }{{"templateParameters", "path"}, {"request.queryParameters", "query"}, {"request.headers", "header"}} {
		for _, p := range orEmptyList(op.Value(from.property)) {
			if m, ok := p.(map[string]any); ok {
				parameters = append(parameters, w.parameter(m, from.in))
			}
		}
	}
	content := orEmptyList(op.Value("request.representations"))
	description := op.String("request.description")
	if w.swagger {
		parameters = append(parameters, w.swaggerBody(out, content, description)...)
	} else if body := w.content(content); len(body) > 0 || description != "" {
		request := map[string]any{"content": body}
		if description != "" {
			request["description"] = description
		}
		out["requestBody"] = request
	}
	if len(parameters) > 0 {
		out["parameters"] = parameters
	}
	responses, produces := map[string]any{}, []any{}
	for _, v := range orEmptyList(op.Value("responses")) {
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		responses[scalarText(m["statusCode"])] = w.response(m, &produces)
	}
	if len(responses) == 0 {
		responses["default"] = map[string]any{"description": ""}
	}
	if len(produces) > 0 {
		out["produces"] = produces
	}
	out["responses"] = responses
	return out
}

func (w *openAPIWriter) response(m map[string]any, produces *[]any) map[string]any {
	resp := map[string]any{"description": asString(m["description"])}
	content := w.content(orEmptyList(m["representations"]))
	if w.swagger {
		examples := map[string]any{}
		for _, mediaType := range sortedNames(content) {
			media, _ := content[mediaType].(map[string]any)
			if resp["schema"] == nil && media["schema"] != nil {
				resp["schema"] = media["schema"]
			}
			if ex, ok := media["example"]; ok {
				examples[mediaType] = ex
			}
			if !hasValue(*produces, mediaType) {
				*produces = append(*produces, mediaType)
			}
		}
		if len(examples) > 0 {
			resp["examples"] = examples
		}
	} else if len(content) > 0 {
		resp["content"] = content
	}
	headers := map[string]any{}
	for _, h := range orEmptyList(m["headers"]) {
		if hm, ok := h.(map[string]any); ok {
			p := w.parameter(hm, "")
			name := asString(p["name"])
			delete(p, "name")
			delete(p, "in")
			headers[name] = p
		}
	}
	if len(headers) > 0 {
		resp["headers"] = headers
	}
	return resp
}

func hasValue(list []any, v any) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// parameter writes a parameter; in Swagger its schema stands in it.
func (w *openAPIWriter) parameter(m map[string]any, in string) map[string]any {
	out := map[string]any{"name": m["name"], "in": in}
	if m["required"] == true || in == "path" {
		out["required"] = true
	}
	if d := asString(m["description"]); d != "" {
		out["description"] = d
	}
	schema := map[string]any{}
	if name := asString(m["typeName"]); name != "" && w.schemas[name] != nil {
		if w.swagger {
			schema, _ = w.schemas[name].(map[string]any)
		} else {
			schema["$ref"] = w.refs() + name
		}
	} else {
		kind := asString(m["type"])
		if kind == "" {
			kind = "string"
		}
		schema["type"] = kind
		if values := orEmptyList(m["values"]); len(values) > 0 {
			typed := make([]any, len(values))
			for i, v := range values {
				typed[i] = typedValue(kind, v)
			}
			schema["enum"] = typed
		}
		if d, ok := m["defaultValue"]; ok && d != nil {
			schema["default"] = typedValue(kind, d)
		}
	}
	if w.swagger {
		maps.Copy(out, schema)
		return out
	}
	out["schema"] = schema
	w.examples(out, m)
	return out
}

// typedValue is a value of a parameter, kept as text, in its own type.
func typedValue(kind string, v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	switch kind {
	case "integer", "number":
		if _, err := json.Number(text).Float64(); err == nil && json.Valid([]byte(text)) {
			return json.Number(text)
		}
	case "boolean":
		if text == "true" || text == "false" {
			return text == "true"
		}
	}
	return text
}

func (w *openAPIWriter) examples(out, from map[string]any) {
	all, _ := from["examples"].(map[string]any)
	if only, ok := all["default"].(map[string]any); ok && len(all) == 1 && len(only) == 1 {
		if v, ok := only["value"]; ok {
			out["example"] = v
			return
		}
	}
	if len(all) > 0 {
		out["examples"] = all
	}
}

// content writes representations by media type.
func (w *openAPIWriter) content(representations []any) map[string]any {
	out := map[string]any{}
	for _, v := range representations {
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		media := map[string]any{}
		if name := asString(m["typeName"]); name != "" && w.schemas[name] != nil {
			media["schema"] = map[string]any{"$ref": w.refs() + name}
		} else if form := orEmptyList(m["formParameters"]); len(form) > 0 {
			properties, required := map[string]any{}, []any{}
			for _, f := range form {
				if fm, ok := f.(map[string]any); ok {
					name := asString(fm["name"])
					properties[name] = map[string]any{"type": fm["type"]}
					if fm["required"] == true {
						required = append(required, name)
					}
				}
			}
			schema := map[string]any{"type": "object", "properties": properties}
			if len(required) > 0 {
				schema["required"] = required
			}
			media["schema"] = schema
		}
		w.examples(media, m)
		out[asString(m["contentType"])] = media
	}
	return out
}

// swaggerBody gives the body or form parameters of an operation, and sets what it consumes.
func (w *openAPIWriter) swaggerBody(out map[string]any, representations []any, description string) []any {
	var parameters []any
	consumes := []any{}
	var schema any
	for _, v := range representations {
		m, ok := v.(map[string]any)
		if !ok {
			continue
		}
		consumes = append(consumes, m["contentType"])
		for _, f := range orEmptyList(m["formParameters"]) {
			if fm, ok := f.(map[string]any); ok {
				parameters = append(parameters, w.parameter(fm, "formData"))
			}
		}
		if name := asString(m["typeName"]); name != "" && w.schemas[name] != nil && schema == nil {
			schema = map[string]any{"$ref": w.refs() + name}
		}
	}
	if len(consumes) > 0 {
		out["consumes"] = consumes
	}
	if parameters != nil || len(consumes) == 0 && description == "" {
		return parameters
	}
	if schema == nil {
		schema = map[string]any{}
	}
	body := map[string]any{"name": "body", "in": "body", "schema": schema}
	if description != "" {
		body["description"] = description
	}
	return append(parameters, body)
}

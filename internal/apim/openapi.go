package apim

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
)

const (
	// componentsSchema is the content type under which API Management keeps the components of an OpenAPI 3 document.
	componentsSchema = "application/vnd.oai.openapi.components+json"
	// definitionsSchema is the same for Swagger 2.
	definitionsSchema = "application/vnd.ms-azure-apim.swagger.definitions+json"
)

// openAPIReader turns an OpenAPI description, 2.0 to 3.1, into the operations and schemas of API Management.
type openAPIReader struct {
	doc     *description
	swagger bool
	got     *imported
	schemas map[string]any // by name; inline ones are added
	refs    string         // what a reference to a schema begins with
	used    map[string]bool
	needs   []reference // schemas that operations name; their document is known at the end
}

// reference is a map that names a schema and waits for the id of its document.
type reference struct {
	in   map[string]any
	name string
}

// readOpenAPI reads OpenAPI 2.0, 3.0 or 3.1 in JSON or YAML. base completes a relative server address.
func readOpenAPI(content []byte, base string) (*imported, error) {
	doc, err := readDescription(content)
	if err != nil {
		return nil, err
	}
	r := &openAPIReader{doc: doc, got: &imported{properties: map[string]any{}}, used: map[string]bool{}, refs: "#/components/schemas/"}
	switch {
	case strings.HasPrefix(asText(doc.root["swagger"]), "2."):
		r.swagger, r.refs = true, "#/definitions/"
		r.schemas, _ = doc.root["definitions"].(map[string]any)
	case strings.HasPrefix(asText(doc.root["openapi"]), "3."):
		components, _ := doc.root["components"].(map[string]any)
		r.schemas, _ = components["schemas"].(map[string]any)
	default:
		return nil, doc.explain(faultAt(nil, "the document says neither swagger: \"2.0\" nor openapi: 3.x"))
	}
	if r.schemas == nil {
		r.schemas = map[string]any{}
	}
	if err := r.read(base); err != nil {
		return nil, doc.explain(err)
	}
	return r.got, nil
}

// asText is a scalar as text: versions are often written as numbers.
func asText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func (r *openAPIReader) read(base string) error {
	info, ok := r.doc.root["info"].(map[string]any)
	if !ok {
		return faultAt(nil, "the document has no info")
	}
	title, ok := info["title"].(string)
	if !ok || title == "" {
		return faultAt([]string{"info"}, "info has no title")
	}
	p := r.got.properties
	p["displayName"], p["description"], p["termsOfServiceUrl"] = title, info["description"], info["termsOfService"]
	for name, members := range map[string][]string{"contact": {"name", "url", "email"}, "license": {"name", "url"}} {
		if from, ok := info[name].(map[string]any); ok {
			to := map[string]any{}
			for _, m := range members {
				if s := asString(from[m]); s != "" {
					to[m] = s
				}
			}
			p[name] = to
		}
	}
	r.server(base)
	paths, ok := r.doc.root["paths"].(map[string]any)
	if !ok && r.doc.root["paths"] != nil {
		return faultAt([]string{"paths"}, "paths is not an object")
	}
	for _, path := range sortedNames(paths) {
		if strings.HasPrefix(path, "x-") {
			continue
		}
		if err := r.path(path, paths[path]); err != nil {
			return err
		}
	}
	return r.finishSchemas()
}

// server sets the backend's address from servers, or from schemes, host and basePath.
func (r *openAPIReader) server(base string) {
	address := ""
	if r.swagger {
		if host := asString(r.doc.root["host"]); host != "" {
			scheme := "https"
			if list, _ := r.doc.root["schemes"].([]any); len(list) > 0 && !slices.Contains(list, any("https")) {
				scheme = asText(list[0])
			}
			address = scheme + "://" + host
		} else {
			address = base
		}
		address += asString(r.doc.root["basePath"])
	} else if list, _ := r.doc.root["servers"].([]any); len(list) > 0 {
		first, _ := list[0].(map[string]any)
		address = asString(first["url"])
		variables, _ := first["variables"].(map[string]any)
		for name, v := range variables {
			m, _ := v.(map[string]any)
			address = strings.ReplaceAll(address, "{"+name+"}", asText(m["default"]))
		}
		if strings.HasPrefix(address, "/") {
			address = base + address
		}
	}
	scheme, _, ok := strings.Cut(address, "://")
	if !ok {
		return
	}
	r.got.properties["serviceUrl"] = strings.TrimSuffix(address, "/")
	r.got.properties["protocols"] = []any{strings.ToLower(scheme)}
}

// methods of OpenAPI, in the order in which operations are made.
func methodNames() []string {
	return []string{"delete", "get", "head", "options", "patch", "post", "put", "trace"}
}

func (r *openAPIReader) path(path string, v any) error {
	at := []string{"paths", path}
	item, err := r.resolve(v, at)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(path, "/") {
		return faultAt(at, "the path %q does not begin with a slash", path)
	}
	if strings.Count(path, "{") != strings.Count(path, "}") {
		return faultAt(at, "the path %q has braces that do not pair", path)
	}
	for _, method := range methodNames() {
		if item[method] == nil {
			continue
		}
		op, ok := item[method].(map[string]any)
		if !ok {
			return faultAt(append(at, method), "the operation is not an object")
		}
		child, err := r.operation(path, method, item, op, append(at, method))
		if err != nil {
			return err
		}
		r.got.operations = append(r.got.operations, child)
	}
	return nil
}

// resolve follows references inside the document to an object.
func (r *openAPIReader) resolve(v any, at []string) (map[string]any, error) {
	for hops := 0; ; hops++ {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, faultAt(at, "an object is needed here")
		}
		ref, ok := m["$ref"].(string)
		if !ok {
			return m, nil
		}
		pointer, inside := strings.CutPrefix(ref, "#/")
		if !inside {
			return nil, faultAt(at, "the reference %q leads out of the document; bundle the document into one file", ref)
		}
		if hops > 32 {
			return nil, faultAt(at, "the reference %q leads in a circle", ref)
		}
		v = any(r.doc.root)
		for _, step := range strings.Split(pointer, "/") {
			m, _ := v.(map[string]any)
			v = m[strings.NewReplacer("~1", "/", "~0", "~", "%7B", "{", "%7D", "}").Replace(step)]
		}
		if v == nil {
			return nil, faultAt(at, "the reference %q leads to nothing", ref)
		}
	}
}

func (r *openAPIReader) operation(path, method string, item, op map[string]any, at []string) (importedChild, error) {
	id := asString(op["operationId"])
	if id == "" {
		id = method + path
	}
	name := uniqueName(r.used, id)
	display := asString(op["summary"])
	if display == "" {
		display = id
	}
	var template, query, headers, form []any
	var body map[string]any
	for i, list := range [][]any{orEmptyList(item["parameters"]), orEmptyList(op["parameters"])} {
		for n, v := range list {
			place := append(slices.Clone(at), "parameters", fmt.Sprint(n))
			if i == 0 {
				place = append(slices.Clone(at[:2]), "parameters", fmt.Sprint(n))
			}
			p, err := r.resolve(v, place)
			if err != nil {
				return importedChild{}, err
			}
			if asString(p["name"]) == "" {
				return importedChild{}, faultAt(place, "the parameter has no name")
			}
			switch asString(p["in"]) {
			case "path":
				out := r.parameter(p, name)
				out["required"] = true
				template = replaceNamed(template, out)
			case "query":
				query = replaceNamed(query, r.parameter(p, name))
			case "header":
				headers = replaceNamed(headers, r.parameter(p, name))
			case "formData":
				form = replaceNamed(form, r.parameter(p, name))
			case "body":
				body = p
			case "cookie": // API Management has no place for them
			default:
				return importedChild{}, faultAt(place, "the parameter %s is in %q, which is none of path, query, header, cookie, body, formData", asString(p["name"]), asText(p["in"]))
			}
		}
	}
	declared := template
	template = nil
	for _, n := range templateNames(path) { // in the order of the path; one the document forgot to declare is text
		found := any(map[string]any{"name": n, "type": "string", "required": true, "values": []any{}})
		for _, d := range declared {
			if d.(map[string]any)["name"] == n {
				found = d
			}
		}
		if !hasNamed(template, n) {
			template = append(template, found)
		}
	}
	request := map[string]any{"queryParameters": orEmpty(query), "headers": orEmpty(headers), "representations": []any{}}
	if err := r.body(request, op, body, form, name, at); err != nil {
		return importedChild{}, err
	}
	responses, err := r.responses(op, name, at)
	if err != nil {
		return importedChild{}, err
	}
	properties := map[string]any{"displayName": display, "method": strings.ToUpper(method), "urlTemplate": path, "templateParameters": orEmpty(template), "request": request, "responses": responses}
	if d := asString(op["description"]); d != "" {
		properties["description"] = d
	}
	return importedChild{name: name, properties: properties}, nil
}

// body sets the request's representations from requestBody, or from Swagger's body and formData parameters.
func (r *openAPIReader) body(request, op, body map[string]any, form []any, name string, at []string) error {
	if op["requestBody"] != nil {
		b, err := r.resolve(op["requestBody"], append(slices.Clone(at), "requestBody"))
		if err != nil {
			return err
		}
		if d := asString(b["description"]); d != "" {
			request["description"] = d
		}
		content, _ := b["content"].(map[string]any)
		request["representations"] = r.representations(content, name+"Request")
		return nil
	}
	if body != nil {
		content := map[string]any{}
		for _, mediaType := range r.media(op, "consumes") {
			content[mediaType] = map[string]any{"schema": body["schema"]}
		}
		if d := asString(body["description"]); d != "" {
			request["description"] = d
		}
		request["representations"] = r.representations(content, name+"Request")
	} else if form != nil {
		mediaType := "application/x-www-form-urlencoded"
		if list := r.media(op, "consumes"); slices.Contains(list, "multipart/form-data") {
			mediaType = "multipart/form-data"
		}
		request["representations"] = []any{map[string]any{"contentType": mediaType, "formParameters": form}}
	}
	return nil
}

// media are the media types of a Swagger operation.
func (r *openAPIReader) media(op map[string]any, property string) []string {
	list := orEmptyList(op[property])
	if len(list) == 0 {
		list = orEmptyList(r.doc.root[property])
	}
	out := []string{}
	for _, v := range list {
		out = append(out, asText(v))
	}
	if len(out) == 0 {
		out = []string{"application/json"}
	}
	return out
}

func (r *openAPIReader) responses(op map[string]any, name string, at []string) ([]any, error) {
	out := []any{}
	all, _ := op["responses"].(map[string]any)
	for _, code := range sortedNames(all) {
		var status int
		if _, err := fmt.Sscanf(code, "%d", &status); err != nil || len(code) != 3 {
			continue // "default" and "4XX" have no place in API Management
		}
		resp, err := r.resolve(all[code], append(slices.Clone(at), "responses", code))
		if err != nil {
			return nil, err
		}
		content, _ := resp["content"].(map[string]any)
		if r.swagger && resp["schema"] != nil {
			content = map[string]any{}
			examples, _ := resp["examples"].(map[string]any)
			for _, mediaType := range r.media(op, "produces") {
				media := map[string]any{"schema": resp["schema"]}
				if ex, ok := examples[mediaType]; ok {
					media["example"] = ex
				}
				content[mediaType] = media
			}
		}
		item := map[string]any{"statusCode": status, "representations": r.representations(content, name+code), "headers": r.headers(resp, name)}
		if d := asString(resp["description"]); d != "" {
			item["description"] = d
		}
		out = append(out, item)
	}
	return out, nil
}

func (r *openAPIReader) headers(resp map[string]any, name string) []any {
	out := []any{}
	all, _ := resp["headers"].(map[string]any)
	for _, h := range sortedNames(all) {
		m, err := r.resolve(all[h], nil)
		if err != nil {
			continue
		}
		m = clone(m)
		m["name"] = h
		out = append(out, r.parameter(m, name))
	}
	return out
}

func sortedNames(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

func orEmptyList(v any) []any { list, _ := v.([]any); return list }

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

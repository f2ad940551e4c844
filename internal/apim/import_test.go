package apim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

const petsYAML = `openapi: 3.1.0
info: {title: Pets, version: "2", description: About pets, contact: {name: Ann, email: ann@pets.test}}
servers: [{url: "https://{region}.pets.test/v2", variables: {region: {default: eu}}}]
paths:
  /pets/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer}}
    get:
      operationId: getPet
      summary: One pet
      parameters:
        - {name: limit, in: query, schema: {type: integer, enum: [1, 10], default: 10}}
        - {$ref: '#/components/parameters/Trace'}
      responses:
        '200':
          description: fine
          content:
            application/json: {schema: {$ref: '#/components/schemas/Pet'}, example: {name: Rex}}
        default: {description: no}
    put:
      requestBody: {content: {application/json: {schema: {type: object, properties: {name: {type: string}}}}}}
      responses: {'204': {description: done}}
components:
  parameters:
    Trace: {name: X-Trace, in: header, description: a trace, schema: {type: string, maxLength: 12}}
  schemas:
    Pet: {type: [object, 'null'], properties: {name: {type: string}, next: {$ref: '#/components/schemas/Pet'}}}
`

const petsSwagger = `{"swagger":"2.0","info":{"title":"Pets","version":"1"},"host":"pets.test","basePath":"/v1","schemes":["http","https"],"consumes":["application/json"],"produces":["application/json"],
"paths":{"/pets":{"post":{"operationId":"add","parameters":[{"name":"pet","in":"body","schema":{"$ref":"#/definitions/Pet"}},{"name":"tag","in":"query","type":"string","enum":["a","b"]}],
"responses":{"201":{"description":"made","schema":{"$ref":"#/definitions/Pet"},"examples":{"application/json":{"name":"Rex"}}}}}}},
"definitions":{"Pet":{"type":"object","properties":{"name":{"type":"string"}}}}}`

const addWSDL = `<?xml version="1.0"?>
<wsdl:definitions name="Calc" targetNamespace="urn:calc" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="urn:calc" xmlns:xs="http://www.w3.org/2001/XMLSchema">
 <wsdl:types><xs:schema targetNamespace="urn:calc"><xs:element name="Add" type="xs:int"/></xs:schema></wsdl:types>
 <wsdl:message name="AddIn"/>
 <wsdl:portType name="CalcPort"><wsdl:operation name="Add"><wsdl:documentation>Adds.</wsdl:documentation><wsdl:input message="tns:AddIn"/></wsdl:operation></wsdl:portType>
 <wsdl:binding name="CalcSoap" type="tns:CalcPort"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/><wsdl:operation name="Add"><soap:operation soapAction="urn:calc/Add"/></wsdl:operation></wsdl:binding>
 <wsdl:service name="Calc"><wsdl:port name="CalcSoap" binding="tns:CalcSoap"><soap:address location="http://calc.test/svc"/></wsdl:port></wsdl:service>
</wsdl:definitions>`

const stockWADL = `<application xmlns="http://wadl.dev.java.net/2009/02" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
 <doc title="Stock">About stock</doc>
 <resources base="https://stock.test/"><resource path="items/{id}"><param name="id" style="template" type="xsd:int" required="true"/>
  <method name="GET" id="getItem"><doc title="One item"/><request><param name="full" style="query" type="xsd:boolean" default="false"/></request><response status="200"><representation mediaType="application/json"/></response></method>
 </resource></resources></application>`

func importBody(format, value string, more ...any) string {
	props := map[string]any{"path": "imported", "format": format, "value": value}
	for i := 0; i < len(more); i += 2 {
		props[more[i].(string)] = more[i+1]
	}
	b, _ := json.Marshal(map[string]any{"properties": props})
	return string(b)
}

func TestImportOpenAPI(t *testing.T) {
	p := withService(t)
	api := p.must("PUT", "apis/pets", importBody("openapi", petsYAML))
	for path, want := range map[string]any{"displayName": "Pets", "serviceUrl": "https://eu.pets.test/v2", "description": "About pets", "path": "imported", "type": "http"} {
		if got := at(api, "properties", path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if at(api, "properties", "format") != nil || at(api, "properties", "value") != nil {
		t.Error("the import's own properties are kept")
	}
	op := p.must("GET", "apis/pets/operations/getPet", "")
	for want, path := range map[string][]any{"One pet": {"displayName"}, "/pets/{id}": {"urlTemplate"}, "integer": {"templateParameters", 0, "type"}, "10": {"request", "queryParameters", 0, "defaultValue"},
		"X-Trace": {"request", "headers", 0, "name"}, "Pet": {"responses", 0, "representations", 0, "typeName"}, "components": {"responses", 0, "representations", 0, "schemaId"},
		"Rex": {"responses", 0, "representations", 0, "examples", "default", "value", "name"}, "getPet-X-Trace": {"request", "headers", 0, "typeName"}} {
		if got := at(at(op, "properties"), path...); got != want {
			t.Errorf("%v is %v, want %s", path, got, want)
		}
	}
	if n := len(at(op, "properties", "responses").([]any)); n != 1 {
		t.Errorf("%d responses", n)
	}
	put := p.must("GET", "apis/pets/operations/put-pets-id", "")
	name := at(put, "properties", "request", "representations", 0, "typeName")
	schema := p.must("GET", "apis/pets/schemas/components", "")
	if at(schema, "properties", "document", "components", "schemas", name.(string), "properties", "name", "type") != "string" {
		t.Errorf("the inline schema %v is not kept: %v", name, schema)
	}
	// A second import replaces the operations, and keeps the policies of those that stay.
	p.must("PUT", "apis/pets/operations/getPet/policies/policy", `{"properties":{"format":"rawxml","value":"<policies></policies>"}}`)
	p.must("PUT", "apis/pets", importBody("openapi", strings.Replace(petsYAML, "    put:", "    patch:", 1)))
	if got := names(p.must("GET", "apis/pets/operations", "")); got != "getPet patch-pets-id" {
		t.Errorf("operations are %s", got)
	}
	p.must("GET", "apis/pets/operations/getPet/policies/policy", "")
}

func TestImportOtherFormats(t *testing.T) {
	p := withService(t)
	p.links["https://docs.test/pets.json"] = []byte(strings.Replace(petsSwagger, `"host":"pets.test",`, "", 1))
	p.links["https://docs.test/schema.graphql"] = []byte("type Query { users: [User] } type User { name: String }")
	for _, c := range []struct {
		id, format, value   string
		more                []any
		kind, url, ops, one string
	}{
		{"swagger", "swagger-json", petsSwagger, nil, "http", "https://pets.test/v1", "add", "add"},
		{"link", "swagger-link-json", "https://docs.test/pets.json", nil, "http", "https://docs.test/v1", "add", "add"},
		{"soap", "wsdl", addWSDL, []any{"apiType", "soap", "wsdlSelector", map[string]any{"wsdlServiceName": "Calc", "wsdlEndpointName": "CalcSoap"}}, "soap", "http://calc.test/svc", "Add", "Add"},
		{"wadl", "wadl-xml", stockWADL, nil, "http", "https://stock.test", "getItem", "getItem"},
		{"graph", "graphql-link", "https://docs.test/schema.graphql", []any{"serviceUrl", "https://g.test"}, "graphql", "https://g.test", "", ""},
	} {
		t.Run(c.id, func(t *testing.T) {
			api := p.must("PUT", "apis/"+c.id, importBody(c.format, c.value, append(c.more, "path", c.id)...))
			if at(api, "properties", "type") != c.kind || at(api, "properties", "serviceUrl") != c.url {
				t.Errorf("%v", api)
			}
			if got := names(p.must("GET", "apis/"+c.id+"/operations", "")); got != c.ops {
				t.Errorf("operations are %q", got)
			}
			if c.one != "" {
				p.must("GET", "apis/"+c.id+"/operations/"+c.one, "")
			}
		})
	}
	if v := at(p.must("GET", "apis/soap/operations/Add", ""), "properties", "urlTemplate"); v != "/?soapAction=urn:calc/Add" {
		t.Errorf("urlTemplate %v", v)
	}
	if v, _ := at(p.must("GET", "apis/graph/schemas/graphql", ""), "properties", "document", "value").(string); !strings.Contains(v, "type User") {
		t.Errorf("schema %v", v)
	}
}

func TestImportErrorsTellThePlace(t *testing.T) {
	p := withService(t)
	for _, c := range []struct{ name, format, value, words string }{
		{"broken JSON", "openapi+json", "{\n\"openapi\": \"3.0.0\",\n oops}", "line 3, column"},
		{"ends early", "openapi+json", `{"openapi":`, "ends too early"},
		{"broken YAML", "openapi", "openapi: 3.0.0\ninfo: {title: A\n", "line"},
		{"no version", "openapi", "info: {title: A}", "line 1, at #: the document says neither"},
		{"no info", "openapi", "openapi: 3.0.0\npaths: {}", "has no info"},
		{"lost reference", "openapi", "openapi: 3.0.0\ninfo: {title: A}\npaths:\n  /a:\n    get:\n      parameters:\n        - $ref: '#/nowhere'\n", "line 7, at #/paths/~1a/get/parameters/0: the reference"},
		{"lost reference in JSON", "openapi+json", "{\"openapi\":\"3.0.0\",\"info\":{\"title\":\"A\"},\n\"paths\":{\"/a\":{\n\"get\":{\"requestBody\":\n{\"$ref\":\"other.json#/a\"}}}}}", "line 3, at #/paths/~1a/get/requestBody: the reference \\\"other.json#/a\\\" leads out"},
		{"bad path", "openapi", "openapi: 3.0.0\ninfo: {title: A}\npaths:\n  a: {}\n", "line 4, at #/paths/a"},
		{"twice", "openapi", "openapi: 3.0.0\ninfo: {title: A, title: B}\n", "line 2"},
		{"WSDL", "wsdl", "<definitions>\n<oops></definitions>", "line 2"},
		{"WADL root", "wadl-xml", "<resources/>", "<resources>, not <application>"},
		{"GraphQL", "graphql", "type Query {\n a: Missing }", "line 2, column"},
		{"unknown format", "raml", "x", "cannot be imported"},
		{"not found", "openapi-link", "https://docs.test/none", "cannot be read"},
		{"SOAP to REST", "wsdl", addWSDL, "apiType soap"},
	} {
		t.Run(c.name, func(t *testing.T) {
			more := []any{}
			if c.name == "SOAP to REST" {
				more = []any{"apiType", "http"}
			}
			p.fails("PUT", "apis/bad", importBody(c.format, c.value, more...), 400, "ValidationError", c.words)
		})
	}
	if status, _, _ := p.do("GET", "apis/bad", "", nil); status != 404 {
		t.Error("a failed import left something")
	}
}

// export reads an API back as a document.
func (p *plane) export(t testing.TB, api, format string) []byte {
	t.Helper()
	status, raw, _ := p.do("GET", "apis/"+api+"?export=true&format="+format, "", nil)
	if status != 200 {
		t.Fatalf("export: %d %s", status, raw)
	}
	link, ok := at(decode(t, raw), "value", "link").(string)
	if !ok {
		t.Fatalf("no link in %s", raw)
	}
	resp, err := p.server.Client().Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	var b strings.Builder
	if _, err := fmt.Fprint(&b, readAll(t, resp.Body)); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d %v", resp.StatusCode, err)
	}
	return []byte(b.String())
}

func TestExport(t *testing.T) {
	p := withService(t)
	p.must("PUT", "apis/pets", importBody("openapi", petsYAML))
	var doc map[string]any
	if err := yaml.Unmarshal(p.export(t, "pets", "openapi-link"), &doc); err != nil || at(doc, "openapi") != "3.0.1" || at(doc, "paths", "/pets/{id}", "get", "operationId") != "getPet" {
		t.Fatalf("%v %v", err, doc)
	}
	if v := at(doc, "paths", "/pets/{id}", "get", "parameters", 1, "schema", "default"); v != 10 {
		t.Errorf("a default of type integer is %T %v", v, v)
	}
	v2 := decode(t, p.export(t, "pets", "swagger-link"))
	if at(v2, "swagger") != "2.0" || at(v2, "definitions", "Pet", "properties", "next", "$ref") != "#/definitions/Pet" || at(v2, "host") != "contoso.test" {
		t.Errorf("%v", v2)
	}
	inline := p.must("GET", "apis/pets?export=true&format=openapi%2Bjson", "")
	if at(inline, "value", "openapi") != "3.0.1" {
		t.Errorf("%v", inline)
	}
	p.fails("GET", "apis/pets?export=true&format=wadl-link", "", 400, "ValidationError", "cannot be exported")
	p.fails("GET", "exports/AAAA", "", 403, "AuthenticationFailed", "not valid any more")
}

// TestRoundTrip: what was imported, exported and imported again has the same operations and schemas, in every format.
func TestRoundTrip(t *testing.T) {
	p := withService(t)
	state := func(rt *rapid.T, api string) (ops, schemas any) {
		return at(p.must("GET", "apis/"+api+"/operations", ""), "value"), at(p.must("GET", "apis/"+api+"/schemas", ""), "value")
	}
	neutral := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return strings.NewReplacer("/apis/first/", "/", "/apis/second/", "/").Replace(string(b))
	}
	rapid.Check(t, func(rt *rapid.T) {
		doc, err := json.Marshal(drawOpenAPI(rt))
		if err != nil {
			rt.Fatal(err)
		}
		format := rapid.SampledFrom([]string{"openapi-link", "openapi+json-link"}).Draw(rt, "format")
		p.must("PUT", "apis/first", importBody("openapi+json", string(doc), "path", "first"))
		p.must("PUT", "apis/second", importBody("openapi", string(p.export(t, "first", format)), "path", "second"))
		ops, schemas := state(rt, "first")
		ops2, schemas2 := state(rt, "second")
		if d := cmp.Diff(neutral(ops), neutral(ops2)); d != "" {
			rt.Fatalf("operations differ: %s\n%s", d, doc)
		}
		if d := cmp.Diff(neutral(schemas), neutral(schemas2)); d != "" {
			rt.Fatalf("schemas differ: %s\n%s", d, doc)
		}
		// Swagger says less; what it says once, it says again.
		once := p.export(t, "first", "swagger-link")
		p.must("PUT", "apis/second", importBody("swagger-json", string(once), "path", "first2"))
		again := p.export(t, "second", "swagger-link")
		var a, b map[string]any
		if json.Unmarshal(once, &a) != nil || json.Unmarshal(again, &b) != nil {
			rt.Fatal("an export is no JSON")
		}
		if d := cmp.Diff(at(a, "paths"), at(b, "paths")); d != "" {
			rt.Fatalf("Swagger differs: %s\n%s", d, doc)
		}
	})
}

// drawOpenAPI draws a document with paths, parameters, bodies and schemas.
func drawOpenAPI(rt *rapid.T) map[string]any {
	word := rapid.StringMatching(`[a-z][a-z0-9]{0,6}`)
	scalar := rapid.SampledFrom([]map[string]any{{"type": "string"}, {"type": "integer", "enum": []any{1, 2}, "default": 2}, {"type": "boolean"}, {"type": "number", "default": 1.5},
		{"type": "string", "enum": []any{"a", "b"}}, {"type": "string", "maxLength": 3}, {"$ref": "#/components/schemas/Base"}})
	schema := rapid.Custom(func(rt *rapid.T) map[string]any {
		if rapid.Bool().Draw(rt, "ref") {
			return map[string]any{"$ref": "#/components/schemas/Base"}
		}
		return map[string]any{"type": "object", "properties": map[string]any{word.Draw(rt, "property"): scalar.Draw(rt, "schema")}}
	})
	paths := map[string]any{}
	for range rapid.IntRange(1, 4).Draw(rt, "paths") {
		path, parameters := "/"+word.Draw(rt, "segment"), []any{}
		if rapid.Bool().Draw(rt, "template") {
			name := word.Draw(rt, "name")
			path += "/{" + name + "}"
			parameters = append(parameters, map[string]any{"name": name, "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
		}
		item := map[string]any{}
		for _, method := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"get", "post", "put", "delete"}), 1, 3, rapid.ID).Draw(rt, "methods") {
			own := append([]any{}, parameters...)
			for _, name := range rapid.SliceOfNDistinct(word, 0, 3, rapid.ID).Draw(rt, "parameters") {
				own = append(own, map[string]any{"name": name, "in": rapid.SampledFrom([]string{"query", "header"}).Draw(rt, "in"), "schema": scalar.Draw(rt, "schema")})
			}
			op := map[string]any{"parameters": own, "summary": rapid.StringMatching(`[A-Za-z ]{1,12}`).Draw(rt, "summary"),
				"responses": map[string]any{"200": map[string]any{"description": "ok", "content": map[string]any{"application/json": map[string]any{"schema": schema.Draw(rt, "response")}}}}}
			if rapid.Bool().Draw(rt, "id") {
				op["operationId"] = rapid.StringMatching(`[A-Za-z][A-Za-z0-9_ /-]{0,8}`).Draw(rt, "operationId")
			}
			if method != "get" && rapid.Bool().Draw(rt, "body") {
				op["requestBody"] = map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": schema.Draw(rt, "body"), "example": map[string]any{"a": 1}}}}
			}
			item[method] = op
		}
		paths[path] = item
	}
	return map[string]any{"openapi": "3.0.1", "info": map[string]any{"title": "T", "version": "1"}, "paths": paths,
		"components": map[string]any{"schemas": map[string]any{"Base": map[string]any{"type": "object", "properties": map[string]any{"id": map[string]any{"type": "integer"}}}}}}
}

package apim

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// wadl is what is read of a WADL document (W3C Member Submission, 31 August 2009).
type wadl struct {
	XMLName xml.Name
	Docs    []wadlDoc `xml:"doc"`
	Sets    []struct {
		Base      string         `xml:"base,attr"`
		Resources []wadlResource `xml:"resource"`
	} `xml:"resources"`
}

type wadlDoc struct {
	Title string `xml:"title,attr"`
	Text  string `xml:",chardata"`
}

type wadlResource struct {
	Path      string         `xml:"path,attr"`
	Params    []wadlParam    `xml:"param"`
	Methods   []wadlMethod   `xml:"method"`
	Resources []wadlResource `xml:"resource"`
}

type wadlParam struct {
	Name     string    `xml:"name,attr"`
	Style    string    `xml:"style,attr"`
	Type     string    `xml:"type,attr"`
	Required bool      `xml:"required,attr"`
	Default  string    `xml:"default,attr"`
	Docs     []wadlDoc `xml:"doc"`
	Options  []struct {
		Value string `xml:"value,attr"`
	} `xml:"option"`
}

type wadlContent struct {
	Status          string      `xml:"status,attr"`
	Docs            []wadlDoc   `xml:"doc"`
	Params          []wadlParam `xml:"param"`
	Representations []struct {
		MediaType string `xml:"mediaType,attr"`
	} `xml:"representation"`
}

type wadlMethod struct {
	Name      string        `xml:"name,attr"`
	ID        string        `xml:"id,attr"`
	Docs      []wadlDoc     `xml:"doc"`
	Request   wadlContent   `xml:"request"`
	Responses []wadlContent `xml:"response"`
}

func readWADL(content []byte) (*imported, error) {
	var d wadl
	if err := readXML(content, "application", &d, func() string { return d.XMLName.Local }); err != nil {
		return nil, err
	}
	got := &imported{properties: map[string]any{}}
	for _, doc := range d.Docs {
		if doc.Title != "" {
			got.properties["displayName"] = doc.Title
		}
		if text := strings.TrimSpace(doc.Text); text != "" {
			got.properties["description"] = text
		}
	}
	used := map[string]bool{}
	for _, set := range d.Sets {
		if scheme, _, ok := strings.Cut(set.Base, "://"); ok {
			got.properties["serviceUrl"], got.properties["protocols"] = strings.TrimSuffix(set.Base, "/"), []any{strings.ToLower(scheme)}
		}
		for _, r := range set.Resources {
			if err := r.read("", nil, got, used); err != nil {
				return nil, err
			}
		}
	}
	if len(got.operations) == 0 {
		return nil, fmt.Errorf("line 1: the document describes no method")
	}
	return got, nil
}

func (r wadlResource) read(above string, params []wadlParam, got *imported, used map[string]bool) error {
	path := above + "/" + strings.Trim(r.Path, "/")
	if strings.Count(path, "{") != strings.Count(path, "}") {
		return fmt.Errorf("the resource %q has braces that do not pair", path)
	}
	params = append(params[:len(params):len(params)], r.Params...)
	for _, m := range r.Methods {
		got.operations = append(got.operations, m.operation(path, params, used))
	}
	for _, inner := range r.Resources {
		if err := inner.read(strings.TrimSuffix(path, "/"), params, got, used); err != nil {
			return err
		}
	}
	return nil
}

func (m wadlMethod) operation(path string, params []wadlParam, used map[string]bool) importedChild {
	id := m.ID
	if id == "" {
		id = strings.ToLower(m.Name) + path
	}
	display, text := id, ""
	for _, d := range m.Docs {
		if d.Title != "" {
			display = d.Title
		}
		text += strings.TrimSpace(d.Text)
	}
	var template, query, headers []any
	for _, p := range append(params[:len(params):len(params)], m.Request.Params...) {
		switch p.Style {
		case "template":
			p.Required = true
			template = replaceNamed(template, p.view())
		case "query":
			query = replaceNamed(query, p.view())
		case "header":
			headers = replaceNamed(headers, p.view())
		}
	}
	for _, n := range templateNames(path) {
		if !hasNamed(template, n) {
			template = append(template, map[string]any{"name": n, "type": "string", "required": true, "values": []any{}})
		}
	}
	responses := []any{}
	for _, r := range m.Responses {
		for _, code := range strings.Fields(r.Status) {
			if status, err := strconv.Atoi(code); err == nil {
				responses = append(responses, map[string]any{"statusCode": status, "representations": r.media(), "headers": []any{}})
			}
		}
	}
	return importedChild{name: uniqueName(used, id), properties: map[string]any{"displayName": display, "method": strings.ToUpper(m.Name), "urlTemplate": path, "description": text,
		"templateParameters": orEmpty(template), "request": map[string]any{"queryParameters": orEmpty(query), "headers": orEmpty(headers), "representations": m.Request.media()}, "responses": responses}}
}

func (c wadlContent) media() []any {
	out := []any{}
	for _, r := range c.Representations {
		if r.MediaType != "" {
			out = append(out, map[string]any{"contentType": r.MediaType})
		}
	}
	return out
}

func (p wadlParam) view() map[string]any {
	kind := "string"
	switch localName(p.Type) {
	case "int", "integer", "long", "short":
		kind = "integer"
	case "boolean":
		kind = "boolean"
	case "decimal", "double", "float":
		kind = "number"
	}
	out := map[string]any{"name": p.Name, "type": kind, "required": p.Required, "values": []any{}}
	for _, o := range p.Options {
		out["values"] = append(out["values"].([]any), o.Value)
	}
	if p.Default != "" {
		out["defaultValue"] = p.Default
	}
	for _, d := range p.Docs {
		if text := strings.TrimSpace(d.Text); text != "" {
			out["description"] = text
		}
	}
	return out
}

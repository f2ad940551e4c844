package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// rawOnly is the rest of a textual resource that needs no file of its own.
const rawOnly = `{"properties":{"format":"rawxml"}}`

// file is one file of a resource.
type file struct {
	name string
	data []byte
}

// encode gives the files of a resource in their order, secrets aside.
func encode(r Resource) ([]file, error) {
	doc, err := document(r)
	if err != nil {
		return nil, err
	}
	if r.Path == "" {
		return []file{{serviceFile, indent(nil, doc)}}, nil
	}
	folder, textual, err := stem(r.Path)
	if err != nil {
		return nil, err
	}
	if textual {
		if text, rest, ok := cutText(doc); ok {
			if string(rest) == rawOnly {
				return []file{{folder + ".xml", text}}, nil
			}
			return []file{{folder + ".json", indent(nil, rest)}, {folder + ".xml", text}}, nil
		}
	}
	return []file{{folder + "/" + informationFile(r.Path), indent(make([]byte, 0, len(doc)*5/4), doc)}}, nil
}

// document joins properties and envelope into the canonical object that a file holds.
func document(r Resource) ([]byte, error) {
	var props []byte
	if r.Properties != nil {
		p, err := Canonical(r.Properties)
		if err != nil {
			return nil, fmt.Errorf("properties: %w", err)
		}
		props = p
	}
	if len(r.Envelope) == 0 || string(r.Envelope) == "{}" {
		if props == nil {
			return []byte("{}"), nil
		}
		return object([]span{{"properties", props}}), nil
	}
	env, err := Canonical(r.Envelope)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	if env[0] != '{' {
		return nil, errors.New("the envelope is not an object")
	}
	var out []span
	for _, m := range members(env) {
		switch m.name {
		case "id", "name", "type", "properties":
			return nil, fmt.Errorf("the envelope has a member %q, which has its own place", m.name)
		}
		if props != nil && m.name > "properties" {
			out, props = append(out, span{"properties", props}), nil
		}
		out = append(out, m)
	}
	if props != nil {
		out = append(out, span{"properties", props})
	}
	return object(out), nil
}

// cutText takes properties.value out of a document; ok is false where it is no string that UTF-8 can carry.
func cutText(doc []byte) (text, rest []byte, ok bool) {
	outer := members(doc)
	for i, m := range outer {
		if m.name != "properties" || m.value[0] != '{' {
			continue
		}
		inner := members(m.value)
		for j, v := range inner {
			if v.name != "value" || v.value[0] != '"' {
				continue
			}
			if text, ok = unquote(v.value); !ok {
				return nil, nil, false
			}
			outer[i].value = object(append(inner[:j:j], inner[j+1:]...))
			return text, object(outer), true
		}
	}
	return nil, nil, false
}

// decode makes a resource of its files; doc is nil for a text without a document, text is nil for a document alone.
func decode(path string, doc, text []byte, hasText bool) (Resource, error) {
	r := Resource{Path: path}
	if doc == nil {
		doc = []byte(rawOnly)
	}
	canonical, err := Canonical(doc)
	if err != nil {
		return r, err
	}
	if r, err = decodeObject(path, canonical); err != nil {
		return r, err
	}
	if hasText {
		if len(r.Properties) == 0 || r.Properties[0] != '{' {
			return r, errors.New("a text has no properties to stand in")
		}
		if !utf8.Valid(text) {
			return r, errors.New("the text is not UTF-8")
		}
		r.Properties = insertText(r.Properties, string(text))
	}
	return r, nil
}

// decodeObject makes a resource of its canonical document, text included.
func decodeObject(path string, canonical []byte) (Resource, error) {
	r := Resource{Path: path}
	if canonical[0] != '{' {
		return r, errors.New("the document is not an object")
	}
	var env []span
	for _, m := range members(canonical) {
		if m.name == "properties" {
			r.Properties = m.value
		} else {
			env = append(env, m)
		}
	}
	if len(env) > 0 {
		r.Envelope = object(env)
	}
	return r, nil
}

// insertText puts the member value where it belongs. A second one stands in the document already only if the file is not
// canonical; the check of the file finds that.
func insertText(props []byte, text string) []byte {
	value := span{"value", quote(make([]byte, 0, len(text)*17/16+2), text)}
	inner := members(props)
	for i, m := range inner {
		if m.name >= value.name {
			return object(append(inner[:i:i], append([]span{value}, inner[i:]...)...))
		}
	}
	return object(append(inner, value))
}

// checkFiles tells whether the files are those that the resource gives: canonical, and named by the mapping. Files that
// decode to a resource but differ from what it gives were not written by the rules.
func checkFiles(r Resource, names []string, contents [][]byte) error {
	want, err := encode(r)
	if err != nil {
		return err
	}
	if len(want) != len(names) {
		return fmt.Errorf("the resource has %d files in place of %d", len(names), len(want))
	}
	for i, f := range want {
		if f.name != names[i] {
			return fmt.Errorf("the resource's file is named %q", f.name)
		}
		if !bytes.Equal(f.data, contents[i]) {
			return errors.New("the document is not in canonical form")
		}
	}
	return nil
}

func fold(path string) string { return strings.ToLower(path) }

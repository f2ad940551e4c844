package apim

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// shape is what Azure's contract says of an object: the properties in Azure's case and the form of each.
type shape struct{ members map[string]*member } // by lower-case name

type member struct {
	name     string
	form     form
	required bool
	readOnly bool
}

// form is what a value may be.
type form struct {
	list, dict bool     // of what follows
	plain      string   // "string", "bool", "int", "number", "time", "any"; empty for the two below
	enum       []string // in Azure's case
	object     *shape
}

// readShapes parses shapeText and gives the shape of each kind's properties by its path.
func readShapes() map[string]*shape {
	enums, shapes, kinds := map[string][]string{}, map[string]*shape{}, map[string]*shape{}
	named := func(name string) *shape {
		if shapes[name] == nil {
			shapes[name] = &shape{members: map[string]*member{}}
		}
		return shapes[name]
	}
	var at *shape
	for line := range strings.Lines(strings.TrimSpace(shapeText)) {
		f := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "enum "):
			enums[f[1]] = strings.Split(f[2], "|")
		case strings.HasPrefix(line, "type "):
			at = named(f[1])
		case strings.HasPrefix(line, "kind "):
			kinds[f[1]] = named(f[2])
		default:
			m := &member{name: strings.TrimRight(f[0], "!?"), required: strings.HasSuffix(f[0], "!"), readOnly: strings.HasSuffix(f[0], "?")}
			text := f[1]
			for m.form.list, m.form.dict = false, false; strings.HasPrefix(text, "[]") || strings.HasPrefix(text, "{}"); text = text[2:] {
				m.form.list, m.form.dict = m.form.list || text[0] == '[', m.form.dict || text[0] == '{'
			}
			switch text {
			case "string", "bool", "int", "number", "time", "any":
				m.form.plain = text
			default:
				if m.form.enum = enums[text]; m.form.enum == nil {
					m.form.object = named(text)
				}
			}
			at.members[strings.ToLower(m.name)] = m
		}
	}
	return kinds
}

// conform brings what a client sent into Azure's case at all depths, drops what is read-only, and checks the form of every
// value. What the contract does not know stays as it is: later versions know more. skip are names whose enumerations are
// not held. Errors are 400 ValidationError with the property as target.
func (s *shape) conform(props map[string]any, at string, skip []string) error {
	for name, v := range props {
		m := s.members[strings.ToLower(name)]
		if m == nil {
			continue
		}
		path := at + m.name
		if name != m.name {
			if _, twice := props[m.name]; twice {
				return invalid(path, "%s is sent twice, as %s and as %s", path, m.name, name)
			}
			delete(props, name)
			props[m.name] = v
		}
		if m.readOnly {
			delete(props, m.name)
			continue
		}
		if v == nil || contains(skip, m.name) {
			continue
		}
		conformed, err := m.form.conform(v, path)
		if err != nil {
			return err
		}
		props[m.name] = conformed
	}
	if at == "" {
		return nil // what is required of the whole depends on the kind
	}
	for _, m := range s.members {
		if m.required && props[m.name] == nil {
			return invalid(at+m.name, "%s is required.", at+m.name)
		}
	}
	return nil
}

func (f form) conform(v any, path string) (any, error) {
	if f.list || f.dict {
		return f.elements(v, path)
	}
	switch {
	case f.object != nil:
		object, ok := v.(map[string]any)
		if !ok {
			return nil, invalid(path, "%s must be an object, not %s", path, jsonType(v))
		}
		return object, f.object.conform(object, path+".", nil)
	case f.enum != nil:
		text, ok := v.(string)
		for _, allowed := range f.enum {
			if ok && strings.EqualFold(allowed, text) {
				return allowed, nil
			}
		}
		return nil, invalid(path, "%s is %v, which is not one of %s", path, v, strings.Join(f.enum, ", "))
	}
	return v, f.scalar(v, path)
}

// elements conforms a list, a dictionary, or a dictionary of lists.
func (f form) elements(v any, path string) (any, error) {
	of := f
	switch list := v.(type) {
	case []any:
		if !f.list {
			break
		}
		of.list, of.dict = false, false
		for i, e := range list {
			if e == nil {
				continue
			}
			c, err := of.conform(e, fmt.Sprintf("%s[%d]", path, i))
			if err != nil {
				return nil, err
			}
			list[i] = c
		}
		return list, nil
	case map[string]any:
		if !f.dict {
			break
		}
		of.dict = false
		for name, e := range list {
			if e == nil {
				continue
			}
			c, err := of.conform(e, path+"."+name)
			if err != nil {
				return nil, err
			}
			list[name] = c
		}
		return list, nil
	}
	want := "an array"
	if f.dict {
		want = "an object"
	}
	return nil, invalid(path, "%s must be %s, not %s", path, want, jsonType(v))
}

func (f form) scalar(v any, path string) error {
	ok := true
	switch f.plain {
	case "string":
		_, ok = v.(string)
	case "bool":
		_, ok = v.(bool)
	case "int":
		n, isNumber := v.(json.Number)
		if ok = isNumber; ok {
			_, err := n.Int64()
			ok = err == nil
		}
	case "number":
		_, ok = v.(json.Number)
	case "time":
		text, isText := v.(string)
		ok = isText && parsesAsTime(text)
	}
	if !ok {
		return invalid(path, "%s must be %s, not %s", path, map[string]string{"string": "a string", "bool": "a boolean", "int": "a whole number", "number": "a number", "time": "a time as 2024-05-01T00:00:00Z"}[f.plain], jsonType(v))
	}
	return nil
}

func parsesAsTime(text string) bool {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly} {
		if _, err := time.Parse(layout, text); err == nil {
			return true
		}
	}
	return false
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

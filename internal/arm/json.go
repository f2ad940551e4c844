package arm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
)

// maxJSONDepth bounds nesting, so that a hostile body cannot exhaust the stack.
const maxJSONDepth = 512

// DecodeJSON reads a request body into a pointer to a struct, map or any. Azure matches property names without regard to
// case, and so does this for struct fields; FoldGet does it for maps. One name twice in an object is an error, in an object
// that becomes a struct also in different case. Numbers that go into an any become json.Number, so that nothing is rounded.
// Errors are *Error, 400 InvalidRequestContent, with line and position.
func DecodeJSON(body []byte, into any) error {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(body)) == 0 {
		return Errorf(http.StatusBadRequest, "InvalidRequestContent", "The request content is empty where a JSON document is needed.")
	}
	c := &jsonChecker{d: json.NewDecoder(bytes.NewReader(body))}
	c.d.UseNumber()
	err := c.value(reflect.TypeOf(into), 0)
	if err == nil {
		if _, extra := c.d.Token(); !errors.Is(extra, io.EOF) {
			err = errors.New("something follows the end of the document")
		}
	}
	if err != nil {
		return badJSON(body, c.d.InputOffset(), err)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return badJSON(body, d.InputOffset(), err)
	}
	return nil
}

// Decode reads the request's body; see DecodeJSON.
func (r *Request) Decode(into any) error { return DecodeJSON(r.Body, into) }

func badJSON(body []byte, offset int64, err error) error {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	why := strings.TrimPrefix(err.Error(), "json: ")
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &mismatch):
		offset = mismatch.Offset
		why = fmt.Sprintf("the property '%s' cannot be a %s", mismatch.Field, mismatch.Value)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		why = "the document ends too early"
	}
	offset = max(0, min(offset, int64(len(body))))
	line := bytes.Count(body[:offset], []byte("\n")) + 1
	position := int(offset) - bytes.LastIndexByte(body[:offset], '\n') - 1
	return Errorf(http.StatusBadRequest, "InvalidRequestContent",
		"The request content was invalid and could not be deserialized: '%s, line %d, position %d'.", why, line, position)
}

// jsonChecker walks a document beside the type it will be read into and finds names that occur twice.
type jsonChecker struct{ d *json.Decoder }

func (c *jsonChecker) value(t reflect.Type, depth int) error {
	if depth > maxJSONDepth {
		return fmt.Errorf("the document is nested deeper than %d levels", maxJSONDepth)
	}
	token, err := c.d.Token()
	if err != nil {
		return err
	}
	t = plainType(t)
	switch token {
	case json.Delim('['):
		var element reflect.Type
		if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
			element = t.Elem()
		}
		for c.d.More() {
			if err := c.value(element, depth+1); err != nil {
				return err
			}
		}
		_, err = c.d.Token()
	case json.Delim('{'):
		err = c.object(t, depth)
	}
	return err
}

func (c *jsonChecker) object(t reflect.Type, depth int) error {
	seen := map[string]bool{}
	for c.d.More() {
		token, err := c.d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		key, member := name, reflect.Type(nil)
		switch {
		case t == nil:
		case t.Kind() == reflect.Struct:
			key, member = lower(name), fieldType(t, name)
		case t.Kind() == reflect.Map:
			member = t.Elem()
		}
		if seen[key] {
			return fmt.Errorf("the property '%s' occurs twice", name)
		}
		seen[key] = true
		if err := c.value(member, depth+1); err != nil {
			return err
		}
	}
	_, err := c.d.Token()
	return err
}

// plainType strips pointers; a type that unmarshals itself, and an interface, says nothing about its members.
func plainType(t reflect.Type) reflect.Type {
	unmarshaler := reflect.TypeFor[json.Unmarshaler]()
	for t != nil && t.Kind() == reflect.Pointer {
		if t.Implements(unmarshaler) {
			return nil
		}
		t = t.Elem()
	}
	if t == nil || t.Kind() == reflect.Interface || reflect.PointerTo(t).Implements(unmarshaler) {
		return nil
	}
	return t
}

func fieldType(t reflect.Type, name string) reflect.Type {
	for _, f := range reflect.VisibleFields(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "" {
			tag = f.Name
		}
		if f.IsExported() && strings.EqualFold(tag, name) {
			return f.Type
		}
	}
	return nil
}

// FoldGet follows names through nested maps without regard to case, an exact match first.
func FoldGet(m map[string]any, path ...string) (any, bool) {
	var at any = m
	for _, name := range path {
		object, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = object[name]; ok {
			continue
		}
		for key, v := range object {
			if strings.EqualFold(key, name) {
				at, ok = v, true
				break
			}
		}
		if !ok {
			return nil, false
		}
	}
	return at, true
}

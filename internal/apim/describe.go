package apim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// description is an API description as a tree, with a way to find the line of any place in it.
type description struct {
	root map[string]any
	json []byte     // of a JSON document
	yaml *yaml.Node // of a YAML document
}

// fault is an error at a place of a description.
type fault struct {
	place []string
	text  string
}

func (f *fault) Error() string { return f.text }

func faultAt(place []string, format string, args ...any) error {
	return &fault{place: append([]string(nil), place...), text: fmt.Sprintf(format, args...)}
}

// readDescription reads JSON or YAML. Errors tell line and column.
func readDescription(content []byte) (*description, error) {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf"))
	d := &description{}
	var root any
	var err error
	if t := bytes.TrimLeft(content, " \t\r\n"); len(t) > 0 && t[0] == '{' {
		d.json = content
		root, err = readJSON(content)
	} else {
		root, err = d.readYAML(content)
	}
	if err != nil {
		return nil, err
	}
	var ok bool
	if d.root, ok = root.(map[string]any); !ok {
		return nil, errors.New("line 1: the document is not an object")
	}
	return d, nil
}

func readJSON(content []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	offset := dec.InputOffset()
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return v, nil
		}
		err = errors.New("something follows the end of the document")
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		offset, err = int64(len(content)), errors.New("the document ends too early")
	}
	line, column := position(content, offset)
	return nil, fmt.Errorf("line %d, column %d: %w", line, column, err)
}

func position(content []byte, offset int64) (line, column int) {
	before := content[:max(0, min(offset, int64(len(content))))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

// mostNodes bounds what the aliases of a YAML document may grow to.
const mostNodes = 8 << 20

func (d *description) readYAML(content []byte) (any, error) {
	d.yaml = &yaml.Node{}
	if err := yaml.Unmarshal(content, d.yaml); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	budget := mostNodes
	return plainYAML(d.yaml, 0, &budget)
}

func plainYAML(n *yaml.Node, depth int, budget *int) (any, error) {
	if *budget--; *budget < 0 || depth > 500 {
		return nil, fmt.Errorf("line %d: the document is nested too deeply or its aliases grow too large", n.Line)
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return plainYAML(n.Content[0], depth+1, budget)
	case yaml.AliasNode:
		return plainYAML(n.Alias, depth+1, budget)
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := plainYAML(c, depth+1, budget)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("line %d, column %d: a name must be plain text", key.Line, key.Column)
			}
			if _, twice := out[key.Value]; twice {
				return nil, fmt.Errorf("line %d, column %d: %q occurs twice", key.Line, key.Column, key.Value)
			}
			v, err := plainYAML(n.Content[i+1], depth+1, budget)
			if err != nil {
				return nil, err
			}
			out[key.Value] = v
		}
		return out, nil
	case yaml.ScalarNode:
		return plainScalar(n)
	}
	return nil, nil
}

func plainScalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		return b, n.Decode(&b)
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value), nil
		}
		var f float64
		if err := n.Decode(&f); err != nil {
			return nil, err
		}
		text := strconv.FormatFloat(f, 'g', -1, 64)
		if !json.Valid([]byte(text)) { // .inf, .nan
			return n.Value, nil
		}
		return json.Number(text), nil
	}
	return n.Value, nil
}

// explain adds the place and the line to a fault.
func (d *description) explain(err error) error {
	var f *fault
	if !errors.As(err, &f) {
		return err
	}
	place := "#"
	for _, p := range f.place {
		place += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p)
	}
	line := 0
	if d.yaml != nil {
		line = yamlLine(d.yaml, f.place)
	} else if d.json != nil {
		line = jsonLine(d.json, f.place)
	}
	return fmt.Errorf("line %d, at %s: %s", line, place, f.text)
}

// yamlLine is the line of a place, or of the nearest place above it.
func yamlLine(n *yaml.Node, place []string) int {
	for n.Kind == yaml.DocumentNode || n.Kind == yaml.AliasNode {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
			continue
		}
		n = n.Content[0]
	}
	if len(place) == 0 {
		return n.Line
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == place[0] {
				if len(place) == 1 {
					return n.Content[i].Line
				}
				return yamlLine(n.Content[i+1], place[1:])
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(place[0]); err == nil && i >= 0 && i < len(n.Content) {
			return yamlLine(n.Content[i], place[1:])
		}
	}
	return n.Line
}

// jsonLine is the line of a place, or of the nearest place above it; the document was decoded before.
func jsonLine(content []byte, place []string) int {
	dec := json.NewDecoder(bytes.NewReader(content))
	at := func() int { line, _ := position(content, dec.InputOffset()); return line }
	line := at()
	for len(place) > 0 {
		token, err := dec.Token()
		if err != nil {
			return line
		}
		line = at()
		found := false
		for i := 0; dec.More() && !found; i++ {
			name := strconv.Itoa(i)
			if token == json.Delim('{') {
				key, err := dec.Token()
				if err != nil {
					return line
				}
				name, _ = key.(string)
			} else if token != json.Delim('[') {
				return line
			}
			if found = name == place[0]; !found {
				var skip json.RawMessage
				if dec.Decode(&skip) != nil {
					return line
				}
			}
		}
		if !found {
			return line
		}
		if token == json.Delim('{') {
			line = at()
		}
		place = place[1:]
	}
	return line
}

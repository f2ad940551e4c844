package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// AppendLine appends the resource as one line of canonical JSON, the form that it has in a vault (docs/format.md, section
// 12): {"document":…,"path":…,"secrets":…} and a line feed. Its errors never quote a secret.
func AppendLine(out []byte, r Resource) ([]byte, error) {
	if !utf8.ValidString(r.Path) {
		return out, errors.New("its path is not UTF-8")
	}
	if _, ok := split(r.Path); !ok && r.Path != "" {
		return out, errors.New("the path is not made of pairs of type and name")
	}
	doc, err := document(r)
	if err != nil {
		return out, err
	}
	out = append(append(out, `{"document":`...), doc...)
	out = quote(append(out, `,"path":`...), r.Path)
	if len(r.Secrets) > 0 {
		out = append(out, `,"secrets":`...)
		if out, err = appendSecrets(out, r.Secrets); err != nil {
			return out, err
		}
	}
	return append(out, "}\n"...), nil
}

// ParseLine reads what AppendLine wrote, without the line feed, and nothing else: any other spelling is an error.
func ParseLine(line []byte) (Resource, error) {
	var r Resource
	canonical, err := Canonical(line)
	if err != nil || !bytes.Equal(canonical, line) || len(line) == 0 || line[0] != '{' {
		return r, errors.New("it is not one line of canonical JSON")
	}
	parts := members(canonical)
	if len(parts) < 2 || len(parts) > 3 || parts[0].name != "document" || parts[1].name != "path" || len(parts) == 3 && parts[2].name != "secrets" {
		return r, errors.New("it does not have the members document, path and secrets")
	}
	path, ok := "", false
	if raw, isText := unquote(parts[1].value); isText {
		path, ok = string(raw), true
	}
	if _, pairs := split(path); !ok || !pairs && path != "" {
		return r, errors.New("its path is not made of pairs of type and name")
	}
	if r, err = decodeObject(path, parts[0].value); err != nil {
		return r, err
	}
	if len(parts) == 3 {
		if err := json.Unmarshal(parts[2].value, &r.Secrets); err != nil || len(r.Secrets) == 0 {
			return r, fmt.Errorf("the secrets of %s are not texts by name", path)
		}
	}
	return r, nil
}

// Less is the order of resources: the byte order of their paths.
func Less(a, b Resource) int { return bytes.Compare([]byte(a.Path), []byte(b.Path)) }

// Fold is the form of a path in which no two resources of a service are equal.
func Fold(path string) string { return fold(path) }

// AppendQuoted appends a text as a string of canonical JSON.
func AppendQuoted(out []byte, s string) []byte { return quote(out, s) }

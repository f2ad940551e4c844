package apim

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"tandem/internal/store"
)

// imported is what an API description gives: the API's own properties and its children.
type imported struct {
	properties map[string]any // displayName, description, serviceUrl, type…; only where the client did not send them
	operations []importedChild
	schemas    []importedChild
}

type importedChild struct {
	name       string
	properties map[string]any
	policy     string // the operation's own policy, where the format makes one
}

// importDocument reads format and value of an API's PUT and writes what they describe. An import replaces the operations
// and schemas of the revision; policies of operations that stay are kept.
func (w *Write) importDocument(ctx context.Context) error {
	p := w.Doc.Properties
	format, err := text(p, "format")
	if err != nil {
		return err
	}
	value, err := text(p, "value")
	if err != nil {
		return err
	}
	if format == "" {
		if value != "" {
			return invalid("format", "value is given, but format does not say what it is; for example openapi+json")
		}
		return nil
	}
	if value == "" {
		return invalid("value", "format is %s, but value is empty", format)
	}
	content, base := []byte(value), ""
	if inline := strings.NewReplacer("-link-json", "-json", "-link", "").Replace(format); inline != format {
		u, err := url.Parse(strings.TrimSpace(value))
		if err != nil || u.Host == "" {
			return invalid("value", "%q is not the address of a document", value)
		}
		if content, err = w.Service.fetch(ctx, u.String()); err != nil {
			return invalid("value", "the document at %s cannot be read: %v", u.Redacted(), err)
		}
		format, base = inline, u.Scheme+"://"+u.Host
	}
	var got *imported
	switch strings.ToLower(format) {
	case "openapi", "openapi+json", "swagger-json", "swagger":
		got, err = readOpenAPI(content, base)
	default:
		return invalid("format", "the format %q cannot be imported; openapi, openapi+json and swagger-json can, inline or as a link", format)
	}
	if err != nil {
		return invalid("representation", "Parsing error(s): %v", err)
	}
	for name, v := range got.properties {
		if _, sent := w.Sent[name]; !sent && v != nil && v != "" {
			p[name] = v
		}
	}
	return w.children(ctx, got)
}

// children writes the operations and schemas of an import and marks what is no longer described for removal.
func (w *Write) children(ctx context.Context, got *imported) error {
	keep := map[string]bool{}
	for typ, list := range map[string][]importedChild{w.Kind.typ + ".operations": got.operations, w.Kind.typ + ".schemas": got.schemas} {
		for _, c := range list {
			ids := append(append([]string(nil), w.IDs...), c.name)
			d := &Document{IDs: ids, Key: Key(typ, ids), Type: typ, Properties: c.properties}
			keep[d.Key] = true
			if err := w.also(d); err != nil {
				return err
			}
			if c.policy != "" {
				pids := append(append([]string(nil), ids...), "policy")
				pd := &Document{IDs: pids, Key: Key(typ+".policies", pids), Type: typ + ".policies", Properties: map[string]any{"format": "rawxml", "value": c.policy}}
				if err := w.also(pd); err != nil {
					return err
				}
			}
		}
		if w.New() {
			continue
		}
		l, err := w.Service.Space.List(ctx, collectionPrefix(typ, w.IDs), store.ListOptions{})
		if err != nil {
			return err
		}
		k := w.Service.Table.ByType(typ)
		for _, d := range l.Documents {
			if keep[d.Key] {
				continue
			}
			doc, err := Decode(d.Key, d)
			if err != nil {
				return err
			}
			below, err := w.Service.below(ctx, k, doc.IDs)
			if err != nil {
				return err
			}
			w.Stale = append(append(w.Stale, d.Key), below...)
		}
	}
	return nil
}

// uniqueName makes a name from text that is allowed in an id and not in used.
func uniqueName(used map[string]bool, text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := strings.Trim(b.String(), "-")
	if name == "" {
		name = "operation"
	}
	if len(name) > 80 {
		name = name[:80]
	}
	for n, base := 2, name; used[strings.ToLower(name)]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	used[strings.ToLower(name)] = true
	return name
}

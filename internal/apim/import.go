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
	reader, link := importFormat(format)
	if reader == nil {
		return invalid("format", "the format %q cannot be imported; openapi, openapi+json, swagger-json, wadl-xml, wsdl and graphql can, inline or by link", format)
	}
	content, base := []byte(value), ""
	if link {
		u, err := url.Parse(strings.TrimSpace(value))
		if err != nil || u.Host == "" {
			return invalid("value", "%q is not the address of a document", value)
		}
		if w.Service.fetch == nil {
			return invalid("value", "this node does not read documents by link; send the document itself")
		}
		if content, err = w.Service.fetch(ctx, u.String()); err != nil {
			return invalid("value", "the document at %s cannot be read: %v", u.Redacted(), err)
		}
		base = u.Scheme + "://" + u.Host
	}
	got, err := reader(w, content, base)
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

// importReader reads one sort of API description.
type importReader func(w *Write, content []byte, base string) (*imported, error)

// importFormat finds the reader of a format, and tells whether the value is a link.
func importFormat(format string) (read importReader, link bool) {
	openAPI := func(_ *Write, content []byte, base string) (*imported, error) { return readOpenAPI(content, base) }
	wadl := func(_ *Write, content []byte, _ string) (*imported, error) { return readWADL(content) }
	switch strings.ToLower(format) {
	case "openapi", "openapi+json", "swagger-json", "swagger":
		return openAPI, false
	case "openapi-link", "openapi+json-link", "swagger-link-json", "swagger-link":
		return openAPI, true
	case "wadl-xml":
		return wadl, false
	case "wadl-link-json", "wadl-link":
		return wadl, true
	case "wsdl":
		return importWSDL, false
	case "wsdl-link":
		return importWSDL, true
	case "graphql":
		return importGraphQL, false
	case "graphql-link":
		return importGraphQL, true
	}
	return nil, false
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

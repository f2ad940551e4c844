package apim

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// entityView is a resource as clients see it.
type entityView struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Properties map[string]any `json:"properties"`

	kind *Kind
	doc  *Document
}

// viewer shows resources of one service for one request. What many of them ask for, which revision of an API is current,
// it reads once.
type viewer struct {
	service *Service
	request *arm.Request
	roots   map[string]string // current revision by the key of an API's root; empty where there is none
}

func newViewer(s *Service, r *arm.Request) *viewer {
	return &viewer{service: s, request: r, roots: map[string]string{}}
}

// flag reads a boolean query parameter.
func (v *viewer) flag(name string) bool {
	return v.request != nil && strings.EqualFold(v.request.Query[strings.ToLower(name)], "true")
}

// current is the current revision of an API, "" where there is none; ids end with the API's, with or without revision.
func (v *viewer) current(ctx context.Context, ids []string) (string, error) {
	name, _ := SplitRevision(ids[len(ids)-1])
	key := Key(RootType, append(append([]string(nil), ids[:len(ids)-1]...), name))
	if rev, known := v.roots[key]; known {
		return rev, nil
	}
	root, err := v.service.read(ctx, key)
	if err != nil && tandem.KindOf(err) != tandem.NotFound {
		return "", err
	}
	if err == nil {
		v.roots[key] = root.String("current")
	} else {
		v.roots[key] = ""
	}
	return v.roots[key], nil
}

// shownIDs are the ids as clients see them: the current revision of an API goes by its plain name.
func (v *viewer) shownIDs(ctx context.Context, k *Kind, ids []string) ([]string, error) {
	at := apiIDAt(strings.Split(k.typ, "."))
	if at < 0 || at >= len(ids) {
		return ids, nil
	}
	name, rev := SplitRevision(ids[at])
	if rev == "" {
		return ids, nil
	}
	current, err := v.current(ctx, ids[:at+1])
	if err != nil || current != rev {
		return ids, err
	}
	out := append([]string(nil), ids...)
	out[at] = name
	return out, nil
}

// show makes the view of a document.
func (v *viewer) show(ctx context.Context, k *Kind, doc *Document) (*entityView, error) {
	view := &View{Service: v.service, Kind: k, Request: v.request, Doc: doc, Properties: clone(doc.Properties), viewer: v}
	for _, ref := range k.References {
		if path, ok := lookup(view.Properties, ref.Property).(string); ok && path != "" && !ref.Short {
			place(view.Properties, ref.Property, v.service.ID.String()+path)
		}
	}
	if k.Rules != nil {
		if err := k.Rules.View(ctx, view); err != nil {
			return nil, err
		}
	}
	ids, err := v.shownIDs(ctx, k, doc.IDs)
	if err != nil {
		return nil, err
	}
	return &entityView{ID: v.service.resourceID(k, ids), Name: ids[len(ids)-1], Type: k.ARMType(), Properties: view.Properties, kind: k, doc: doc}, nil
}

// below renames a view as Azure does where it lists a resource under another: "…/users/ann/groups/staff".
func (e *entityView) below(s *Service, typ string, ids ...string) *entityView {
	k := &Kind{typ: typ}
	e.ID, e.Type = s.resourceID(k, append(ids, e.Name)), k.ARMType()
	return e
}

// field reads what a filter asks for: the name, the id, or a property, with or without "properties/" in front. known is
// false where resources of the kind have no such field.
func (e *entityView) field(path string) (value any, known bool) {
	path = strings.ReplaceAll(path, ".", "/")
	if len(path) > len("properties/") && strings.EqualFold(path[:len("properties/")], "properties/") {
		path = path[len("properties/"):]
	}
	switch {
	case strings.EqualFold(path, "name"):
		return e.Name, true
	case strings.EqualFold(path, "id"):
		return e.ID, true
	}
	if !filterable(e.kind, path) {
		return nil, false
	}
	if derived, ok := derivedFields()[strings.ToLower(path)]; ok {
		if v := derived(e.Properties); v != nil {
			return v, true
		}
	}
	v, _ := arm.FoldGet(e.Properties, strings.Split(path, "/")...)
	if _, isObject := v.(map[string]any); isObject {
		return nil, false
	}
	return v, true
}

// derivedFields are the fields of filters that are no properties of their own.
func derivedFields() map[string]func(props map[string]any) any {
	return map[string]func(map[string]any) any{
		"userid":    func(p map[string]any) any { return nameIn(p["ownerId"], "users") },
		"productid": func(p map[string]any) any { return nameIn(p["scope"], "products") },
		"region":    func(p map[string]any) any { return lookup(p, "locationData.region") },
		"apiname":   func(p map[string]any) any { return lookup(p, "displayName") },
	}
}

// nameIn is the name after a collection in a resource id; nil where it has none.
func nameIn(id any, collection string) any {
	parts := strings.Split(asString(id), "/")
	for i := len(parts) - 2; i >= 0; i-- {
		if strings.EqualFold(parts[i], collection) {
			return parts[i+1]
		}
	}
	return nil
}

// filterable tells whether a kind's lists can be filtered by a field: its properties, but no secret.
func filterable(k *Kind, path string) bool {
	head, _, _ := strings.Cut(strings.ToLower(path), "/")
	if k.fields == nil {
		return fieldsOf(k)[head]
	}
	return k.fields[head]
}

// fieldsOf are the names, in lower case, that lists of a kind can be filtered by.
func fieldsOf(k *Kind) map[string]bool {
	out := map[string]bool{"name": true, "id": true}
	for _, list := range [][]string{k.Properties, k.ReadOnly, k.FilterAlso} {
		for _, name := range list {
			name, _, _ = strings.Cut(strings.ToLower(name), ".")
			out[name] = true
		}
	}
	for _, name := range k.Secrets {
		if name != "value" { // a named value may be plain
			delete(out, strings.ToLower(name))
		}
	}
	return out
}

// entity answers one resource as Azure does.
func (p *Provider) entity(ctx context.Context, s *Service, k *Kind, doc *Document, r *arm.Request, status int) (*arm.Response, error) {
	view, err := newViewer(s, r).show(ctx, k, doc)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: status, Header: http.Header{"ETag": {doc.etag()}}, Body: view}, nil
}

// text is the view as a string, for searching in tests and problems.
func (e *entityView) String() string { b, _ := json.Marshal(e); return string(b) }

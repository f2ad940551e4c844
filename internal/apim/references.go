package apim

import (
	"context"
	"strings"

	"tandem/internal/store"
)

// release lets go of a resource that is about to be deleted: links to it are deleted with it, and anything else that refers
// to it, or to what lies below it, refuses the deletion.
func (w *Write) release(ctx context.Context, path string) error {
	seen := map[string]bool{}
	for _, k := range w.Service.Table.Kinds {
		l, isLink := k.Rules.(linkRules)
		if seen[k.typ] || !isLink && len(k.References) == 0 || isLink && !refersTo(path, l.target) {
			continue
		}
		seen[k.typ] = true
		if !isLink && !anyRefersTo(k, path) {
			continue
		}
		docs, err := w.Service.List(ctx, k.typ, nil)
		if err != nil {
			return err
		}
		for _, d := range docs {
			if strings.HasPrefix("/"+d.Path(k)+"/", path+"/") {
				continue // it lies below and goes with it
			}
			if isLink {
				if strings.EqualFold(l.path(w.Service.Table, k, d.IDs), path) {
					w.Batch.Delete = append(w.Batch.Delete, d.Key)
				}
				continue
			}
			for _, ref := range k.References {
				if ref.OnDelete == Keep || !within(d.String(ref.Property), path) {
					continue
				}
				if ref.OnDelete == Refuse {
					return inUse(w, d.Path(k))
				}
				w.Batch.Delete = append(w.Batch.Delete, d.Key)
			}
		}
	}
	return nil
}

// within tells whether a path is another, or lies below it. An API's revision counts as the API.
func within(path, above string) bool {
	path, above = strings.ToLower(path), strings.ToLower(above)
	return path == above || strings.HasPrefix(path, above+"/") || strings.HasPrefix(path, above+";rev=")
}

// refersTo tells whether a path may be of a collection.
func refersTo(path, collection string) bool {
	first, _, _ := strings.Cut(inWorkspace(path), "/")
	return strings.EqualFold(first, collection)
}

func anyRefersTo(k *Kind, path string) bool {
	for _, ref := range k.References {
		if ref.OnDelete == Keep {
			continue
		}
		for _, c := range ref.Collections {
			if refersTo(path, c) {
				return true
			}
		}
	}
	return false
}

func unique(keys []string) []string {
	seen := make(map[string]bool, len(keys))
	out := keys[:0]
	for _, key := range keys {
		if !seen[key] {
			seen[key] = true
			out = append(out, key)
		}
	}
	return out
}

// uniquePath demands that no other API answers at the path of this one. The versions of one set share their path.
func (w *Write) uniquePath(ctx context.Context, name string) error {
	p := w.Doc.Properties
	path, _ := p["path"].(string)
	if w.Old != nil && strings.EqualFold(w.Old.String("path"), path) && w.Old.String("apiVersion") == asString(p["apiVersion"]) {
		return nil
	}
	own := Key(w.Kind.typ, append(append([]string(nil), w.IDs[:len(w.IDs)-1]...), name)) + ";rev="
	for _, typ := range []string{"apis", "workspaces.apis"} {
		l, err := w.Service.Space.List(ctx, collectionPrefix(typ, nil), store.ListOptions{})
		if err != nil {
			return err
		}
		for _, d := range l.Documents {
			if strings.HasPrefix(d.Key, own) {
				continue
			}
			other, err := Decode(d.Key, d)
			if err != nil {
				return err
			}
			if !strings.EqualFold(other.String("path"), path) {
				continue
			}
			set := asString(p["apiVersionSetId"])
			if set != "" && strings.EqualFold(w.Service.relative(set), other.String("apiVersionSetId")) && asString(p["apiVersion"]) != other.String("apiVersion") {
				continue
			}
			plain, _ := SplitRevision(other.Name())
			return invalid("path", "the path %q is that of the API %s; choose another, or make both versions of one version set", path, plain)
		}
	}
	return nil
}

package apim

import (
	"context"
	"strings"

	"tandem"
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

// pathsID names the internal document that every write that gives an API its path commits. So of two writes that look for the same
// path at once one looks again. No API can have this name.
const pathsID = ";paths"

// holdPaths makes the write's commit fail where another takes a path meanwhile. Writes of this process wait for each other
// instead, until the write is done.
func (w *Write) holdPaths(ctx context.Context) error {
	if w.held == nil {
		w.Service.paths.Lock()
		w.held = w.Service.paths.Unlock
	}
	d, err := w.Service.read(ctx, Key(RootType, []string{pathsID}))
	if tandem.KindOf(err) == tandem.NotFound {
		d, err = &Document{IDs: []string{pathsID}, Key: Key(RootType, []string{pathsID})}, nil
	}
	if err != nil {
		return err
	}
	w.Batch.If = append(w.Batch.If, store.Condition{Key: d.Key, Revision: d.Revision})
	write, err := d.Write()
	w.Batch.Put = append(w.Batch.Put, write)
	return err
}

// uniquePath demands that no other API answers at the path of this one. The versions of one set share their path.
func (w *Write) uniquePath(ctx context.Context, name string) error {
	p := w.Doc.Properties
	path, _ := p["path"].(string)
	set := asString(p["apiVersionSetId"])
	if set != "" {
		set = w.Service.relative(set)
	}
	if w.Old != nil && strings.EqualFold(w.Old.String("path"), path) && w.Old.String("apiVersion") == asString(p["apiVersion"]) &&
		strings.EqualFold(w.Old.String("apiVersionSetId"), set) {
		return nil
	}
	if err := w.holdPaths(ctx); err != nil {
		return err
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
			if set != "" && strings.EqualFold(set, other.String("apiVersionSetId")) && asString(p["apiVersion"]) != other.String("apiVersion") {
				continue
			}
			plain, _ := SplitRevision(other.Name())
			return invalid("path", "the path %q is that of the API %s; choose another, or make both versions of one version set", path, plain)
		}
	}
	return nil
}

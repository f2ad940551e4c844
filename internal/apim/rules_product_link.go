package apim

import "context"

// productLinkRules are for products' apiLinks and groupLinks: they are one relation with products/{p}/apis and /groups, told
// by a name of its own. So a link writes that membership, and takes it away when it goes.
type productLinkRules struct {
	noRules
	member   string // "products.apis" or "products.groups"
	property string // that names the target
}

// key is the key of the membership that a link with these properties makes; empty where it names none.
func (l productLinkRules) key(w *Write, props map[string]any) (key string, ids []string) {
	path := w.Service.relative(asString(props[l.property]))
	k, target := w.Service.Table.ByPath(path)
	if k == nil || len(target) != 1 || len(w.IDs) != 2 {
		return "", nil // in a workspace, whose products have links alone, or not an id: the reference is checked after this
	}
	name, _ := SplitRevision(target[0])
	ids = []string{w.IDs[0], name}
	return Key(l.member, ids), ids
}

func (l productLinkRules) Write(_ context.Context, w *Write) error {
	key, ids := l.key(w, w.Doc.Properties)
	if w.Old != nil {
		if before, _ := l.key(w, w.Old.Properties); before != "" && before != key {
			w.Stale = append(w.Stale, before)
		}
	}
	if key == "" {
		return nil
	}
	return w.also(&Document{IDs: ids, Key: key, Type: l.member})
}

func (l productLinkRules) Delete(_ context.Context, w *Write) error {
	if key, _ := l.key(w, w.Old.Properties); key != "" {
		w.Batch.Delete = append(w.Batch.Delete, key)
	}
	return nil
}

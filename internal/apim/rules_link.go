package apim

import (
	"context"
	"strings"

	"tandem"
)

// linkRules are for resources that only join two others: the name is that of the target.
type linkRules struct {
	noRules
	target string
	// shows is the property that has the target's id; empty: a link shows the target's own properties.
	shows string
}

// path is the target's path: in the link's workspace, where the target's kind is one that workspaces have.
func (l linkRules) path(t *Table, k *Kind, ids []string) string {
	path := "/" + l.target + "/" + ids[len(ids)-1]
	if strings.HasPrefix(k.typ, "workspaces.") && t.ByType("workspaces."+l.target) != nil {
		path = "/workspaces/" + ids[0] + path
	}
	return path
}

func (l linkRules) Write(ctx context.Context, w *Write) error {
	return w.Require(ctx, l.path(w.Service.Table, w.Kind, w.IDs), l.target)
}

// View implements Rules.
func (l linkRules) View(ctx context.Context, v *View) error {
	path := l.path(v.Service.Table, v.Kind, v.Doc.IDs)
	if l.shows != "" {
		v.Properties[l.shows] = v.Service.ID.String() + path
		return nil
	}
	key, err := v.Service.keyOf(ctx, path)
	if err == nil {
		var doc *Document
		if doc, err = v.Service.read(ctx, key); err == nil {
			var target *entityView
			k, _ := v.Service.Table.ByPath(path)
			if target, err = v.viewer.show(ctx, k, doc); err == nil {
				v.Properties = target.Properties
			}
		}
	}
	if tandem.KindOf(err) == tandem.NotFound {
		return nil // the target went away in between; the link alone is shown
	}
	return err
}

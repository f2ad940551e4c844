package apim

import (
	"context"
	"strings"
)

// expansion is what the expand… flags of a list add to its resources.
func (l *listing) expansion() func(ctx context.Context, e *entityView) error {
	base := strings.TrimPrefix(l.kind.typ, "workspaces.")
	switch {
	case base == "users" && l.viewer.flag("expandGroups"):
		return func(ctx context.Context, e *entityView) error {
			groups, err := l.viewer.groupsOf(ctx, "groups.users", 1, e.Name)
			e.Properties["groups"] = groups
			return err
		}
	case base == "products" && l.viewer.flag("expandGroups"):
		return func(ctx context.Context, e *entityView) error {
			docs, err := l.viewer.service.List(ctx, strings.TrimSuffix(l.kind.typ, "products")+"products.groups", e.doc.IDs)
			if err != nil {
				return err
			}
			groups := []any{}
			for _, d := range docs {
				g, err := l.viewer.groupProperties(ctx, d.Name())
				if err != nil {
					return err
				}
				groups = append(groups, g)
			}
			e.Properties["groups"] = groups
			return nil
		}
	case base == "apis.issues" && l.viewer.flag("expandCommentsAttachments"):
		return l.viewer.expandIssue
	}
	return nil
}

// groupsOf lists the groups that a link document of a type joins with the resource named at a position of its ids.
func (v *viewer) groupsOf(ctx context.Context, typ string, at int, name string) ([]any, error) {
	links, err := v.service.List(ctx, typ, nil)
	if err != nil {
		return nil, err
	}
	groups := []any{}
	for _, link := range links {
		if strings.EqualFold(link.IDs[at], name) {
			g, err := v.groupProperties(ctx, link.IDs[0])
			if err != nil {
				return nil, err
			}
			groups = append(groups, g)
		}
	}
	return groups, nil
}

// groupProperties are a group's properties with its id, as expandGroups shows them.
func (v *viewer) groupProperties(ctx context.Context, name string) (map[string]any, error) {
	k := v.service.Table.ByType("groups")
	doc, err := v.service.read(ctx, Key("groups", []string{name}))
	if err != nil {
		return nil, err
	}
	e, err := v.show(ctx, k, doc)
	if err != nil {
		return nil, err
	}
	e.Properties["id"], e.Properties["name"] = e.ID, e.Properties["displayName"]
	return e.Properties, nil
}

// expandIssue adds an issue's comments and attachments.
func (v *viewer) expandIssue(ctx context.Context, e *entityView) error {
	for _, part := range []string{"comments", "attachments"} {
		typ := e.kind.typ + "." + part
		docs, err := v.service.List(ctx, typ, e.doc.IDs)
		if err != nil {
			return err
		}
		list := []any{}
		for _, d := range docs {
			view, err := v.show(ctx, v.service.Table.ByType(typ), d)
			if err != nil {
				return err
			}
			list = append(list, view.Properties)
		}
		e.Properties[part] = list
	}
	return nil
}

// keyVaultFailed keeps resources whose Key Vault reference could not be resolved.
func keyVaultFailed(_ context.Context, e *entityView) (bool, error) {
	return lookup(e.Properties, "keyVault.lastStatus.code") != nil && lookup(e.Properties, "keyVault.lastStatus.code") != "Success", nil
}

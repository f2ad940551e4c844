package apim

import (
	"context"
	"strings"
)

type backendRules struct{ noRules }

// shown are the secrets that a GET shows, as Azure's does; they rest sealed all the same (law 7).
func (backendRules) shown() []string { return []string{"credentials"} }

// View shows the credentials, and the members of a pool by their full ids.
func (b backendRules) View(_ context.Context, v *View) error {
	if err := v.Doc.reveal(v.Service.Sealer, b, v.Properties); err != nil {
		return err
	}
	services, _ := lookup(v.Properties, "pool.services").([]any)
	shown := make([]any, len(services))
	for i, member := range services {
		if m, ok := member.(map[string]any); ok {
			member = clone(m)
			if id := asString(m["id"]); strings.HasPrefix(id, "/backends/") || strings.HasPrefix(id, "/workspaces/") {
				member.(map[string]any)["id"] = v.Service.ID.String() + id
			}
		}
		shown[i] = member
	}
	if services != nil {
		place(v.Properties, "pool.services", shown)
	}
	return nil
}

// poolMembers keeps the members of a pool by their paths, so that they mean the same after a restore elsewhere, and demands
// that they exist.
func (w *Write) poolMembers(ctx context.Context) error {
	services, _ := lookup(w.Doc.Properties, "pool.services").([]any)
	kept := make([]any, len(services))
	for i, member := range services {
		m, ok := member.(map[string]any)
		if !ok {
			return invalid("pool.services", "member %d of the pool is not an object", i)
		}
		m = clone(m)
		path := w.Service.relative(asString(m["id"]))
		first, name, _ := strings.Cut(inWorkspace(path), "/")
		if !strings.EqualFold(first, "backends") || name == "" {
			return invalid("pool.services", "%q is not the id of a backend", asString(m["id"]))
		}
		if strings.EqualFold(path, "/"+w.Doc.Path(w.Kind)) {
			return invalid("pool.services", "the pool cannot be a member of itself")
		}
		if err := w.Require(ctx, path, "pool.services"); err != nil {
			return err
		}
		m["id"], kept[i] = path, m
	}
	place(w.Doc.Properties, "pool.services", kept)
	return nil
}

func (backendRules) Write(ctx context.Context, w *Write) error {
	w.Default("type", "Single")
	if err := w.OneOf("type", "Single", "Pool"); err != nil {
		return err
	}
	if w.Doc.Properties["type"] == "Pool" {
		if services, ok := lookup(w.Doc.Properties, "pool.services").([]any); !ok || len(services) == 0 {
			return invalid("pool.services", "a pool needs at least one service")
		}
		return w.poolMembers(ctx)
	}
	if lookup(w.Doc.Properties, "url") == nil {
		return invalid("url", "url is required.")
	}
	if lookup(w.Doc.Properties, "protocol") == nil {
		return invalid("protocol", "protocol is required.")
	}
	return w.OneOf("protocol", "http", "soap")
}

// Delete refuses while pools have the backend or policies send requests to it.
func (backendRules) Delete(ctx context.Context, w *Write) error {
	others, err := w.Service.List(ctx, w.Kind.typ, w.IDs[:len(w.IDs)-1])
	if err != nil {
		return err
	}
	for _, d := range others {
		for _, v := range orEmptyList(d.Value("pool.services")) {
			m, _ := v.(map[string]any)
			if strings.EqualFold(asString(m["id"]), "/"+w.Doc.Path(w.Kind)) {
				return inUse(w, "the pool "+d.Name())
			}
		}
	}
	return w.notInPolicies(ctx, func(text string) bool {
		lower, name := strings.ToLower(text), strings.ToLower(w.Doc.Name())
		return strings.Contains(lower, `backend-id="`+name+`"`) || strings.Contains(lower, `backend-id='`+name+`'`)
	})
}

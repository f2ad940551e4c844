package apim

import (
	"context"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// tagging is one tag on one API, operation or product.
type tagging struct {
	tag    string   // the tag's name
	target string   // "apis", "apis.operations" or "products"
	ids    []string // of the target, an API without its revision
}

// taggings reads which tags are on what: those assigned below the resources, and those linked below the tags.
func (v *viewer) taggings(ctx context.Context) ([]tagging, error) {
	var out []tagging
	seen := map[string]bool{}
	add := func(t tagging) {
		if at := apiIDAt(strings.Split(t.target, ".")); at >= 0 {
			t.ids = append([]string(nil), t.ids...)
			t.ids[at], _ = SplitRevision(t.ids[at])
		}
		if key := strings.ToLower(t.tag) + " " + Key(t.target, t.ids); !seen[key] {
			seen[key] = true
			out = append(out, t)
		}
	}
	for _, target := range []string{"apis", "apis.operations", "products"} {
		docs, err := v.service.List(ctx, target+".tags", nil)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			add(tagging{tag: d.Name(), target: target, ids: d.IDs[:len(d.IDs)-1]})
		}
	}
	for typ, property := range map[string]string{"tags.apiLinks": "apiId", "tags.operationLinks": "operationId", "tags.productLinks": "productId"} {
		docs, err := v.service.List(ctx, typ, nil)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if k, ids := v.service.Table.ByPath(d.String(property)); k != nil {
				add(tagging{tag: d.IDs[0], target: k.typ, ids: ids})
			}
		}
	}
	return out, nil
}

// usedIn keeps the tags that are on something in a scope: "apis", "products", "apis/echo".
func usedIn(v *viewer, scope string) func(context.Context, *entityView) (bool, error) {
	var used map[string]bool
	return func(ctx context.Context, e *entityView) (bool, error) {
		if used == nil {
			all, err := v.taggings(ctx)
			if err != nil {
				return false, err
			}
			used = map[string]bool{}
			for _, t := range all {
				path := t.target[:len(strings.SplitN(t.target, ".", 2)[0])] + "/" + strings.Join(t.ids, "/")
				if strings.HasPrefix(strings.ToLower(path)+"/", strings.ToLower(strings.Trim(scope, "/"))+"/") {
					used[strings.ToLower(t.tag)] = true
				}
			}
		}
		return used[strings.ToLower(e.Name)], nil
	}
}

// byTags serves tagResources and the …ByTags lists: what is tagged, once for each of its tags.
func (p *Provider) byTags(targets []string, includeUntagged string) func(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	return func(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
		v := newViewer(s, r)
		fields := &Kind{collection: "tags", Properties: []string{"aid", "displayName", "apiName", "apiRevision", "path", "description", "serviceUrl", "method", "urlTemplate", "terms", "state", "isCurrent"}}
		filter, err := parseFilter(fields, r)
		if err != nil {
			return nil, err
		}
		var within []string
		if api := r.Params["apiId"]; api != "" {
			doc, err := p.find(ctx, s, s.Table.ByType("apis"), []string{api})
			if err != nil {
				return nil, err
			}
			within = doc.IDs
		}
		all, err := v.taggings(ctx)
		if err != nil {
			return nil, err
		}
		items := []any{}
		tagged := map[string]bool{}
		take := func(tag, target string, ids []string) error {
			if !matchesTarget(targets, target) || within != nil && !sameAPI(ids[0], within[0]) {
				return nil
			}
			item, e, err := v.tagResource(ctx, target, ids)
			if err != nil || e == nil {
				return err
			}
			tagged[e.doc.Key] = true
			if tag != "" {
				doc, err := s.read(ctx, Key("tags", []string{tag}))
				if err != nil {
					return err
				}
				item["tag"] = map[string]any{"id": s.resourceID(s.Table.ByType("tags"), doc.IDs), "name": doc.String("displayName")}
			}
			if filter != nil {
				e.kind = fields
				if ok, err := filter.Match(e.field); err != nil || !ok {
					return err
				}
			}
			items = append(items, item)
			return nil
		}
		for _, t := range all {
			if err := take(t.tag, t.target, t.ids); err != nil {
				return nil, err
			}
		}
		if includeUntagged != "" && v.flag(includeUntagged) {
			for _, target := range targets {
				docs, err := s.List(ctx, target, within)
				if err != nil {
					return nil, err
				}
				for _, d := range docs {
					if !tagged[d.Key] {
						if err := take("", target, d.IDs); err != nil {
							return nil, err
						}
					}
				}
			}
		}
		return page(r, items)
	}
}

func matchesTarget(targets []string, target string) bool {
	for _, t := range targets {
		if t == target {
			return true
		}
	}
	return false
}

func sameAPI(a, b string) bool {
	a, _ = SplitRevision(a)
	b, _ = SplitRevision(b)
	return strings.EqualFold(a, b)
}

// tagResource shows a tagged resource as {"api": …}, {"operation": …} or {"product": …}; nil where it is gone.
func (v *viewer) tagResource(ctx context.Context, target string, ids []string) (map[string]any, *entityView, error) {
	k := v.service.Table.ByType(target)
	at, err := v.service.locate(ctx, k, ids)
	var doc *Document
	if err == nil {
		doc, err = v.service.read(ctx, Key(target, at))
	}
	if tandem.KindOf(err) == tandem.NotFound {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	e, err := v.show(ctx, k, doc)
	if err != nil {
		return nil, nil, err
	}
	shown := clone(e.Properties)
	shown["id"], shown["name"] = strings.TrimPrefix(e.ID, v.service.ID.String()), shown["displayName"]
	member := map[string]string{"apis": "api", "apis.operations": "operation", "products": "product"}[target]
	if target == "apis.operations" {
		if api, err := v.service.read(ctx, Key("apis", doc.IDs[:1])); err == nil {
			shown["apiName"], shown["apiRevision"], shown["apiVersion"] = api.Value("displayName"), api.Value("apiRevision"), api.Value("apiVersion")
			e.Properties["apiName"] = shown["apiName"]
		}
	}
	return map[string]any{member: shown}, e, nil
}

// operationTags are the names of the tags of one kind's resources; used by export.
func (v *viewer) tagNames(ctx context.Context, typ string, ids []string) ([]string, error) {
	docs, err := v.service.List(ctx, typ+".tags", ids)
	var out []string
	for _, d := range docs {
		tag, err := v.service.read(ctx, Key("tags", []string{d.Name()}))
		if err != nil {
			return nil, err
		}
		out = append(out, tag.String("displayName"))
	}
	return out, err
}

func notSupported(format string, args ...any) *arm.Error {
	return arm.Errorf(http.StatusBadRequest, "NotSupported", format, args...)
}

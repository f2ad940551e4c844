package apim

import (
	"context"
	"net/http"
	"strings"

	"tandem/internal/arm"
)

// derive lists documents of one kind that hold to a condition, under the name of another resource: a product's
// subscriptions, a user's groups.
func (p *Provider) derive(ctx context.Context, s *Service, r *arm.Request, typ string, keep func(d *Document) (bool, error), rename func(e *entityView)) (*arm.Response, error) {
	l, err := newListing(s, s.Table.ByType(typ), r)
	if err != nil {
		return nil, err
	}
	l.keep = append(l.keep, func(_ context.Context, e *entityView) (bool, error) { return keep(e.doc) })
	expand := l.expand
	l.expand = func(ctx context.Context, e *entityView) error {
		rename(e)
		if expand != nil {
			return expand(ctx, e)
		}
		return nil
	}
	if err := l.scan(ctx, collectionPrefix(typ, nil)); err != nil {
		return nil, err
	}
	return l.response()
}

// named finds the resource that a derived list is below.
func (p *Provider) named(ctx context.Context, s *Service, r *arm.Request, typ, param string) (*Document, error) {
	return p.find(ctx, s, s.Table.ByType(typ), []string{r.Params[param]})
}

func (p *Provider) productSubscriptions(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	product, err := p.named(ctx, s, r, "products", "productId")
	if err != nil {
		return nil, err
	}
	return p.derive(ctx, s, r, "subscriptions",
		func(d *Document) (bool, error) {
			return strings.EqualFold(d.String("scope"), "/products/"+product.Name()), nil
		},
		func(e *entityView) { e.below(s, "products.subscriptions", product.Name()) })
}

func (p *Provider) userSubscriptions(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	user, err := p.named(ctx, s, r, "users", "userId")
	if err != nil {
		return nil, err
	}
	return p.derive(ctx, s, r, "subscriptions",
		func(d *Document) (bool, error) {
			return strings.EqualFold(d.String("ownerId"), "/users/"+user.Name()), nil
		},
		func(e *entityView) { e.below(s, "users.subscriptions", user.Name()) })
}

func (p *Provider) userSubscription(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	user, err := p.named(ctx, s, r, "users", "userId")
	if err != nil {
		return nil, err
	}
	k := s.Table.ByType("subscriptions")
	doc, err := p.find(ctx, s, k, []string{r.Params["sid"]})
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(doc.String("ownerId"), "/users/"+user.Name()) {
		return nil, notFound(k, r.Params["sid"])
	}
	e, err := newViewer(s, r).show(ctx, k, doc)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Header: http.Header{"ETag": {doc.etag()}}, Body: e.below(s, "users.subscriptions", user.Name())}, nil
}

func (p *Provider) userGroups(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	user, err := p.named(ctx, s, r, "users", "userId")
	if err != nil {
		return nil, err
	}
	links, err := s.List(ctx, "groups.users", nil)
	if err != nil {
		return nil, err
	}
	in := map[string]bool{}
	for _, l := range links {
		if strings.EqualFold(l.IDs[1], user.Name()) {
			in[strings.ToLower(l.IDs[0])] = true
		}
	}
	return p.derive(ctx, s, r, "groups", func(d *Document) (bool, error) { return in[strings.ToLower(d.Name())], nil },
		func(e *entityView) { e.below(s, "users.groups", user.Name()) })
}

func (p *Provider) userIdentities(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	user, err := p.named(ctx, s, r, "users", "userId")
	if err != nil {
		return nil, err
	}
	e, err := newViewer(s, r).show(ctx, s.Table.ByType("users"), user)
	if err != nil {
		return nil, err
	}
	identities, _ := e.Properties["identities"].([]any)
	return page(r, identities)
}

// apiProducts lists the products that hold an API.
func (p *Provider) apiProducts(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	api, err := p.named(ctx, s, r, "apis", "apiId")
	if err != nil {
		return nil, err
	}
	name, _ := SplitRevision(api.Name())
	in := map[string]bool{}
	links, err := s.List(ctx, "products.apis", nil)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		in[strings.ToLower(l.IDs[0])] = in[strings.ToLower(l.IDs[0])] || sameAPI(l.IDs[1], name)
	}
	if links, err = s.List(ctx, "products.apiLinks", nil); err != nil {
		return nil, err
	}
	for _, l := range links {
		in[strings.ToLower(l.IDs[0])] = in[strings.ToLower(l.IDs[0])] || sameAPI(strings.TrimPrefix(l.String("apiId"), "/apis/"), name)
	}
	return p.derive(ctx, s, r, "products", func(d *Document) (bool, error) { return in[strings.ToLower(d.Name())], nil },
		func(e *entityView) { e.below(s, "apis.products", name) })
}

// issues lists the issues of all APIs.
func (p *Provider) issues(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	return p.derive(ctx, s, r, "apis.issues", func(*Document) (bool, error) { return true, nil },
		func(e *entityView) { e.below(s, "issues") })
}

func (p *Provider) issue(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	docs, err := s.List(ctx, "apis.issues", nil)
	if err != nil {
		return nil, err
	}
	for _, d := range docs {
		if strings.EqualFold(d.Name(), r.Params["issueId"]) {
			e, err := newViewer(s, r).show(ctx, s.Table.ByType("apis.issues"), d)
			if err != nil {
				return nil, err
			}
			return &arm.Response{Status: http.StatusOK, Header: http.Header{"ETag": {d.etag()}}, Body: e.below(s, "issues")}, nil
		}
	}
	return nil, notFound(s.Table.ByType("apis.issues"), r.Params["issueId"])
}

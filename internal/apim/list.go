package apim

import (
	"context"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

func (p *Provider) listHandler(k *Kind) arm.Handler {
	return func(ctx context.Context, r *arm.Request) (*arm.Response, error) {
		s, err := p.service(ctx, r)
		if err != nil {
			return nil, err
		}
		parents := make([]string, 0, len(k.params))
		for _, name := range k.params {
			if v, ok := r.Params[name]; ok {
				parents = append(parents, v)
			}
		}
		docs, err := p.collection(ctx, s, k, parents)
		if err != nil {
			return nil, err
		}
		items := make([]any, 0, len(docs))
		for _, d := range docs {
			res, err := p.view(ctx, s, s.Table.row(k, d), d, r)
			if err != nil {
				return nil, err
			}
			items = append(items, res)
		}
		return page(r, items)
	}
}

// row picks the row of a constant among several of one type.
func (t *Table) row(k *Kind, d *Document) *Kind {
	if k.constant == "" {
		return k
	}
	for _, c := range t.Kinds {
		if c.typ == k.typ && strings.EqualFold(c.constant, d.Name()) {
			return c
		}
	}
	return k
}

// collection reads all documents of a kind below their parents.
func (p *Provider) collection(ctx context.Context, s *Service, k *Kind, parents []string) ([]*Document, error) {
	if len(parents) > 0 {
		lits := strings.Split(k.typ, ".")
		parent := s.Table.ByType(strings.Join(lits[:len(parents)], "."))
		if parent != nil && parent.typ != "notifications" {
			doc, err := p.find(ctx, s, parent, parents)
			if err != nil {
				return nil, err
			}
			parents = doc.IDs
			if at := apiIDAt(lits); at >= 0 && at < len(parents) && rootChild(lits, at) {
				parents = append([]string(nil), parents...)
				parents[at], _ = SplitRevision(parents[at])
			}
		}
	}
	return s.List(ctx, k.typ, parents)
}

// List reads the stored documents of a type below their parents (storage ids), in the order of their keys.
func (s *Service) List(ctx context.Context, typ string, parents []string) ([]*Document, error) {
	l, err := s.Space.List(ctx, collectionPrefix(typ, parents), store.ListOptions{})
	if err != nil {
		return nil, err
	}
	docs := make([]*Document, 0, len(l.Documents))
	for _, d := range l.Documents {
		doc, err := Decode(d.Key, d)
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// revisions lists the revisions of an API.
func (p *Provider) revisions(ctx context.Context, s *Service, k *Kind, ids []string, r *arm.Request) (*arm.Response, error) {
	root, err := s.root(ctx, ids)
	if tandem.KindOf(err) == tandem.NotFound {
		return nil, notFound(k, ids[len(ids)-1])
	}
	if err != nil {
		return nil, err
	}
	name := root.Name()
	l, err := s.Space.List(ctx, Key(k.typ, append(append([]string(nil), ids[:len(ids)-1]...), name))+";rev=", store.ListOptions{})
	if err != nil {
		return nil, err
	}
	items := make([]any, 0, len(l.Documents))
	for _, d := range l.Documents {
		doc, err := Decode(d.Key, d)
		if err != nil {
			return nil, err
		}
		_, rev := SplitRevision(doc.Name())
		items = append(items, map[string]any{
			"apiId": "/apis/" + doc.Name(), "apiRevision": rev, "isCurrent": rev == root.String("current"), "isOnline": true,
			"description": doc.String("apiRevisionDescription"), "privateUrl": "/" + doc.String("path") + ";rev=" + rev,
		})
	}
	return page(r, items)
}

// pageSize is how many resources a list answers at once, as Azure's.
const pageSize = 100

// page answers one page of a list, with the count of all, as API Management does.
func page(r *arm.Request, items []any) (*arm.Response, error) {
	l, err := arm.Paginate(r, items, pageSize)
	if err != nil {
		return nil, err
	}
	count := int64(len(items))
	l.Count = &count
	return &arm.Response{Status: http.StatusOK, Body: l}, nil
}

package apim

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

const (
	// pageSize is how many resources a list answers at once, as Azure's.
	pageSize = 100
	// readSize is how many documents are read from the store at once.
	readSize = 250
	// countAhead bounds how many documents after the page are looked at to count a list with a filter. Longer ones have no count.
	countAhead = 250
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
		if parents, err = p.parents(ctx, s, k, parents); err != nil {
			return nil, err
		}
		l, err := newListing(s, k, r)
		if err != nil {
			return nil, err
		}
		if b, ok := k.Rules.(builtIns); ok {
			err = p.listWithBuiltIns(ctx, l, b, parents)
		} else {
			err = l.scan(ctx, collectionPrefix(k.typ, parents))
		}
		if err != nil {
			return nil, err
		}
		return l.response()
	}
}

// parents turns the ids in front of a collection into those of storage, and demands that the resource exists.
func (p *Provider) parents(ctx context.Context, s *Service, k *Kind, parents []string) ([]string, error) {
	if len(parents) == 0 {
		return parents, nil
	}
	lits := strings.Split(k.typ, ".")
	parent := s.Table.ByType(strings.Join(lits[:len(parents)], "."))
	if parent == nil {
		return parents, nil
	}
	doc, err := p.find(ctx, s, parent, parents)
	if err != nil {
		return nil, err
	}
	parents = doc.IDs
	if at := apiIDAt(lits); at >= 0 && at < len(parents) && rootChild(lits, at) {
		parents = append([]string(nil), parents...)
		parents[at], _ = SplitRevision(parents[at])
	}
	return parents, nil
}

// listing collects one page of a list.
type listing struct {
	viewer   *viewer
	kind     *Kind
	filter   *arm.Filter
	keep     []func(ctx context.Context, e *entityView) (bool, error) // further conditions of the query
	expand   func(ctx context.Context, e *entityView) error
	page     arm.Page
	size     int
	after    string // key of the last document of the page before
	matched  int    // documents that match, of this page and the ones before
	last     string // key of the page's last document
	items    []any
	written  []byte // the items of a plain list, as JSON
	taken    int    // how many items the page has
	more     bool
	counted  bool
	total    bool // matched is the number of all, not of those seen
	lookedAt int  // after the page was full
}

// newListing reads $filter, $top, $skip, $orderby and the flags of a list.
func newListing(s *Service, k *Kind, r *arm.Request) (*listing, error) {
	l := &listing{viewer: newViewer(s, r), kind: k, size: pageSize, items: []any{}}
	var err error
	if l.page, err = r.Page(); err != nil {
		return nil, err
	}
	if l.page.Top > 0 && l.page.Top < l.size {
		l.size = l.page.Top
	}
	if l.page.Mark != "" {
		n, after, ok := strings.Cut(l.page.Mark, " ")
		seen, err := strconv.Atoi(n)
		if !ok || err != nil || seen < 0 {
			return nil, arm.Errorf(http.StatusBadRequest, "InvalidSkipToken", "The $skipToken is not of this list; follow nextLink as it is.")
		}
		l.matched, l.after, l.page.Skip = seen, after, 0
	}
	if order := strings.Fields(r.Query["$orderby"]); len(order) > 0 && (!strings.EqualFold(order[0], "name") && !strings.EqualFold(order[0], "id") || len(order) > 1 && !strings.EqualFold(order[1], "asc")) {
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidQueryParameter", "The list cannot be ordered by '%s'; lists are in the order of their names.", r.Query["$orderby"])
	}
	if l.filter, err = parseFilter(k, r); err != nil {
		return nil, err
	}
	if l.viewer.flag("isKeyVaultRefreshFailed") {
		l.keep = append(l.keep, keyVaultFailed)
	}
	if scope := r.Query["scope"]; scope != "" && strings.HasSuffix("."+k.typ, ".tags") {
		l.keep = append(l.keep, usedIn(l.viewer, scope))
	}
	l.expand = l.expansion()
	return l, nil
}

// parseFilter reads $filter and refuses fields that the kind does not have, even where the list is empty.
func parseFilter(k *Kind, r *arm.Request) (*arm.Filter, error) {
	text := strings.TrimSpace(r.Query["$filter"])
	if text == "" {
		return nil, nil
	}
	f, err := arm.ParseFilter(text)
	if err != nil {
		return nil, err
	}
	probe := &entityView{kind: k, Properties: map[string]any{}}
	for _, field := range f.Fields() {
		if _, known := probe.field(field); !known {
			return nil, arm.Errorf(http.StatusBadRequest, "InvalidFilter", "The $filter '%.200s' is invalid: %s cannot be filtered by '%s'.", text, k.collection, field)
		}
	}
	_, err = f.Match(probe.field) // functions that do not exist
	return f, err
}

// plainView marks rules whose View changes nothing.
type plainView interface{ plainView() }

// plain tells whether resources are shown as they are stored, so that a list need not take them apart.
func (l *listing) plain() bool {
	if len(l.kind.References) > 0 || l.kind.constant != "" || l.expand != nil || l.conditional() {
		return false
	}
	_, ok := l.kind.Rules.(plainView)
	return ok || l.kind.Rules == nil
}

// conditional tells whether not every document of the collection is in the list.
func (l *listing) conditional() bool { return l.filter != nil || l.keep != nil }

// stored takes one document as the store has it.
func (l *listing) stored(ctx context.Context, d store.Document) (bool, error) {
	if !l.conditional() && (l.taken == l.size || l.page.Skip > 0) { // it is a match, and need not be read
		if l.taken == l.size {
			l.more = true
			return false, nil
		}
		l.page.Skip--
		return true, nil
	}
	if l.plain() {
		return true, l.raw(ctx, d)
	}
	doc, err := Decode(d.Key, d)
	if err != nil {
		return false, err
	}
	return l.add(ctx, l.viewer.service.Table.row(l.kind, doc), doc)
}

// raw takes a document that is shown as it is stored.
func (l *listing) raw(ctx context.Context, d store.Document) error {
	ids, properties, ok := splitDocument(d.Value)
	if !ok {
		var doc struct {
			IDs        []string        `json:"ids"`
			Properties json.RawMessage `json:"properties"`
		}
		if err := json.Unmarshal(d.Value, &doc); err != nil || len(doc.IDs) == 0 {
			return &tandem.Error{Op: "read document", Subject: d.Key, Kind: tandem.Corrupt, Err: err, Remedy: "restore the service from its last backup"}
		}
		ids, properties = doc.IDs, doc.Properties
	}
	ids, err := l.viewer.shownIDs(ctx, l.kind, ids)
	if err != nil {
		return err
	}
	if l.taken > 0 {
		l.written = append(l.written, ',')
	}
	l.written = appendResource(l.written, l.viewer.service.resourceID(l.kind, ids), ids[len(ids)-1], l.kind.ARMType(), properties)
	l.taken++
	l.last = d.Key
	return nil
}

// add takes one resource into the page, or counts it. It returns false when enough was seen.
func (l *listing) add(ctx context.Context, k *Kind, doc *Document) (bool, error) {
	full := l.taken == l.size
	if full {
		if l.lookedAt++; l.lookedAt > countAhead {
			return false, nil
		}
	}
	view, err := l.viewer.show(ctx, k, doc)
	if err != nil {
		return false, err
	}
	if match, err := l.matches(ctx, view); err != nil || !match {
		return err == nil, err
	}
	if !l.total {
		l.matched++
	}
	switch {
	case full:
		l.more = true
	case l.page.Skip > 0:
		l.page.Skip--
	default:
		if l.expand != nil {
			if err := l.expand(ctx, view); err != nil {
				return false, err
			}
		}
		l.items, l.last = append(l.items, view), doc.Key
		l.taken++
	}
	return true, nil
}

func (l *listing) matches(ctx context.Context, e *entityView) (bool, error) {
	if l.filter != nil {
		if ok, err := l.filter.Match(e.field); err != nil || !ok {
			return false, err
		}
	}
	for _, keep := range l.keep {
		if ok, err := keep(ctx, e); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// scan reads a collection from the store, in the order of its keys, as far as the page needs.
func (l *listing) scan(ctx context.Context, prefix string) error {
	s := l.viewer.service
	o := store.ListOptions{After: l.after, Limit: min(readSize, l.size+l.page.Skip+1)}
	if o.After != "" && !strings.HasPrefix(o.After, prefix) {
		return arm.Errorf(http.StatusBadRequest, "InvalidSkipToken", "The $skipToken is not of this list; follow nextLink as it is.")
	}
	for {
		got, err := s.Space.List(ctx, prefix, o)
		if err != nil {
			return err
		}
		if !l.conditional() && !l.total { // the first read tells how many there are
			l.total, l.counted, l.matched = true, true, l.matched+got.Total
		}
		for _, d := range got.Documents {
			o.After = d.Key
			more, err := l.stored(ctx, d)
			if err != nil || !more {
				return err
			}
		}
		if !got.More {
			l.counted = true
			return nil
		}
		if l.page.Mark != "" && l.more { // only a list's first page counts ahead
			return nil
		}
		o.Limit = readSize
	}
}

// builtIns is a kind that has resources without their having been written.
type builtIns interface {
	// BuiltIns gives their ids below the parents.
	BuiltIns(k *Kind, parents []string) [][]string
}

// listWithBuiltIns lists a short collection: what was written, and what exists from the start.
func (p *Provider) listWithBuiltIns(ctx context.Context, l *listing, b builtIns, parents []string) error {
	s := l.viewer.service
	docs, err := s.List(ctx, l.kind.typ, parents)
	if err != nil {
		return err
	}
	written := map[string]bool{}
	for _, d := range docs {
		written[d.Key] = true
	}
	for _, ids := range b.BuiltIns(l.kind, parents) {
		k := s.Table.row(l.kind, &Document{IDs: ids})
		if !written[Key(k.typ, ids)] {
			docs = append(docs, k.Rules.(builtIn).BuiltIn(k, ids))
		}
	}
	return l.all(ctx, docs)
}

// all takes documents that are in memory.
func (l *listing) all(ctx context.Context, docs []*Document) error {
	for _, d := range docs {
		if l.after != "" && d.Key <= l.after {
			continue
		}
		if more, err := l.add(ctx, l.viewer.service.Table.row(l.kind, d), d); err != nil || !more {
			return err
		}
	}
	l.counted = true
	return nil
}

func (l *listing) response() (*arm.Response, error) {
	out := arm.List[any]{Value: l.items}
	if l.counted {
		count := int64(l.matched)
		out.Count = &count
	}
	if l.more {
		out.NextLink = l.viewer.request.NextLink(strconv.Itoa(l.seen()) + " " + l.last)
	}
	if l.written != nil {
		return &arm.Response{Status: http.StatusOK, Body: encoded(l.written, out.Count, out.NextLink)}, nil
	}
	return &arm.Response{Status: http.StatusOK, Body: out}, nil
}

// seen is how many matches there are up to the page's end.
func (l *listing) seen() int {
	skip, _ := strconv.Atoi(l.viewer.request.Query["$skip"])
	if l.page.Mark != "" {
		n, _, _ := strings.Cut(l.page.Mark, " ")
		skip, _ = strconv.Atoi(n)
	}
	return skip + l.taken
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
	l, err := s.Space.List(ctx, Key(k.typ, append(append([]string(nil), ids[:len(ids)-1]...), root.Name()))+";rev=", store.ListOptions{})
	if err != nil {
		return nil, err
	}
	filter, err := parseFilter(&Kind{Properties: []string{"apiRevision", "isCurrent", "description"}, collection: "revisions"}, r)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, d := range l.Documents {
		doc, err := Decode(d.Key, d)
		if err != nil {
			return nil, err
		}
		_, rev := SplitRevision(doc.Name())
		item := map[string]any{
			"apiId": "/apis/" + doc.Name(), "apiRevision": rev, "isCurrent": rev == root.String("current"), "isOnline": true,
			"description": doc.String("apiRevisionDescription"), "privateUrl": "/" + doc.String("path") + ";rev=" + rev,
			"createdDateTime": doc.Value("createdDateTime"), "updatedDateTime": doc.Value("updatedDateTime"),
		}
		if filter != nil {
			ok, err := filter.Match(func(path string) (any, bool) { v, ok := arm.FoldGet(item, path); return v, ok })
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
		}
		items = append(items, item)
	}
	return page(r, items)
}

// page answers one page of a list that is in memory, with the count of all, as API Management does.
func page[T any](r *arm.Request, items []T) (*arm.Response, error) {
	l, err := arm.Paginate(r, items, pageSize)
	if err != nil {
		return nil, err
	}
	count := int64(len(items))
	l.Count = &count
	return &arm.Response{Status: http.StatusOK, Body: l}, nil
}

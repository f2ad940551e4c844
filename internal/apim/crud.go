package apim

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// commitTries bounds the retries of a write without a concrete If-Match that others keep overtaking.
const commitTries = 8

// put serves PUT and PATCH of an entity.
func (p *Provider) put(ctx context.Context, s *Service, k *Kind, ids []string, r *arm.Request) (*arm.Response, error) {
	if err := checkName(k, ids); err != nil {
		return nil, err
	}
	sent, err := properties(k, r.Body)
	if err != nil {
		return nil, err
	}
	patch := r.Method == http.MethodPatch
	if k.MatchRequired && !patch && strict(r) && !r.IfMatch() {
		return nil, matchRequired()
	}
	for try := 0; ; try++ {
		w := &Write{Service: s, Kind: k, Request: r, Sent: sent, Secret: func(string) bool { return true }}
		if err := p.prepare(ctx, w, ids); err != nil {
			w.done()
			return nil, err
		}
		rev, err := w.commit(ctx)
		w.done()
		if tandem.KindOf(err) == tandem.Precondition && try < commitTries && (!concrete(r) || conflictsWith(err) != w.Doc.Key) {
			continue
		}
		if err != nil {
			return nil, commitError(w, err)
		}
		w.Doc.Revision = rev
		status := http.StatusOK
		if w.New() && !k.Always200 {
			status = http.StatusCreated
		}
		if patch && k.PatchEmpty {
			return &arm.Response{Status: http.StatusNoContent, Header: http.Header{"ETag": {w.Doc.etag()}}}, nil
		}
		return p.entity(ctx, s, k, w.Doc, r, status)
	}
}

// prepare builds the write from what is there now and what was sent.
func (p *Provider) prepare(ctx context.Context, w *Write, ids []string) error {
	s, k, r, sent := w.Service, w.Kind, w.Request, w.Sent
	patch := r.Method == http.MethodPatch
	stored, err := s.locate(ctx, k, ids)
	if err == nil {
		w.IDs = stored
		w.Old, err = s.read(ctx, Key(k.typ, stored))
	}
	switch {
	case tandem.KindOf(err) == tandem.NotFound && k.typ == "apis" || k.typ == "workspaces.apis":
		if w.Old == nil && w.IDs == nil {
			w.IDs = newRevision(ids, sent)
		}
	case tandem.KindOf(err) == tandem.NotFound:
		if w.IDs == nil {
			return notFound(s.Table.ByType("apis"), ids[0])
		}
	case err != nil:
		return err
	}
	if b, ok := k.Rules.(builtIn); ok && w.Old == nil {
		w.Old = b.BuiltIn(k, w.IDs) // revision 0: it exists, but was never written
	}
	if w.Old == nil && patch {
		return notFound(k, ids[len(ids)-1])
	}
	if err := r.CheckETag(w.Old.etag()); err != nil {
		return err
	}
	w.Doc = &Document{IDs: w.IDs, Key: Key(k.typ, w.IDs), Type: k.typ, Properties: map[string]any{}}
	if w.Old != nil {
		w.Doc.IDs = w.Old.IDs
		if patch {
			w.Doc.Properties = clone(w.Old.Properties)
			if err := w.Old.reveal(s.Sealer, k.Rules, w.Doc.Properties); err != nil {
				return err
			}
		}
		for _, name := range k.ReadOnly {
			if v := lookup(w.Old.Properties, name); v != nil {
				place(w.Doc.Properties, name, v)
			}
		}
	}
	merge(w.Doc.Properties, clone(sent), patch)
	for i := 0; i < len(k.params)-1; i++ {
		if err := w.requireParent(ctx, i); err != nil {
			return err
		}
	}
	if k.Rules != nil {
		if err := k.Rules.Write(ctx, w); err != nil {
			return err
		}
	}
	for _, name := range k.WriteOnly {
		remove(w.Doc.Properties, name)
	}
	for _, name := range k.Required {
		v := lookup(w.Doc.Properties, name)
		sealedBefore := w.Old != nil && w.Old.Sealed[name] != ""
		if (v == nil || v == "") && !sealedBefore {
			return invalid(name, "%s is required.", name)
		}
	}
	for _, ref := range k.References {
		if err := w.reference(ctx, ref); err != nil {
			return err
		}
	}
	if err := w.Doc.seal(s.Sealer, k, w.Old, w.Secret); err != nil {
		return err
	}
	value, err := w.Doc.encode()
	if err != nil {
		return err
	}
	cond := store.Condition{Key: w.Doc.Key}
	if w.Old != nil {
		cond.Revision = w.Old.Revision
	}
	w.Batch.If = append(w.Batch.If, cond)
	w.Batch.Put = append(w.Batch.Put, store.Write{Key: w.Doc.Key, Value: value})
	return nil
}

// requireParent demands that the i-th ancestor exists.
func (w *Write) requireParent(ctx context.Context, i int) error {
	lits := strings.Split(w.Kind.typ, ".")
	typ := strings.Join(lits[:i+1], ".")
	parent := w.Service.Table.ByType(typ)
	if parent == nil {
		return nil
	}
	if _, ok := parent.Rules.(builtIns); ok { // it exists from the start
		return nil
	}
	ids := w.IDs[:i+1]
	key := Key(typ, ids)
	if at := apiIDAt(lits); at == i {
		if _, rev := SplitRevision(ids[i]); rev == "" {
			key = Key(RootType, ids)
		}
	}
	if _, err := w.Service.Space.Get(ctx, key, 0); err != nil {
		if tandem.KindOf(err) == tandem.NotFound {
			return notFound(parent, ids[i])
		}
		return err
	}
	w.Batch.If = append(w.Batch.If, store.Condition{Key: key, Revision: store.Any})
	return nil
}

// reference normalises a reference to "/collection/name…" and demands its target.
func (w *Write) reference(ctx context.Context, ref Reference) error {
	v := lookup(w.Doc.Properties, ref.Property)
	if v == nil || v == "" {
		return nil
	}
	text, ok := v.(string)
	if !ok {
		return invalid(ref.Property, "%v is not the id of a resource", v)
	}
	path := w.Service.relative(text)
	place(w.Doc.Properties, ref.Property, path)
	first, _, _ := strings.Cut(inWorkspace(path), "/")
	if len(ref.Collections) > 0 {
		found := false
		for _, c := range ref.Collections {
			found = found || strings.EqualFold(c, first)
		}
		if !found {
			return invalid(ref.Property, "%s does not name one of %s", text, strings.Join(ref.Collections, ", "))
		}
	}
	if rest := inWorkspace(path); !strings.Contains(rest, "/") && rest != "" || path == "/" { // "/apis": all of them
		return nil
	}
	return w.Require(ctx, path, ref.Property)
}

// inWorkspace is a path without the workspace in front: "apis/echo" of "/workspaces/team/apis/echo".
func inWorkspace(path string) string {
	path = strings.TrimPrefix(path, "/")
	if len(path) > len("workspaces/") && strings.EqualFold(path[:len("workspaces/")], "workspaces/") {
		_, path, _ = strings.Cut(path[len("workspaces/"):], "/")
	}
	return path
}

// relative turns a full id of a resource of this service, or a short one, into "/collection/name…".
func (s *Service) relative(id string) string {
	lower := strings.ToLower(id)
	if i := strings.Index(lower, "/providers/microsoft.apimanagement/service/"); i >= 0 {
		rest := id[i+len("/providers/microsoft.apimanagement/service/"):]
		if _, after, ok := strings.Cut(rest, "/"); ok {
			return "/" + after
		}
		return "/"
	}
	return "/" + strings.Trim(id, "/")
}

// commit writes the resource, its children and what goes with them at once, however many they are.
func (w *Write) commit(ctx context.Context) (tandem.Revision, error) {
	b := w.Batch
	own := len(b.Put) - 1 // the resource itself comes first, so that its revision is that of the commit
	b.Put = append(append([]store.Write{b.Put[own]}, b.Put[:own]...), w.Before...)
	b.Delete = unique(append(b.Delete, w.Stale...))
	return w.Service.Space.Commit(ctx, b)
}

// conflictsWith is the key whose condition a commit failed on.
func conflictsWith(err error) string {
	var te *tandem.Error
	if errors.As(err, &te) {
		return te.Subject
	}
	return ""
}

func commitError(w *Write, err error) error {
	if tandem.KindOf(err) == tandem.Precondition {
		if conflictsWith(err) == w.Doc.Key {
			return preconditionFailed()
		}
		return arm.Errorf(http.StatusConflict, "Conflict", "A resource that this call depends on (%s) changed meanwhile; read it again and repeat the call.", conflictsWith(err))
	}
	return serviceError(w.Service, err)
}

func serviceError(s *Service, err error) error {
	if tandem.KindOf(err) == tandem.Locked {
		return Locked(s.ID.Name())
	}
	return err
}

// Locked is Azure's answer while a service-level operation runs.
func Locked(service string) *arm.Error {
	return arm.Errorf(http.StatusConflict, "ServiceLocked", "The API Service %s is transitioning at this time. Please try the request again later.", service)
}

func (p *Provider) get(ctx context.Context, s *Service, k *Kind, ids []string, r *arm.Request) (*arm.Response, error) {
	doc, err := p.find(ctx, s, k, ids)
	if err != nil {
		return nil, err
	}
	if r.Method == http.MethodHead {
		if k.Existence && !k.Head200 {
			return &arm.Response{Status: http.StatusNoContent}, nil
		}
		return &arm.Response{Status: http.StatusOK, Header: http.Header{"ETag": {doc.etag()}}}, nil
	}
	if strings.EqualFold(r.Query["export"], "true") && strings.HasSuffix("."+k.typ, ".apis") && apiIDAt(strings.Split(k.typ, ".")) >= 0 {
		return p.export(ctx, s, doc, r)
	}
	return p.entity(ctx, s, k, doc, r, http.StatusOK)
}

// find reads a document, or answers 404 as Azure does. Settings that exist from the start have their defaults.
func (p *Provider) find(ctx context.Context, s *Service, k *Kind, ids []string) (*Document, error) {
	stored, err := s.locate(ctx, k, ids)
	if err == nil {
		var doc *Document
		if doc, err = s.read(ctx, Key(k.typ, stored)); err == nil {
			return doc, nil
		}
	}
	if tandem.KindOf(err) == tandem.NotFound {
		if b, ok := k.Rules.(builtIn); ok {
			if doc := b.BuiltIn(k, ids); doc != nil {
				return doc, nil
			}
		}
		return nil, notFound(k, ids[len(ids)-1])
	}
	return nil, err
}

// builtIn is a kind whose resources exist without having been written.
type builtIn interface {
	BuiltIn(k *Kind, ids []string) *Document
}

func (p *Provider) delete(ctx context.Context, s *Service, k *Kind, ids []string, r *arm.Request) (*arm.Response, error) {
	for try := 0; ; try++ {
		stored, err := s.locate(ctx, k, ids)
		var doc *Document
		if err == nil {
			doc, err = s.read(ctx, Key(k.typ, stored))
		}
		if tandem.KindOf(err) == tandem.NotFound {
			return &arm.Response{Status: http.StatusNoContent}, nil
		}
		if err != nil {
			return nil, err
		}
		if err := r.CheckETag(doc.etag()); err != nil {
			return nil, err
		}
		w := &Write{Service: s, Kind: k, Request: r, IDs: stored, Doc: doc, Old: doc}
		if k.Rules != nil {
			if err := k.Rules.Delete(ctx, w); err != nil {
				return nil, err
			}
		}
		if base := strings.TrimPrefix(k.typ, "workspaces."); base != "apis" { // an API as a whole may have other revisions
			if err := w.release(ctx, "/"+doc.Path(k)); err != nil {
				return nil, err
			}
		}
		w.Batch.If = append(w.Batch.If, store.Condition{Key: doc.Key, Revision: doc.Revision})
		w.Batch.Delete = append([]string{doc.Key}, w.Batch.Delete...)
		below, err := s.below(ctx, k, stored)
		if err != nil {
			return nil, err
		}
		w.Batch.Delete = unique(append(w.Batch.Delete, below...))
		if _, err := s.Space.Commit(ctx, w.Batch); err != nil {
			if tandem.KindOf(err) == tandem.Precondition && try < commitTries && !concrete(r) {
				continue
			}
			return nil, commitError(w, err)
		}
		if err := s.deleteLate(ctx, k, doc); err != nil {
			return nil, serviceError(s, err)
		}
		status := http.StatusOK
		if k.typ == "apis" || k.typ == "workspaces.apis" || k.typ == "users" {
			status = http.StatusNoContent // the one code that clients of all versions take
		}
		return &arm.Response{Status: status}, nil
	}
}

// deleteLate deletes what was written below a resource between the look at it and its deletion. From then on nothing can
// be: who writes a child demands its parent.
func (s *Service) deleteLate(ctx context.Context, k *Kind, doc *Document) error {
	below, err := s.below(ctx, k, doc.IDs)
	if err != nil || len(below) == 0 {
		return err
	}
	_, err = s.Space.Commit(ctx, store.Batch{If: []store.Condition{{Key: doc.Key}}, Delete: below})
	if tandem.KindOf(err) == tandem.Precondition { // the resource is there again, and what is below it is its own
		return nil
	}
	return err
}

// below lists the keys of everything below a resource.
func (s *Service) below(ctx context.Context, k *Kind, ids []string) ([]string, error) {
	var keys []string
	for _, c := range s.Table.Below(k) {
		l, err := s.Space.List(ctx, collectionPrefix(c.typ, ids), store.ListOptions{})
		if err != nil {
			return nil, err
		}
		for _, d := range l.Documents {
			keys = append(keys, d.Key)
		}
	}
	return keys, nil
}

// reveal answers the secrets of a resource (law 7).
func (p *Provider) reveal(ctx context.Context, s *Service, k *Kind, ids []string, r *arm.Request) (*arm.Response, error) {
	doc, err := p.find(ctx, s, k, ids)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, name := range k.Secrets {
		v, err := doc.OpenSecret(s.Sealer, name)
		if err != nil {
			return nil, err
		}
		if v == nil {
			v = lookup(doc.Properties, name)
		}
		if v != nil {
			out[name] = v
		}
	}
	if rv, ok := k.Rules.(interface {
		Reveal(doc *Document, out map[string]any)
	}); ok {
		rv.Reveal(doc, out)
	}
	return &arm.Response{Status: http.StatusOK, Header: http.Header{"ETag": {doc.etag()}}, Body: out}, nil
}

func clone(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for name, v := range m {
		if inner, ok := v.(map[string]any); ok {
			v = clone(inner)
		}
		out[name] = v
	}
	return out
}

// merge lays what was sent over what is there. A PATCH merges objects member by member and removes what is null
// (RFC 7396); a PUT replaces.
func merge(dst, sent map[string]any, patch bool) {
	if !patch {
		maps.Copy(dst, sent)
		return
	}
	for name, v := range sent {
		switch inner := v.(type) {
		case nil:
			delete(dst, name)
		case map[string]any:
			into, ok := dst[name].(map[string]any)
			if !ok {
				into = map[string]any{}
			}
			merge(into, inner, true)
			dst[name] = into
		default:
			dst[name] = v
		}
	}
}

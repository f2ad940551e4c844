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

type apiRules struct{ noRules }

// newRevision gives the storage ids of an API that is being created: its first revision is 1 unless the client names one.
func newRevision(ids []string, sent map[string]any) []string {
	out := append([]string(nil), ids...)
	last := len(out) - 1
	name, rev := SplitRevision(out[last])
	if rev == "" {
		if rev, _ = sent["apiRevision"].(string); rev == "" {
			rev = "1"
		}
	}
	out[last] = name + ";rev=" + rev
	return out
}

func (apiRules) Write(ctx context.Context, w *Write) error {
	p := w.Doc.Properties
	name, rev := SplitRevision(w.IDs[len(w.IDs)-1])
	if n, err := strconv.Atoi(rev); err != nil || n < 1 || len(rev) > 9 {
		return invalid("apiRevision", "%q is not a revision; revisions are numbers from 1", rev)
	}
	p["apiRevision"] = rev
	if err := w.cloneSource(ctx); err != nil {
		return err
	}
	if err := w.importDocument(ctx); err != nil {
		return err
	}
	w.Default("type", "http")
	if err := w.OneOf("type", "http", "soap", "websocket", "graphql", "odata", "grpc"); err != nil {
		return err
	}
	if p["protocols"] == nil {
		p["protocols"] = []any{"https"}
	}
	w.Default("subscriptionRequired", true)
	w.Default("displayName", name)
	w.Default("subscriptionKeyParameterNames", map[string]any{"header": "Ocp-Apim-Subscription-Key", "query": "subscription-key"})
	w.Default("authenticationSettings", map[string]any{"oAuth2": nil, "openid": nil})
	path, err := text(p, "path")
	if err != nil {
		return err
	}
	p["path"] = strings.Trim(path, "/")
	if strings.ContainsAny(path, "*#?&+:<>\\% ") {
		return invalid("path", "the path %q has a character that is not allowed", path)
	}
	delete(p, "isCurrent")
	delete(p, "apiVersionSet")
	if err := w.uniquePath(ctx, name); err != nil {
		return err
	}
	return w.ensureRoot(ctx, name, rev)
}

// ensureRoot keeps the document that says which revision is current: the first revision written is.
func (w *Write) ensureRoot(ctx context.Context, name, rev string) error {
	ids := append(append([]string(nil), w.IDs[:len(w.IDs)-1]...), name)
	root, err := w.Service.root(ctx, ids)
	if err == nil {
		w.Batch.If = append(w.Batch.If, store.Condition{Key: root.Key, Revision: store.Any})
		return nil
	}
	if tandem.KindOf(err) != tandem.NotFound {
		return err
	}
	root = &Document{IDs: ids, Key: Key(RootType, ids), Properties: map[string]any{"current": rev}}
	value, err := root.encode()
	if err != nil {
		return err
	}
	w.Batch.If = append(w.Batch.If, store.Condition{Key: root.Key})
	w.Batch.Put = append(w.Batch.Put, store.Write{Key: root.Key, Value: value})
	return nil
}

// cloneSource copies another API or revision below this one: how revisions and versions are made.
func (w *Write) cloneSource(ctx context.Context) error {
	source, err := text(w.Doc.Properties, "sourceApiId")
	if err != nil || source == "" || !w.New() {
		return err
	}
	path := w.Service.relative(source)
	k, ids := w.Service.Table.ByPath(path)
	if k == nil || k.typ != w.Kind.typ {
		return invalid("sourceApiId", "%s is not the id of an API of this service", source)
	}
	ids, err = w.Service.locate(ctx, k, ids)
	var from *Document
	if err == nil {
		from, err = w.Service.read(ctx, Key(k.typ, ids))
	}
	if tandem.KindOf(err) == tandem.NotFound {
		return invalid("sourceApiId", "the API %s does not exist in this service", source)
	}
	if err != nil {
		return err
	}
	for name, v := range clone(from.Properties) {
		if w.Doc.Properties[name] == nil {
			w.Doc.Properties[name] = v
		}
	}
	return w.copyBelow(ctx, k, ids)
}

// copyBelow puts copies of everything below the API at ids below this one.
func (w *Write) copyBelow(ctx context.Context, k *Kind, ids []string) error {
	for _, c := range w.Service.Table.Below(k) {
		docs, err := w.Service.List(ctx, c.typ, ids)
		if err != nil {
			return err
		}
		for _, d := range docs {
			d.IDs = append(append([]string(nil), w.IDs...), d.IDs[len(w.IDs):]...)
			d.Key = Key(c.typ, d.IDs)
			if err := w.also(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// also writes another document with this change.
func (w *Write) also(d *Document) error {
	value, err := d.encode()
	if err != nil {
		return err
	}
	w.Before = append(w.Before, store.Write{Key: d.Key, Value: value})
	return nil
}

func (apiRules) View(ctx context.Context, v *View) error {
	_, rev := SplitRevision(v.Doc.Name())
	current, err := v.viewer.current(ctx, v.Doc.IDs)
	if err != nil {
		return err
	}
	v.Properties["isCurrent"] = current == rev
	v.Properties["isOnline"] = true
	if set, ok := v.Properties["apiVersionSetId"].(string); ok && v.viewer.flag("expandApiVersionSet") {
		key, err := v.Service.keyOf(ctx, v.Service.relative(set))
		if err != nil {
			return err
		}
		if doc, err := v.Service.read(ctx, key); err == nil {
			expanded := clone(doc.Properties)
			expanded["id"] = set
			v.Properties["apiVersionSet"] = expanded
		}
	}
	return nil
}

func (apiRules) Delete(ctx context.Context, w *Write) error {
	name, rev := SplitRevision(w.IDs[len(w.IDs)-1])
	parents := w.IDs[:len(w.IDs)-1]
	root, err := w.Service.root(ctx, w.IDs)
	if err != nil {
		return err
	}
	all := strings.EqualFold(w.Request.Query["deleterevisions"], "true")
	prefix := Key(w.Kind.typ, append(append([]string(nil), parents...), name)) + ";rev="
	l, err := w.Service.Space.List(ctx, prefix, store.ListOptions{})
	if err != nil {
		return err
	}
	current := root.String("current") == rev
	if current && len(l.Documents) > 1 && !all {
		return arm.Errorf(http.StatusBadRequest, "ValidationError", "The API %s has other revisions; delete them first, or call with deleteRevisions=true.", name)
	}
	if !current && !all {
		return nil
	}
	for _, d := range l.Documents {
		doc, err := Decode(d.Key, d)
		if err != nil {
			return err
		}
		if doc.Key != w.Doc.Key {
			below, err := w.Service.below(ctx, w.Kind, doc.IDs)
			if err != nil {
				return err
			}
			w.Batch.Delete = append(append(w.Batch.Delete, doc.Key), below...)
		}
	}
	w.Batch.Delete = append(w.Batch.Delete, root.Key)
	below, err := w.Service.below(ctx, w.Kind, root.IDs) // releases
	if err != nil {
		return err
	}
	w.Batch.Delete = append(w.Batch.Delete, below...)
	path := "/apis/" + name
	if len(parents) > 0 {
		path = "/workspaces/" + parents[0] + path
	}
	if err := w.deleteSubscriptions(ctx, path, true); err != nil { // they would open nothing any more
		return err
	}
	return w.release(ctx, path)
}

type releaseRules struct{ noRules }

// Write makes the released revision the current one, in the same commit.
func (releaseRules) Write(ctx context.Context, w *Write) error {
	p := w.Doc.Properties
	now := stamp(w)
	if w.New() {
		p["createdDateTime"] = now
	}
	p["updatedDateTime"] = now
	ids := w.IDs[:len(w.IDs)-1]
	id, err := text(p, "apiId")
	if err != nil {
		return err
	}
	if id == "" {
		if !w.New() {
			return nil
		}
		return invalid("apiId", "apiId is required: the revision to release, for example /apis/echo;rev=2")
	}
	path := w.Service.relative(id)
	k, target := w.Service.Table.ByPath(path)
	if k == nil || k.typ+".releases" != w.Kind.typ {
		return invalid("apiId", "%s is not the id of an API's revision", id)
	}
	name, rev := SplitRevision(target[len(target)-1])
	if !strings.EqualFold(name, ids[len(ids)-1]) {
		return invalid("apiId", "%s is a revision of another API", id)
	}
	p["apiId"] = path
	root, err := w.Service.root(ctx, ids)
	if err != nil {
		return err
	}
	if rev == "" {
		rev = root.String("current")
	}
	if err := w.Require(ctx, strings.TrimSuffix(path, ";rev="+rev)+";rev="+rev, "apiId"); err != nil {
		return err
	}
	if !w.New() || root.String("current") == rev {
		return nil
	}
	revision := root.Revision
	root.Properties["current"] = rev
	value, err := json.Marshal(root)
	if err != nil {
		return err
	}
	w.Batch.Put = append(w.Batch.Put, store.Write{Key: root.Key, Value: value})
	for i, c := range w.Batch.If {
		if c.Key == root.Key {
			w.Batch.If[i].Revision = revision
		}
	}
	return nil
}

func (releaseRules) View(_ context.Context, v *View) error {
	if path, ok := v.Properties["apiId"].(string); ok {
		v.Properties["apiId"] = v.Service.ID.String() + path
	}
	return nil
}

package apim

import (
	"context"
	"net/http"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// MasterSubscription is the built-in subscription with access to everything.
const MasterSubscription = "master"

type subscriptionRules struct{ noRules }

func (subscriptionRules) Write(ctx context.Context, w *Write) error {
	p := w.Doc.Properties
	scope, err := text(p, "scope")
	if err != nil {
		return err
	}
	rel := w.Service.relative(scope)
	switch first, rest, _ := strings.Cut(strings.TrimPrefix(rel, "/"), "/"); {
	case scope == "" || strings.EqualFold(first, "apis") || strings.EqualFold(first, "workspaces"):
	case strings.EqualFold(first, "products") && rest != "":
	case rel == "/" && strings.EqualFold(w.Doc.Name(), MasterSubscription):
	default:
		return invalid("scope", "%s is not a scope; write /products/{id}, /apis or /apis/{id}", scope)
	}
	if err := w.OneOf("state", "suspended", "active", "expired", "submitted", "rejected", "cancelled"); err != nil {
		return err
	}
	w.Default("state", "active")
	w.Default("allowTracing", false)
	if w.New() {
		p["createdDate"] = stamp(w)
		w.Default("primaryKey", newKey())
		w.Default("secondaryKey", newKey())
	}
	for _, name := range []string{"primaryKey", "secondaryKey"} {
		key, err := text(p, name)
		if err != nil {
			return err
		}
		if len(key) > 256 {
			return invalid(name, "a key has at most 256 characters; this one has %d", len(key))
		}
		if key == "" {
			delete(p, name)
		}
	}
	return nil
}

// deleteSubscriptions removes the subscriptions to a product or API, or refuses while there are any.
func (w *Write) deleteSubscriptions(ctx context.Context, scope string, allowed bool) error {
	return w.deleteWhere(ctx, "scope", scope, allowed)
}

// deleteWhere removes the subscriptions that have a value in a property, or refuses while there are any.
func (w *Write) deleteWhere(ctx context.Context, property, value string, allowed bool) error {
	typ := "subscriptions"
	var parents []string
	if strings.HasPrefix(w.Kind.typ, "workspaces.") {
		typ, parents = "workspaces.subscriptions", w.IDs[:1]
	}
	docs, err := w.Service.List(ctx, typ, parents)
	if err != nil {
		return err
	}
	for _, doc := range docs {
		if !strings.EqualFold(doc.String(property), value) {
			continue
		}
		if !allowed {
			return arm.Errorf(http.StatusBadRequest, "ValidationError", "%s has subscriptions, %s among them; delete them first, or call with deleteSubscriptions=true.", value, doc.Name())
		}
		w.Batch.Delete = append(w.Batch.Delete, doc.Key)
	}
	return nil
}

// regenerate serves regeneratePrimaryKey and regenerateSecondaryKey.
func (p *Provider) regenerate(property string) entityAction {
	return func(ctx context.Context, s *Service, k *Kind, ids []string, r *arm.Request) (*arm.Response, error) {
		for try := 0; ; try++ {
			doc, err := p.find(ctx, s, k, ids)
			if err != nil {
				return nil, err
			}
			w := &Write{Service: s, Kind: k, Request: r, IDs: doc.IDs, Old: doc, Secret: func(string) bool { return true }}
			w.Doc = &Document{IDs: doc.IDs, Key: doc.Key, Type: doc.Type, Properties: clone(doc.Properties)}
			w.Doc.Properties[property] = newKey()
			if err := w.Doc.seal(s.Sealer, k, doc, w.Secret); err != nil {
				return nil, err
			}
			value, err := w.Doc.encode()
			if err != nil {
				return nil, err
			}
			w.Batch.If = append(w.Batch.If, store.Condition{Key: doc.Key, Revision: doc.Revision})
			w.Batch.Put = append(w.Batch.Put, store.Write{Key: doc.Key, Value: value})
			if _, err := s.Space.Commit(ctx, w.Batch); err == nil {
				return &arm.Response{Status: http.StatusNoContent}, nil
			} else if tandem.KindOf(err) != tandem.Precondition || try == commitTries {
				return nil, commitError(w, err)
			}
		}
	}
}

// stamp is the time in the form Azure writes it.
func stamp(w *Write) string {
	return w.Service.Clock.Now().UTC().Format(time.RFC3339Nano)
}

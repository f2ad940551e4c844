package replica

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/store"
)

// Terms turns the documents of one member of a recovery group into what they are at the other, whose region has an overlay:
// Forth into the overlay's region, Back out of it. The stream uses it, so that each region keeps its own addresses through
// any change of roles, and what a person writes in either goes to the other.
//
// A path of a rule names an API's revisions with and without their ";rev=".
type Terms struct {
	Overlay *Overlay
	Table   *apim.Table
	Sealer  apim.Sealer
}

// rules are those that name a document.
func (t *Terms) rules(d *apim.Document) []OverlayRule {
	if t == nil || t.Overlay == nil {
		return nil
	}
	k := t.Table.ByType(d.Type)
	if k == nil {
		return nil // what names an API's current revision has no texts
	}
	path := d.Path(k)
	var out []OverlayRule
	for _, r := range t.Overlay.Rules {
		if covers(r.Paths, []string{path}) || covers(r.Paths, []string{withoutRevision(path)}) {
			out = append(out, r)
		}
	}
	return out
}

// withoutRevision drops ";rev=N" from a path.
func withoutRevision(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i], _ = apim.SplitRevision(parts[i])
	}
	return strings.Join(parts, "/")
}

// Forth gives a document as it is in the overlay's region. own is what stands there now, nil: nothing; a secret that stays the
// same stays sealed as it is, so that the same document gives the same bytes.
func (t *Terms) Forth(d store.Document, own *store.Document) (store.Write, error) {
	return t.turn(d, own, func(in *texts, rules []OverlayRule, _ *texts) { in.apply(rules) })
}

// Back gives a document of the overlay's region as it is in the other, where own stands now: each text that is what the
// overlay makes of own's is own's again, and what a person has changed stays changed.
func (t *Terms) Back(d store.Document, own *store.Document) (store.Write, error) {
	return t.turn(d, own, func(in *texts, rules []OverlayRule, own *texts) {
		if own == nil {
			return // it was made there, and says what its maker wrote
		}
		there := own.clone()
		there.apply(rules)
		in.props, _ = restore(in.props, there.props, own.props).(map[string]any)
		for name, v := range in.secrets {
			in.secrets[name] = restore(v, there.secrets[name], own.secrets[name])
		}
	})
}

// Map is Forth or Back for an Applier of the space, which holds what stands there now.
func (t *Terms) Map(ctx context.Context, space *store.Space, back bool) func(store.Write) (store.Write, error) {
	if t == nil || t.Overlay == nil {
		return nil
	}
	return func(w store.Write) (store.Write, error) {
		d := store.Document{Key: w.Key, Value: w.Value}
		doc, err := apim.Decode(w.Key, d)
		if err != nil || len(t.rules(doc)) == 0 {
			return w, err
		}
		var own *store.Document
		switch now, err := space.Get(ctx, w.Key, 0); tandem.KindOf(err) {
		case "":
			own = &now
		case tandem.NotFound:
		default:
			return w, err
		}
		if back {
			return t.Back(d, own)
		}
		return t.Forth(d, own)
	}
}

func (t *Terms) turn(d store.Document, own *store.Document, change func(in *texts, rules []OverlayRule, own *texts)) (store.Write, error) {
	w := store.Write{Key: d.Key, Value: d.Value}
	if Internal(d.Key) || t == nil || t.Overlay == nil {
		return w, nil
	}
	doc, err := apim.Decode(d.Key, d)
	if err != nil {
		return w, err
	}
	rules := t.rules(doc)
	if len(rules) == 0 {
		return w, nil
	}
	in, err := t.open(doc)
	if err != nil {
		return w, err
	}
	var standing *apim.Document
	var ownTexts *texts
	if own != nil {
		if standing, err = apim.Decode(own.Key, *own); err != nil {
			return w, err
		}
		if ownTexts, err = t.open(standing); err != nil {
			return w, err
		}
	}
	before := in.clone()
	change(in, rules, ownTexts)
	if sameTexts(before, in) {
		return w, nil
	}
	doc.Properties = in.props
	for name, v := range in.secrets {
		switch {
		case equalTexts(before.secrets[name], v):
		case ownTexts != nil && equalTexts(ownTexts.secrets[name], v):
			doc.Sealed[name] = standing.Sealed[name]
		default:
			if err := doc.SealSecret(t.Sealer, name, v); err != nil {
				return w, err
			}
		}
	}
	return doc.Write()
}

// texts are a document's properties and its opened secrets.
type texts struct{ props, secrets map[string]any }

func (t *Terms) open(d *apim.Document) (*texts, error) {
	out := &texts{d.Properties, map[string]any{}}
	for name := range d.Sealed {
		v, err := d.OpenSecret(t.Sealer, name)
		if err != nil {
			return nil, err
		}
		out.secrets[name] = v
	}
	return out, nil
}

func (x *texts) clone() *texts {
	props, _ := cloned(x.props).(map[string]any)
	secrets, _ := cloned(x.secrets).(map[string]any)
	return &texts{props, secrets}
}

func cloned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inner := range v {
			out[name] = cloned(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, inner := range v {
			out[i] = cloned(inner)
		}
		return out
	}
	return v
}

// apply lays rules over the texts, in their order, as OverlayRule.change does with a snapshot's resource.
func (x *texts) apply(rules []OverlayRule) {
	for _, r := range rules {
		text := func(s string) string {
			if r.Set != nil {
				return *r.Set
			}
			return r.pattern.ReplaceAllString(s, r.With)
		}
		for name, v := range x.secrets {
			if s, ok := v.(string); ok && (r.Property == "" || r.Property == name) {
				x.secrets[name] = text(s)
			}
		}
		if r.Property == "" {
			x.props, _ = eachText(x.props, text).(map[string]any)
			continue
		}
		within(x.props, r.Property, text)
	}
}

// restore gives v with own's text wherever v has what there has in its place.
func restore(v, there, own any) any {
	switch v := v.(type) {
	case string:
		if t, ok := there.(string); ok && t == v {
			if o, ok := own.(string); ok {
				return o
			}
		}
	case map[string]any:
		t, _ := there.(map[string]any)
		o, _ := own.(map[string]any)
		for name, inner := range v {
			v[name] = restore(inner, t[name], o[name])
		}
	case []any:
		t, _ := there.([]any)
		o, _ := own.([]any)
		for i, inner := range v {
			if i < len(t) && i < len(o) {
				v[i] = restore(inner, t[i], o[i])
			}
		}
	}
	return v
}

func sameTexts(a, b *texts) bool {
	return equalTexts(a.props, b.props) && equalTexts(a.secrets, b.secrets)
}

func equalTexts(a, b any) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && bytes.Equal(x, y)
}

package apim

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// newKey makes a subscription or gateway key: 32 hexadecimal digits, as Azure's are.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return hex.EncodeToString(b[:])
}

type namedValueRules struct{ noRules }

func (namedValueRules) Write(_ context.Context, w *Write) error {
	p := w.Doc.Properties
	w.Default("secret", false)
	w.Default("tags", []any{})
	secret, ok := p["secret"].(bool)
	if !ok {
		return invalid("secret", "secret must be true or false")
	}
	vault := lookup(p, "keyVault.secretIdentifier") != nil
	if _, err := text(p, "value"); err != nil {
		return err
	}
	wasSecret := w.Old != nil && w.Old.Sealed["value"] != ""
	if w.New() && p["value"] == nil && !vault {
		return invalid("value", "value is required, unless keyVault names a secret")
	}
	if wasSecret && !secret && p["value"] == nil {
		return invalid("value", "a secret that becomes plain must be sent again")
	}
	w.Secret = func(string) bool { return secret || vault }
	return nil
}

func (namedValueRules) View(_ context.Context, v *View) error {
	v.Properties["provisioningState"] = "Succeeded"
	unresolved(v)
	return nil
}

// unresolved says of a Key Vault reference that nothing resolves it, in the place where Azure says how the last time went.
func unresolved(v *View) {
	if asString(lookup(v.Properties, "keyVault.secretIdentifier")) != "" {
		place(v.Properties, "keyVault.lastStatus", map[string]any{"code": "NotResolved", "message": "No Key Vault resolver is configured; the secret is kept as a reference."})
	}
}

func (certificateRules) View(_ context.Context, v *View) error { unresolved(v); return nil }

type certificateRules struct{ noRules }

func (certificateRules) Write(_ context.Context, w *Write) error {
	if w.Doc.Properties["data"] == nil && w.Doc.Properties["keyVault"] == nil {
		return invalid("data", "send the certificate as PFX in base64 in data, or name a Key Vault secret in keyVault")
	}
	if data, _ := w.Doc.Properties["data"].(string); data != "" {
		password, _ := w.Doc.Properties["password"].(string)
		facts, err := readPFX(data, password)
		if err != nil {
			return invalid("data", "%v", err)
		}
		w.Doc.Properties["subject"] = facts.subject
		w.Doc.Properties["thumbprint"] = facts.thumbprint
		w.Doc.Properties["expirationDate"] = facts.expires
	}
	return nil
}

type backendRules struct{ noRules }

// View shows the members of a pool by their full ids.
func (backendRules) View(_ context.Context, v *View) error {
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

type loggerRules struct{ noRules }

func (loggerRules) Write(_ context.Context, w *Write) error {
	w.Default("isBuffered", true)
	return w.OneOf("loggerType", "azureEventHub", "applicationInsights", "azureMonitor")
}

type cacheRules struct{ noRules }

type identityProviderRules struct{ noRules }

func (identityProviderRules) Write(_ context.Context, w *Write) error {
	w.Doc.Properties["type"] = w.IDs[len(w.IDs)-1]
	return nil
}

type groupRules struct{ noRules }

func (groupRules) Write(_ context.Context, w *Write) error {
	w.Default("type", "custom")
	if w.New() {
		w.Doc.Properties["builtIn"] = w.Doc.Properties["type"] == "system"
	}
	return w.OneOf("type", "custom", "system", "external")
}

type userRules struct{ noRules }

func (userRules) Write(ctx context.Context, w *Write) error {
	w.Default("state", "active")
	if w.New() {
		w.Doc.Properties["registrationDate"] = stamp(w)
	}
	return w.OneOf("state", "active", "blocked", "pending", "deleted")
}

func (userRules) View(_ context.Context, v *View) error {
	email, _ := v.Properties["email"].(string)
	v.Properties["identities"] = []any{map[string]any{"provider": "Basic", "id": email}}
	return nil
}

// Delete takes the user's subscriptions along where the call allows it.
func (userRules) Delete(ctx context.Context, w *Write) error {
	return w.deleteWhere(ctx, "ownerId", "/users/"+w.Doc.Name(), strings.EqualFold(w.Request.Query["deletesubscriptions"], "true"))
}

// Delete keeps the groups that every service has.
func (groupRules) Delete(_ context.Context, w *Write) error {
	if w.Doc.Bool("builtIn", false) {
		return arm.Errorf(http.StatusMethodNotAllowed, "MethodNotAllowed", "The group %s is a built-in group and cannot be deleted.", w.Doc.Name())
	}
	return nil
}

// Delete refuses while policies use the value.
func (namedValueRules) Delete(ctx context.Context, w *Write) error {
	return w.notInPolicies(ctx, func(text string) bool {
		for rest := text; ; {
			_, after, found := strings.Cut(rest, "{{")
			if !found {
				return false
			}
			name, tail, _ := strings.Cut(after, "}}")
			if strings.TrimSpace(name) == w.Doc.String("displayName") {
				return true
			}
			rest = tail
		}
	})
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

type productRules struct{ noRules }

func (productRules) Write(_ context.Context, w *Write) error {
	w.Default("subscriptionRequired", true)
	w.Default("state", "notPublished")
	if w.Doc.Bool("subscriptionRequired", true) {
		w.Default("approvalRequired", false)
	}
	return w.OneOf("state", "notPublished", "published")
}

func (productRules) Delete(ctx context.Context, w *Write) error {
	path := "/products/" + w.Doc.Name()
	if strings.HasPrefix(w.Kind.typ, "workspaces.") {
		path = "/workspaces/" + w.IDs[0] + path
	}
	return w.deleteSubscriptions(ctx, path, strings.EqualFold(w.Request.Query["deletesubscriptions"], "true"))
}

type operationRules struct{ noRules }

func (operationRules) Write(_ context.Context, w *Write) error {
	w.Default("templateParameters", []any{})
	w.Default("responses", []any{})
	template, err := text(w.Doc.Properties, "urlTemplate")
	if err != nil {
		return err
	}
	if strings.Count(template, "{") != strings.Count(template, "}") {
		return invalid("urlTemplate", "the template %q has braces that do not pair", template)
	}
	declared := map[string]bool{}
	params, _ := w.Doc.Properties["templateParameters"].([]any)
	for _, p := range params {
		if m, ok := p.(map[string]any); ok {
			name, _ := m["name"].(string)
			declared[name] = true
		}
	}
	for _, name := range templateNames(template) {
		if !declared[name] {
			return invalid("templateParameters", "the template %q uses {%s}, which templateParameters does not declare", template, name)
		}
	}
	return nil
}

// templateNames lists the parameters in a URL template: "/echo/{id}?q={q}" has id and q; "{*rest}" is the wildcard rest.
func templateNames(template string) []string {
	var names []string
	for {
		i := strings.IndexByte(template, '{')
		if i < 0 {
			return names
		}
		j := strings.IndexByte(template[i:], '}')
		if j < 0 {
			return names
		}
		names = append(names, strings.TrimPrefix(template[i+1:i+j], "*"))
		template = template[i+j+1:]
	}
}

// linkRules are for resources that only join two others: the name is that of the target.
type linkRules struct {
	noRules
	target string
}

// path is the target's path: in the link's workspace, where the target's kind is one that workspaces have.
func (l linkRules) path(t *Table, k *Kind, ids []string) string {
	path := "/" + l.target + "/" + ids[len(ids)-1]
	if strings.HasPrefix(k.typ, "workspaces.") && t.ByType("workspaces."+l.target) != nil {
		path = "/workspaces/" + ids[0] + path
	}
	return path
}

func (l linkRules) Write(ctx context.Context, w *Write) error {
	return w.Require(ctx, l.path(w.Service.Table, w.Kind, w.IDs), l.target)
}

// View shows the target's own properties, as Azure does.
func (l linkRules) View(ctx context.Context, v *View) error {
	path := l.path(v.Service.Table, v.Kind, v.Doc.IDs)
	key, err := v.Service.keyOf(ctx, path)
	if err == nil {
		var doc *Document
		if doc, err = v.Service.read(ctx, key); err == nil {
			var target *entityView
			k, _ := v.Service.Table.ByPath(path)
			if target, err = v.viewer.show(ctx, k, doc); err == nil {
				v.Properties = target.Properties
			}
		}
	}
	if tandem.KindOf(err) == tandem.NotFound {
		return nil // the target went away in between; the link alone is shown
	}
	return err
}

type gatewayRules struct{ noRules }

func (loggerRules) plainView()    {}
func (cacheRules) plainView()     {}
func (groupRules) plainView()     {}
func (productRules) plainView()   {}
func (operationRules) plainView() {}
func (gatewayRules) plainView()   {}

func (gatewayRules) Write(_ context.Context, w *Write) error {
	for _, name := range []string{"primary", "secondary"} {
		delete(w.Doc.Properties, name)
		if w.New() {
			w.Doc.Properties[name] = newKey()
		}
	}
	return nil
}

package apim

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"

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

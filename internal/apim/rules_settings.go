package apim

import (
	"context"
	"strings"
)

// settingRules are for portalsettings: three settings that exist from the start.
type settingRules struct{ noRules }

// BuiltIn is the setting of a service on which nothing was ever set.
func (settingRules) BuiltIn(k *Kind, ids []string) *Document {
	props := map[string]any{"enabled": false}
	switch k.constant {
	case "signup":
		props["termsOfService"] = map[string]any{"enabled": false, "consentRequired": false, "text": nil}
	case "delegation":
		props = map[string]any{"url": nil, "subscriptions": map[string]any{"enabled": false}, "userRegistration": map[string]any{"enabled": false}}
	}
	return builtInDocument(k, ids, props)
}

// BuiltIns implements builtIns.
func (settingRules) BuiltIns(*Kind, []string) [][]string {
	return [][]string{{"delegation"}, {"signin"}, {"signup"}}
}

func builtInDocument(k *Kind, ids []string, props map[string]any) *Document {
	return &Document{IDs: ids, Key: Key(k.typ, ids), Type: k.typ, Properties: props}
}

// tenantRules are for the tenant's access keys.
type tenantRules struct{ noRules }

// BuiltIn is the access of a service on which none was ever allowed.
func (tenantRules) BuiltIn(k *Kind, ids []string) *Document {
	for _, n := range k.Names {
		if strings.EqualFold(n, ids[len(ids)-1]) {
			return builtInDocument(k, []string{n}, map[string]any{"id": n, "enabled": false})
		}
	}
	return nil
}

// BuiltIns implements builtIns.
func (tenantRules) BuiltIns(k *Kind, _ []string) [][]string { return eachName(nil, k.Names) }

func eachName(parents, names []string) [][]string {
	out := make([][]string, len(names))
	for i, n := range names {
		out[i] = append(append([]string(nil), parents...), n)
	}
	return out
}

func (tenantRules) Write(_ context.Context, w *Write) error {
	w.Doc.Properties["id"] = w.IDs[len(w.IDs)-1]
	w.Default("enabled", false)
	for _, name := range []string{"primaryKey", "secondaryKey"} {
		if w.Old == nil || w.Old.Sealed[name] == "" {
			w.Default(name, newKey())
		}
	}
	return nil
}

func (tenantRules) Reveal(doc *Document, out map[string]any) {
	out["id"], out["enabled"], out["principalId"] = doc.Name(), doc.Bool("enabled", false), doc.Value("principalId")
}

// notificationRules are for the seven notifications of publishers.
type notificationRules struct{ noRules }

// notificationNames are Azure's.
func notificationNames() []string {
	return []string{"AccountClosedPublisher", "BCC", "NewApplicationNotificationMessage", "NewIssuePublisherNotificationMessage", "PurchasePublisherNotificationMessage",
		"QuotaLimitApproachingPublisherNotificationMessage", "RequestPublisherNotificationMessage"}
}

// BuiltIn is a notification that nobody receives.
func (notificationRules) BuiltIn(k *Kind, ids []string) *Document {
	for _, n := range k.Names {
		if strings.EqualFold(n, ids[len(ids)-1]) {
			ids = append(append([]string(nil), ids[:len(ids)-1]...), n)
			return builtInDocument(k, ids, map[string]any{"title": words(n)})
		}
	}
	return nil
}

// BuiltIns implements builtIns.
func (notificationRules) BuiltIns(k *Kind, parents []string) [][]string {
	return eachName(parents, k.Names)
}

// View adds who receives it.
func (notificationRules) View(ctx context.Context, v *View) error {
	v.Properties["title"] = words(v.Doc.Name())
	recipients := map[string]any{}
	for _, part := range []struct{ typ, property string }{{"recipientEmails", "emails"}, {"recipientUsers", "users"}} {
		docs, err := v.Service.List(ctx, v.Kind.typ+"."+part.typ, v.Doc.IDs)
		if err != nil {
			return err
		}
		list := []any{}
		for _, d := range docs {
			if part.property == "users" {
				list = append(list, v.Service.ID.String()+"/users/"+d.Name())
			} else {
				list = append(list, d.Name())
			}
		}
		recipients[part.property] = list
	}
	v.Properties["recipients"] = recipients
	return nil
}

type recipientEmailRules struct{ noRules }

func (recipientEmailRules) View(_ context.Context, v *View) error {
	v.Properties["email"] = v.Doc.Name()
	return nil
}

// words parts a name at its capitals: "Account Closed Publisher".
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' && name != strings.ToUpper(name) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// templateRules are for the fourteen e-mail templates. Deleting one brings its default back.
type templateRules struct{ noRules }

// templateList are Azure's names.
func templateList() []string {
	return []string{"accountClosedDeveloper", "applicationApprovedNotificationMessage", "confirmSignUpIdentityDefault", "emailChangeIdentityDefault", "inviteUserNotificationMessage",
		"newCommentNotificationMessage", "newDeveloperNotificationMessage", "newIssueNotificationMessage", "passwordResetByAdminNotificationMessage", "passwordResetIdentityDefault",
		"purchaseDeveloperNotificationMessage", "quotaLimitApproachingDeveloperNotificationMessage", "rejectDeveloperNotificationMessage", "requestDeveloperNotificationMessage"}
}

// BuiltIn is a template as it is before anybody wrote it.
func (templateRules) BuiltIn(k *Kind, ids []string) *Document {
	for _, n := range k.Names {
		if strings.EqualFold(n, ids[len(ids)-1]) {
			title := words(strings.ToUpper(n[:1]) + n[1:])
			return builtInDocument(k, []string{n}, map[string]any{"title": title, "subject": title, "body": "<p>$DevFirstName $DevLastName</p>",
				"parameters": []any{map[string]any{"name": "DevFirstName", "title": "Developer first name"}, map[string]any{"name": "DevLastName", "title": "Developer last name"}}})
		}
	}
	return nil
}

// BuiltIns implements builtIns.
func (templateRules) BuiltIns(k *Kind, _ []string) [][]string { return eachName(nil, k.Names) }

func (r templateRules) Write(_ context.Context, w *Write) error {
	for name, v := range r.BuiltIn(w.Kind, w.IDs).Properties { // what was not sent stays the default's
		w.Default(name, v)
	}
	return nil
}

func (templateRules) View(_ context.Context, v *View) error {
	v.Properties["isDefault"] = v.Doc.Revision == 0
	return nil
}

// portalConfigRules are for the configuration of the developer portal.
type portalConfigRules struct{ noRules }

// BuiltIn is the configuration "default".
func (portalConfigRules) BuiltIn(k *Kind, ids []string) *Document {
	if !strings.EqualFold(ids[len(ids)-1], "default") {
		return nil
	}
	return builtInDocument(k, []string{"default"}, map[string]any{"enableBasicAuth": true, "signin": map[string]any{"require": false},
		"signup":     map[string]any{"termsOfService": map[string]any{"text": nil, "requireConsent": false}},
		"delegation": map[string]any{"delegateRegistration": false, "delegateSubscription": false, "delegationUrl": nil}, "cors": map[string]any{"allowedOrigins": []any{}}})
}

// BuiltIns implements builtIns.
func (portalConfigRules) BuiltIns(*Kind, []string) [][]string { return [][]string{{"default"}} }

// portalRevisionRules are for published states of the developer portal, of which one is current.
type portalRevisionRules struct{ noRules }

func (portalRevisionRules) Write(_ context.Context, w *Write) error {
	now := stamp(w)
	w.Default("createdDateTime", now)
	w.Doc.Properties["updatedDateTime"], w.Doc.Properties["status"] = now, "completed"
	return nil
}

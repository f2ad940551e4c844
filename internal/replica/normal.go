package replica

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/policy/markup"
	"tandem/internal/snapshot"
)

// item is a resource in the form in which two of them compare: the same whether it was read from a store, over the
// management API, or from a folder.
type item struct {
	path    string // revisions of APIs named: "apis/echo;rev=2/operations/get"; the service itself: ""
	kind    *apim.Kind
	ids     []string
	current bool           // it is, or lies below, an API's current revision
	props   map[string]any // without nulls, and without what the service computes
	secrets map[string]string
	res     snapshot.Resource
}

// key is what items are found by.
func (i *item) key() string { return strings.ToLower(i.path) }

// shown is the path as the management API names it: a current revision by its API's plain name.
func (i *item) shown() string {
	if i.path == "" {
		return "service"
	}
	return i.res.Path
}

// items are the resources of one side.
type items map[string]*item

// paths gives the keys in order.
func (all items) keys() []string {
	out := make([]string, 0, len(all))
	for key := range all {
		out = append(out, key)
	}
	sort.Strings(out)
	return out
}

// ownID is the id of a service in front of one of its resources' paths.
var ownID = regexp.MustCompile(`(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ApiManagement/service/[^/]+(/|$)`)

// normalise brings resources into comparable form. What exists from the start and is as it was is left out, since one
// side lists it and another does not.
func normalise(table *apim.Table, all []snapshot.Resource) (items, error) {
	im, err := newImporter(table, nil, all)
	if err != nil {
		return nil, err
	}
	out := make(items, len(all))
	list := make([]*item, len(all))
	if err := parallel(len(all), func(n int) (err error) {
		list[n], err = im.item(all[n])
		return err
	}); err != nil {
		return nil, err
	}
	for n, i := range list {
		r := all[n]
		if i.kind != nil && len(i.secrets) == 0 {
			if start := i.kind.BuiltIn(i.ids); start != nil && len(compare(clean(i.kind, i.ids, start), i.props)) == 0 {
				continue
			}
		}
		if before := out[i.key()]; before != nil {
			return nil, &tandem.Error{Op: "compare", Subject: r.Path, Kind: tandem.Invalid, Err: fmt.Errorf("it stands twice, as %s too", before.res.Path), Remedy: "keep one of them"}
		}
		out[i.key()] = i
	}
	return out, nil
}

// item brings one resource into comparable form.
func (im *importer) item(r snapshot.Resource) (*item, error) {
	i := &item{res: r, secrets: r.Secrets}
	props := map[string]any{}
	if len(r.Properties) > 0 {
		d := json.NewDecoder(bytes.NewReader(r.Properties))
		d.UseNumber()
		if err := d.Decode(&props); err != nil {
			return nil, notAResource(r.Path, err)
		}
	}
	if r.Path == "" {
		i.props = serviceSettings(props)
		return i, nil
	}
	i.path, i.current = im.explicit(r.Path)
	i.kind, i.ids = im.table.ByPath(i.path)
	if i.kind == nil {
		return nil, &tandem.Error{Op: "compare", Subject: r.Path, Kind: tandem.Unsupported, Err: fmt.Errorf("this version of Tandem does not know resources of this type"),
			Remedy: "use the version that made the backup, or a newer one"}
	}
	i.props = clean(i.kind, i.ids, props)
	return i, nil
}

// explicit names the revision in a path below an API, and tells whether it is the current one. Releases belong to the API
// as a whole and keep its plain name.
func (im *importer) explicit(path string) (string, bool) {
	parts := strings.Split(path, "/")
	i := apiAt(parts)
	if i == 0 || len(parts) > i+1 && strings.EqualFold(parts[i+1], "releases") {
		return path, false
	}
	current := im.current[rootOf(parts, i)]
	if _, rev := apim.SplitRevision(parts[i]); rev != "" {
		return path, rev == current
	}
	if current == "" {
		return path, true
	}
	parts[i] += ";rev=" + current
	return strings.Join(parts, "/"), true
}

// alwaysComputed are properties that the service computes wherever they stand.
var alwaysComputed = []string{"provisioningState", "lastStatus"}

// clean gives what people or programs set of a resource's properties.
func clean(k *apim.Kind, ids []string, in map[string]any) map[string]any {
	if k.Link() {
		return map[string]any{}
	}
	props, _ := tidy(in, relative).(map[string]any)
	for _, list := range [][]string{k.ReadOnly, k.WriteOnly} {
		for _, name := range list {
			if k.Type() == "certificates" && name == "thumbprint" && props["keyVault"] == nil {
				continue // it tells one certificate from another
			}
			drop(props, name)
		}
	}
	switch last := strings.TrimPrefix(k.Type(), "workspaces."); {
	case last == "apis":
		delete(props, "apiVersionSet")
	case last == "users":
		if list, ok := props["identities"].([]any); ok && len(list) == 1 { // a user without others has one by his address
			if one, ok := list[0].(map[string]any); ok && one["provider"] == "Basic" && one["id"] == props["email"] {
				delete(props, "identities")
			}
		}
	case textual(k):
		// The same policy in both formats compares as one; which it was written in is no difference.
		if value, ok := props["value"].(string); ok {
			if d, err := markup.Read(value); err == nil {
				props["value"] = d.Write(markup.RawXML)
			}
		}
		delete(props, "format")
	}
	for _, ref := range k.References {
		if v, ok := props[ref.Property].(string); ok {
			props[ref.Property] = "/" + strings.Trim(v, "/")
		}
	}
	return props
}

// textual tells the kinds whose value is the text of a policy.
func textual(k *apim.Kind) bool {
	last := k.Type()[strings.LastIndexByte(k.Type(), '.')+1:]
	return last == "policies" || last == "policyFragments"
}

// tidy copies a JSON value without nulls and computed members, and each text as it is told.
func tidy(v any, text func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, inner := range v {
			if inner != nil {
				out[name] = tidy(inner, text)
			}
		}
		for _, name := range alwaysComputed {
			delete(out, name)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n, inner := range v {
			out[n] = tidy(inner, text)
		}
		return out
	case string:
		return text(v)
	}
	return v
}

// relative makes the full id of a service's resource "/apis/echo".
func relative(s string) string {
	if len(s) < 20 || s[0] != '/' {
		return s
	}
	if at := ownID.FindStringIndex(s); at != nil {
		return "/" + s[at[1]:]
	}
	return s
}

func drop(m map[string]any, name string) {
	head, rest, more := strings.Cut(name, ".")
	if !more {
		delete(m, head)
	} else if inner, ok := m[head].(map[string]any); ok {
		drop(inner, rest)
	}
}

// settled are the properties of a service that a restore carries over; the others belong to the place where it runs, or
// are computed. The values are what a service has on which nothing was set.
func settled() map[string]any {
	return map[string]any{"publisherEmail": nil, "publisherName": nil, "notificationSenderEmail": "apimgmt-noreply@mail.windowsazure.com", "customProperties": nil,
		"apiVersionConstraint": nil, "enableClientCertificate": false, "disableGateway": false}
}

func serviceSettings(in map[string]any) map[string]any {
	props, _ := tidy(in, relative).(map[string]any)
	out := map[string]any{}
	for name, start := range settled() {
		v := props[name]
		if v == nil {
			v = start
		}
		if m, ok := v.(map[string]any); ok && len(m) == 0 {
			v = nil
		}
		if v != nil {
			out[name] = v
		}
	}
	return out
}

// Package apim says what an API Management service is made of. One table of resource kinds (table.go) drives the
// management API, capture, diff, plan and restore alike: adding a kind is adding a row and, where it has rules of its own,
// one file. Wire behaviour follows Microsoft.ApiManagement at api-version 2024-05-01, older versions included.
package apim

import (
	"maps"
	"strings"
)

// Kind is one type of child resource of a service: a row of the table.
type Kind struct {
	// Path below the service, "apis/{apiId}/operations/{operationId}". A last segment without braces is a constant name
	// ("wikis/default").
	Path string
	// Verbs that Azure has for it: G get, H head, P put, U patch, D delete, L list of its collection.
	Verbs string
	// Workspace: the kind exists below workspaces/{workspaceId} too.
	Workspace bool
	// Existence: HEAD answers 204 or 404 and there is no entity body of its own (links).
	Existence bool
	// MatchRequired: PUT demands If-Match. Azure's contract demands it of every PATCH and DELETE too, and yet Azure takes
	// those of Terraform's azurerm, which have none.
	MatchRequired bool
	// Names are the only names allowed, where Azure has a fixed set.
	Names []string
	// Required properties, by dotted name.
	Required []string
	// ReadOnly properties are computed: they are dropped from what clients send.
	ReadOnly []string
	// WriteOnly properties direct a write and are not kept (format, value of an import).
	WriteOnly []string
	// Secrets are properties that rest sealed and leave through the Reveal action alone (law 7).
	Secrets []string
	// Reveal is the action that answers the secrets: "listSecrets", "listValue", "listKeys".
	Reveal string
	// References name other resources of the service.
	References []Reference
	// Properties in Azure's case. Names match without regard to case and are kept in this case.
	Properties []string
	// Always200: PUT answers 200 on creation too (settings that exist from the start).
	Always200 bool
	// Head200: the HEAD of a link answers 200, where others of its sort answer 204.
	Head200 bool
	// PatchEmpty: PATCH answers 204 without a body.
	PatchEmpty bool
	// FilterAlso are fields of filters that are no properties.
	FilterAlso []string
	// Rules are what the table cannot say; nil where there are none.
	Rules Rules

	collection string // "apis/{apiId}/operations"
	typ        string // "apis.operations"
	params     []string
	constant   string
	fields     map[string]bool // that lists can be filtered by
	shape      *shape          // of the properties; nil where the contract leaves them open
}

// Reference is a property that holds the id of another resource: "/products/starter" or a full ARM id. It is kept as
// "/products/starter", so that it means the same after a restore elsewhere, and answered as a full id.
type Reference struct {
	Property string
	// Collections allowed as the target's first segment; empty: any.
	Collections []string
	// Short: the short form is answered too (Azure does so for a few).
	Short bool
	// OnDelete says what becomes of the resource that refers when the other one is deleted.
	OnDelete OnDelete
}

// OnDelete is what the deletion of a resource does to those that refer to it.
type OnDelete int

// The zero value refuses the deletion.
const (
	Refuse  OnDelete = iota
	Cascade          // the resource that refers is a link and goes too
	Keep             // the reference stays, or the kind's own rules see to it
)

// Type is the kind's name in keys and reports: its literal segments joined by dots, "apis.operations".
func (k *Kind) Type() string { return k.typ }

// ARMType is the full resource type, "Microsoft.ApiManagement/service/apis/operations".
func (k *Kind) ARMType() string {
	return Namespace + "/service/" + strings.ReplaceAll(k.typ, ".", "/")
}

// Has tells whether the kind has a verb (G, H, P, U, D, L).
func (k *Kind) Has(verb byte) bool { return strings.IndexByte(k.Verbs, verb) >= 0 }

func (k *Kind) finish() *Kind {
	parts := strings.Split(k.Path, "/")
	var lits []string
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			k.params = append(k.params, strings.Trim(p, "{}"))
			continue
		}
		if i%2 == 1 { // a name position with a literal: a constant
			k.constant = p
			continue
		}
		lits = append(lits, p)
	}
	k.typ = strings.Join(lits, ".")
	k.collection = strings.Join(parts[:len(parts)-1], "/")
	return k
}

// inWorkspace is the same kind below a workspace.
func (k *Kind) inWorkspace() *Kind {
	w := *k
	w.Path = "workspaces/{workspaceId}/" + k.Path
	w.params = nil
	w.Workspace = false
	return w.finish()
}

// Table is the set of kinds, with lookups.
type Table struct {
	Kinds  []*Kind
	byType map[string]*Kind // lower case
}

// NewTable builds the table of all kinds that Tandem serves.
func NewTable() *Table {
	t := &Table{byType: map[string]*Kind{}}
	add := func(k *Kind) {
		t.Kinds = append(t.Kinds, k)
		t.byType[strings.ToLower(k.typ)] = k
	}
	shapes := readShapes()
	for _, k := range kinds() {
		k.finish()
		k.shape = shapes[k.Path]
		if existing := t.byType[strings.ToLower(k.typ)]; existing != nil && k.constant != "" {
			// Constants of one collection (portalsettings/signin, /signup) are one type with several rows.
			t.Kinds = append(t.Kinds, k)
		} else {
			add(k)
		}
		if k.Workspace {
			add(k.inWorkspace())
		}
	}
	for _, k := range t.Kinds {
		k.fields = fieldsOf(k)
		if l, ok := k.Rules.(linkRules); ok { // a link shows its target
			maps.Copy(k.fields, fieldsOf(t.ByType(l.target)))
		}
	}
	return t
}

// ByType finds a kind by its name ("apis.operations"), in any case.
func (t *Table) ByType(typ string) *Kind { return t.byType[strings.ToLower(typ)] }

// ByPath finds the kind of a resource path ("apis/echo/operations/get") and the ids in it; nil where there is none.
func (t *Table) ByPath(path string) (*Kind, []string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts)%2 != 0 {
		return nil, nil
	}
	var lits, ids []string
	for i := 0; i < len(parts); i += 2 {
		lits = append(lits, parts[i])
		ids = append(ids, parts[i+1])
	}
	k := t.ByType(strings.Join(lits, "."))
	if k == nil {
		return nil, nil
	}
	if k.constant != "" {
		for _, c := range t.Kinds {
			if c.typ == k.typ && strings.EqualFold(c.constant, ids[len(ids)-1]) {
				return c, ids
			}
		}
		return nil, nil
	}
	return k, ids
}

// Below lists the kinds whose resources lie below one of kind k.
func (t *Table) Below(k *Kind) []*Kind {
	var out []*Kind
	seen := map[string]bool{}
	for _, c := range t.Kinds {
		if strings.HasPrefix(c.typ, k.typ+".") && !seen[c.typ] {
			seen[c.typ] = true
			out = append(out, c)
		}
	}
	return out
}

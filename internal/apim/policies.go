package apim

import (
	"context"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"tandem/internal/arm"
)

// policyDocuments reads all policies of a service, of all scopes.
func (s *Service) policyDocuments(ctx context.Context) ([]*Document, error) {
	var out []*Document
	seen := map[string]bool{}
	for _, k := range s.Table.Kinds {
		if !strings.HasSuffix("."+k.typ, ".policies") || seen[k.typ] {
			continue
		}
		seen[k.typ] = true
		docs, err := s.List(ctx, k.typ, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, docs...)
	}
	return out, nil
}

// scopePath is what a policy is on, as policy restrictions name it: "/" for the service, "/products/gold", "/apis/echo".
func scopePath(t *Table, d *Document) string {
	path := d.Path(t.ByType(d.Type))
	return "/" + strings.TrimSuffix(strings.TrimSuffix(path, "policies/"+d.Name()), "/")
}

// allPolicies lists the policies of all scopes and whether they hold to the policy restrictions.
func (p *Provider) allPolicies(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	docs, err := s.policyDocuments(ctx)
	if err != nil {
		return nil, err
	}
	restrictions, err := s.List(ctx, "policyRestrictions", nil)
	if err != nil {
		return nil, err
	}
	v, items := newViewer(s, r), []any{}
	for _, d := range docs {
		ids, err := v.shownIDs(ctx, s.Table.ByType(d.Type), d.IDs)
		if err != nil {
			return nil, err
		}
		id := s.resourceID(s.Table.ByType(d.Type), ids)
		state := "Compliant"
		for _, x := range restrictions {
			if !complies(d, scopePath(s.Table, d), x) {
				state = "NonCompliant"
			}
		}
		name := strings.NewReplacer("/", "-", ";", "-", "=", "-").Replace(strings.TrimPrefix(strings.TrimPrefix(id, s.ID.String()), "/"))
		items = append(items, &entityView{ID: s.ID.String() + "/allPolicies/" + name, Name: name, Type: Namespace + "/service/allPolicies",
			Properties: map[string]any{"referencePolicyId": id, "complianceState": state}})
	}
	return page(r, items)
}

// complies tells whether a policy holds to a restriction: where base is required, every section that is there has <base/>.
func complies(d *Document, scope string, restriction *Document) bool {
	at := strings.ToLower(strings.TrimSuffix(restriction.String("scope"), "/"))
	if restriction.String("requireBase") != "true" || !strings.HasPrefix(strings.ToLower(scope)+"/", at+"/") && at != "" || scope == "/" {
		return true
	}
	text := strings.ToLower(d.String("value"))
	for _, section := range []string{"inbound", "backend", "outbound", "on-error"} {
		_, rest, found := strings.Cut(text, "<"+section+">")
		if !found {
			continue
		}
		inner, _, _ := strings.Cut(rest, "</"+section+">")
		if !strings.Contains(inner, "<base/>") && !strings.Contains(inner, "<base />") {
			return false
		}
	}
	return true
}

// validatePolicies checks every stored policy again, as the gateways of today would.
func (p *Provider) validatePolicies(ctx context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	docs, err := s.policyDocuments(ctx)
	if err != nil {
		return nil, err
	}
	now := p.Clock.Now().UTC().Format("2006-01-02T15:04:05Z")
	log, status := []any{}, "Succeeded"
	for _, d := range docs {
		if s.policies == nil {
			break
		}
		for _, problem := range s.policies.CheckPolicy(d.String("value"), false) {
			status = "Failed"
			log = append(log, map[string]any{"objectType": "Policy", "action": "Validate", "objectKey": d.Key + ": " + problem.Message})
		}
	}
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"id": s.ID.String() + "/operationResults/validatePolicies", "name": "validatePolicies", "type": Namespace + "/service/operationResults",
		"properties": map[string]any{"id": "validatePolicies", "status": status, "started": now, "updated": now, "resultInfo": plural(len(docs), "policy", "policies") + " checked", "actionLog": log}}}, nil
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// The scopes of policyDescriptions are bits, as in Azure: where a policy may stand.
const (
	scopeTenant = 1 << iota
	scopeProduct
	scopeAPI
	scopeOperation
	scopeAll = scopeTenant | scopeProduct | scopeAPI | scopeOperation
)

func scopeBits(scopes []string) int {
	bits := 0
	for _, s := range scopes {
		bits |= map[string]int{"global": scopeTenant, "product": scopeProduct, "api": scopeAPI, "operation": scopeOperation}[s]
	}
	if len(scopes) == 0 {
		bits = scopeAll
	}
	return bits
}

// policyDescriptions lists the policies that the gateway has.
func (p *Provider) policyDescriptions(_ context.Context, s *Service, r *arm.Request) (*arm.Response, error) {
	describer, ok := s.policies.(PolicyDescriber)
	if !ok {
		return nil, notSupported("This node cannot tell which policies its gateway has; read docs/compatibility.md.")
	}
	items := []*entityView{}
	for _, d := range describer.Describe() {
		items = append(items, &entityView{ID: s.ID.String() + "/policyDescriptions/" + d.Name, Name: d.Name, Type: Namespace + "/service/policyDescriptions",
			Properties: map[string]any{"description": d.Description, "scope": scopeBits(d.Scopes)}})
	}
	sort.Slice(items, func(i, j int) bool { return items[i].Name < items[j].Name })
	return page(r, items)
}

// fragmentReferences lists the policies that include a fragment.
func (p *Provider) fragmentReferences(ctx context.Context, s *Service, k *Kind, ids []string, r *arm.Request) (*arm.Response, error) {
	fragment, err := p.find(ctx, s, k, ids)
	if err != nil {
		return nil, err
	}
	docs, err := s.policyDocuments(ctx)
	if err != nil {
		return nil, err
	}
	v, items := newViewer(s, r), []any{}
	for _, d := range docs {
		if !includesFragment(d.String("value"), fragment.Name()) {
			continue
		}
		policy := s.Table.ByType(d.Type)
		shown, err := v.shownIDs(ctx, policy, d.IDs)
		if err != nil {
			return nil, err
		}
		items = append(items, map[string]any{"id": s.resourceID(policy, shown), "name": d.Name(), "type": policy.ARMType()})
	}
	return page(r, items)
}

// includesFragment looks for <include-fragment fragment-id="name"/>.
func includesFragment(text, name string) bool {
	for {
		_, rest, found := strings.Cut(text, "<include-fragment")
		if !found {
			return false
		}
		tag, after, _ := strings.Cut(rest, ">")
		for _, quote := range []string{`"`, `'`} {
			_, id, ok := strings.Cut(tag, "fragment-id="+quote)
			id, _, _ = strings.Cut(id, quote)
			if ok && strings.EqualFold(strings.TrimSpace(id), name) {
				return true
			}
		}
		text = after
	}
}

// Delete refuses to delete a fragment that policies include.
func (r policyRules) Delete(ctx context.Context, w *Write) error {
	if !r.fragment {
		return nil
	}
	return w.notInPolicies(ctx, func(text string) bool { return includesFragment(text, w.Doc.Name()) })
}

// notInPolicies refuses a deletion while a policy uses the resource. Resources of a workspace are looked for in its policies.
func (w *Write) notInPolicies(ctx context.Context, uses func(text string) bool) error {
	docs, err := w.Service.policyDocuments(ctx)
	if err != nil {
		return err
	}
	for _, d := range docs {
		if inside := strings.HasPrefix(w.Kind.typ, "workspaces."); inside && (!strings.HasPrefix(d.Type, "workspaces.") || !strings.EqualFold(d.IDs[0], w.IDs[0])) {
			continue
		}
		if uses(d.String("value")) {
			return inUse(w, "the policy of "+scopePath(w.Service.Table, d))
		}
	}
	return nil
}

// inUse is the refusal to delete what another resource needs.
func inUse(w *Write, by string) error {
	return arm.Errorf(http.StatusBadRequest, "ValidationError", "%s is used by %s; change or delete that first.", w.Doc.Path(w.Kind), by)
}

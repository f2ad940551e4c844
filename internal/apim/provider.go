package apim

import (
	"context"
	"log/slog"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// Config is what a region's API Management provider works with.
type Config struct {
	Store      store.Store
	Sealer     Sealer
	Clock      tandem.Clock
	Log        *slog.Logger
	Region     tandem.Region
	Operations *arm.Operations
	// URLs gives the addresses of a service, which clients see in its properties.
	URLs func(service string) URLs
	// Policies checks a policy document when it is written; nil problems mean that every gateway can run it.
	Policies PolicyChecker
	// Fetch reads a document for an import by link.
	Fetch func(ctx context.Context, url string) ([]byte, error)
}

// URLs are where a service answers.
type URLs struct{ Gateway, Management, Portal, DeveloperPortal string }

// PolicyChecker validates policy text; fragment tells that it is a fragment's.
type PolicyChecker interface {
	CheckPolicy(text string, fragment bool) []PolicyProblem
	// Rewrite turns policy text into the format xml or rawxml.
	Rewrite(text, format string) (string, error)
}

// PolicyDescriber is a PolicyChecker that can tell which policies there are.
type PolicyDescriber interface{ Describe() []PolicyDescription }

// PolicyDescription tells of one policy what it does and at which scopes it may stand: global, workspace, product, api,
// operation; empty: at all.
type PolicyDescription struct {
	Name, Description string
	Scopes            []string
}

// PolicyProblem is one fault in a policy document.
type PolicyProblem struct {
	Element      string
	Line, Column int
	Message      string
}

// Provider serves Microsoft.ApiManagement for the services of one region.
type Provider struct {
	Config
	table    *Table
	services *services
}

// New makes the provider; Start loads the services.
func New(c Config) *Provider {
	p := &Provider{Config: c, table: NewTable()}
	p.services = newServices(p)
	p.Operations.Register(arm.OperationKind{Code: "Act", Done: p.ServiceResult, Resume: p.resumeActivation})
	return p
}

// Table is the table of kinds.
func (p *Provider) Table() *Table { return p.table }

// Namespace implements arm.Provider.
func (p *Provider) Namespace() string { return Namespace }

// Types implements arm.Provider.
func (p *Provider) Types() []arm.TypeInfo {
	out := []arm.TypeInfo{{Name: "service"}, {Name: "deletedServices"}, {Name: "checkNameAvailability"}, {Name: "gateways"}, {Name: "skus"}, {Name: "operations"}}
	seen := map[string]bool{}
	for _, k := range p.table.Kinds {
		name := "service/" + strings.ReplaceAll(k.typ, ".", "/")
		if !seen[name] {
			seen[name] = true
			out = append(out, arm.TypeInfo{Name: name})
		}
	}
	return out
}

const (
	subscriptionPath = "/subscriptions/{subscriptionId}"
	groupPath        = subscriptionPath + "/resourceGroups/{resourceGroupName}"
	servicePath      = groupPath + "/providers/" + Namespace + "/service/{serviceName}"
)

// ServicePath is the route pattern of a service, for providers of further calls on it.
const ServicePath = servicePath

// entityAction serves one call on one entity.
type entityAction func(ctx context.Context, s *Service, k *Kind, ids []string, r *arm.Request) (*arm.Response, error)

// Routes implements arm.Provider: the table, unrolled.
func (p *Provider) Routes() []arm.Route {
	routes := append(p.serviceRoutes(), p.callRoutes()...)
	lists := map[string]bool{}
	for _, k := range p.table.Kinds {
		item := servicePath + "/" + k.Path
		for verb, method := range map[byte]string{'G': "GET", 'H': "HEAD", 'P': "PUT", 'U': "PATCH", 'D': "DELETE"} {
			if !k.Has(verb) {
				continue
			}
			var serve entityAction
			switch verb {
			case 'P', 'U':
				serve = p.put
			case 'D':
				serve = p.delete
			default:
				serve = p.get
			}
			routes = append(routes, arm.Route{Method: method, Pattern: item, Handler: p.entityHandler(k, serve)})
		}
		if k.Has('L') && !lists[k.collection] {
			lists[k.collection] = true
			routes = append(routes, arm.Route{Method: "GET", Pattern: servicePath + "/" + k.collection, Handler: p.listHandler(k)})
		}
		if k.Reveal != "" {
			routes = append(routes, arm.Route{Method: "POST", Pattern: item + "/" + k.Reveal, Handler: p.entityHandler(k, p.reveal)})
		}
		action := func(method, name string, serve entityAction) {
			routes = append(routes, arm.Route{Method: method, Pattern: item + "/" + name, Handler: p.entityHandler(k, serve)})
		}
		switch k.typ {
		case "gateways":
			action("POST", "generateToken", p.gatewayToken)
			action("POST", "regenerateKey", p.regenerateGatewayKey)
		case "users":
			action("POST", "token", p.userToken)
			action("POST", "generateSsoUrl", p.ssoURL)
		case "policyFragments", "workspaces.policyFragments":
			action("POST", "listReferences", p.fragmentReferences)
		case "subscriptions", "workspaces.subscriptions", "tenant":
			action("POST", "regeneratePrimaryKey", p.regenerate("primaryKey"))
			action("POST", "regenerateSecondaryKey", p.regenerate("secondaryKey"))
			if k.typ == "tenant" {
				action("POST", "git/regeneratePrimaryKey", p.regenerate("primaryKey"))
				action("POST", "git/regenerateSecondaryKey", p.regenerate("secondaryKey"))
			}
		case "apis", "workspaces.apis":
			action("GET", "revisions", p.revisions)
		}
	}
	return routes
}

// entityHandler finds the service and the ids in the path, and serves.
func (p *Provider) entityHandler(k *Kind, serve entityAction) arm.Handler {
	return func(ctx context.Context, r *arm.Request) (*arm.Response, error) {
		s, err := p.service(ctx, r)
		if err != nil {
			return nil, err
		}
		return serve(ctx, s, k, k.ids(r.Params), r)
	}
}

func (k *Kind) ids(params map[string]string) []string {
	ids := make([]string, 0, len(k.params)+1)
	for _, name := range k.params {
		ids = append(ids, params[name])
	}
	if k.constant != "" {
		ids = append(ids, k.constant)
	}
	return ids
}

// service finds the service of a request among those of this region.
func (p *Provider) service(ctx context.Context, r *arm.Request) (*Service, error) {
	rec, err := p.recordOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if rec.State == "Created" {
		return nil, Locked(rec.id().Name())
	}
	return p.Open(ctx, rec)
}

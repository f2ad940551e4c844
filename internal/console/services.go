package console

import (
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/gateway"
)

// serviceView is one API Management service with its gateway.
type serviceView struct {
	ID, Name, Group string
	Region          tandem.Region
	Tier            string
	State           string
	Gateway         *Gateway // nil: it runs nowhere that answers
}

// Path is the service's page.
func (s serviceView) Path() string { return "/services/" + s.Group + "/" + s.Name }

// Level is how the service stands.
func (s serviceView) Level() string {
	switch {
	case s.Gateway == nil:
		return "bad"
	case s.Gateway.Status.Generation == 0:
		return "bad"
	case len(s.Gateway.Status.Problems) > 0:
		return "warn"
	}
	return "good"
}

// Word is Level in words.
func (s serviceView) Word() string {
	switch {
	case s.Gateway == nil:
		return "Gateway not seen"
	case s.Gateway.Status.Generation == 0:
		return "Nothing loaded"
	case len(s.Gateway.Status.Problems) > 0:
		return plural(len(s.Gateway.Status.Problems), "problem")
	}
	return "Serving"
}

type serviceResource struct {
	ID, Name, Location string
	Sku                struct {
		Name     string
		Capacity int
	}
	Properties struct {
		ProvisioningState string
		PublisherName     string
	}
}

func (v *visit) serviceView(r serviceResource, regions []Region) serviceView {
	s := serviceView{ID: r.ID, Name: r.Name, Region: tandem.NormalRegion(r.Location), Tier: r.Sku.Name, State: r.Properties.ProvisioningState}
	if id, err := tandem.ParseResourceID(r.ID); err == nil {
		s.Group = id.ResourceGroup
	}
	for _, region := range regions {
		for i, g := range region.Gateways {
			if strings.EqualFold(g.Service, r.ID) {
				s.Gateway = &region.Gateways[i]
			}
		}
	}
	return s
}

// services lists the services that the role shows. regions may be nil: then gateways are not looked at.
func (v *visit) services(regions []Region) ([]serviceView, error) {
	all, err := across[serviceResource](v, "Microsoft.ApiManagement/service", apimVersion)
	if err != nil {
		return nil, err
	}
	out := []serviceView{}
	for _, r := range all {
		out = append(out, v.serviceView(r, regions))
	}
	return out, nil
}

func (v *visit) serviceAt() (serviceView, error) {
	var r serviceResource
	if _, err := v.call(v.ctx, http.MethodGet, v.group()+"/providers/Microsoft.ApiManagement/service/"+escape(v.r.PathValue("service")), apimVersion, nil, &r); err != nil {
		return serviceView{}, err
	}
	return v.serviceView(r, v.Deployment.Regions(v.ctx)), nil
}

type servicesPage struct{ Services []serviceView }

func loadServices(v *visit) (any, error) {
	all, err := v.services(v.Deployment.Regions(v.ctx))
	return servicesPage{all}, err
}

// servicePage is what a service is made of.
type servicePage struct {
	Service       serviceView
	APIs          []apiItem
	Products      []productItem
	Subscriptions []subscriptionItem
	NamedValues   []namedValueItem
	Backends      []backendItem
	Policy        string // of the whole service
	Cut           bool   // there are more than are shown
	CSRF          string
	MayReveal     bool
}

func (p servicePage) title() string { return p.Service.Name }

// Problems are what the gateway cannot honour.
func (p servicePage) Problems() []gateway.Problem {
	if p.Service.Gateway == nil {
		return nil
	}
	return p.Service.Gateway.Status.Problems
}

type apiItem struct {
	ID, Name   string
	Properties struct {
		DisplayName, Path, APIRevision, APIVersion, ServiceURL string
		Protocols                                              []string
		SubscriptionRequired                                   *bool
	}
}

type productItem struct {
	Name       string
	Properties struct {
		DisplayName, State   string
		SubscriptionRequired bool
		ApprovalRequired     bool
	}
}

type subscriptionItem struct {
	Name       string
	Properties struct{ DisplayName, Scope, State string }
}

type namedValueItem struct {
	Name       string
	Properties struct {
		DisplayName, Value string
		Secret             bool
	}
}

type backendItem struct {
	Name       string
	Properties struct{ Title, URL, Protocol string }
}

func loadService(v *visit) (any, error) {
	s, err := v.serviceAt()
	if err != nil {
		return nil, err
	}
	p := servicePage{Service: s, CSRF: v.session.CSRF, MayReveal: v.may("Microsoft.ApiManagement/service/subscriptions/listSecrets/action", s.ID)}
	fetch := func(cut bool, e error) {
		p.Cut = p.Cut || cut
		if err == nil {
			err = e
		}
	}
	var cut bool
	var e error
	p.APIs, cut, e = list[apiItem](v, s.ID+"/apis", apimVersion)
	fetch(cut, e)
	p.Products, cut, e = list[productItem](v, s.ID+"/products", apimVersion)
	fetch(cut, e)
	p.Subscriptions, cut, e = list[subscriptionItem](v, s.ID+"/subscriptions", apimVersion)
	fetch(cut, e)
	p.NamedValues, cut, e = list[namedValueItem](v, s.ID+"/namedValues", apimVersion)
	fetch(cut, e)
	p.Backends, cut, e = list[backendItem](v, s.ID+"/backends", apimVersion)
	fetch(cut, e)
	if err != nil {
		return nil, err
	}
	p.Policy, err = v.policy(s.ID)
	return p, err
}

// policy reads the policy of a scope as it was written; empty where there is none.
func (v *visit) policy(scope string) (string, error) {
	var r struct{ Properties struct{ Value string } }
	_, err := v.call(v.ctx, http.MethodGet, scope+"/policies/policy?format=rawxml", apimVersion, nil, &r)
	if e, ok := err.(refusal); ok && e.Status == http.StatusNotFound {
		return "", nil
	}
	return r.Properties.Value, err
}

// apiPage is one API.
type apiPage struct {
	Service    serviceView
	API        apiItem
	Operations []operationItem
	Policy     string
	Cut        bool
}

type operationItem struct {
	ID, Name   string
	Properties struct{ DisplayName, Method, URLTemplate string }
	Policy     string
}

func (p apiPage) title() string { return p.API.Properties.DisplayName }

func loadAPI(v *visit) (any, error) {
	s, err := v.serviceAt()
	if err != nil {
		return nil, err
	}
	p := apiPage{Service: s}
	at := s.ID + "/apis/" + escape(v.r.PathValue("api"))
	if _, err := v.call(v.ctx, http.MethodGet, at, apimVersion, nil, &p.API); err != nil {
		return nil, err
	}
	if p.Operations, p.Cut, err = list[operationItem](v, at+"/operations", apimVersion); err != nil {
		return nil, err
	}
	for i, o := range p.Operations {
		if p.Operations[i].Policy, err = v.policy(at + "/operations/" + escape(o.Name)); err != nil {
			return nil, err
		}
	}
	p.Policy, err = v.policy(at)
	return p, err
}

// keysView is the keys of a subscription, shown on demand.
type keysView struct{ PrimaryKey, SecondaryKey string }

// revealKeys asks for a subscription's keys by listSecrets: the only way by which they leave (law 7).
func (c *Console) revealKeys(w http.ResponseWriter, r *http.Request) {
	s := c.session(r)
	if s == nil {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	if !s.provesForm(r) {
		c.fail(w, r, s, errForm)
		return
	}
	v := &visit{Console: c, ctx: r.Context(), r: r, session: s}
	var keys keysView
	path := v.group() + "/providers/Microsoft.ApiManagement/service/" + escape(r.PathValue("service")) + "/subscriptions/" + escape(r.PathValue("sid")) + "/listSecrets"
	if _, err := v.call(v.ctx, http.MethodPost, path, apimVersion, nil, &keys); err != nil {
		c.fail(w, r, s, err)
		return
	}
	if r.Header.Get("HX-Request") != "" {
		c.render(w, http.StatusOK, "keys.fragment", keys)
		return
	}
	f := frame{Title: "Keys of " + r.PathValue("sid"), Nav: "services", User: s.name, CSRF: s.CSRF, Page: keys}
	c.render(w, http.StatusOK, "keys", f)
}

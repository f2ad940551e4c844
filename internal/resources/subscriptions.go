package resources

import (
	"context"
	"net/http"

	"tandem/internal/arm"
)

// Subscription is what resource groups lie in.
type Subscription struct {
	ID          string `json:"id"` // a GUID
	DisplayName string `json:"displayName"`
	TenantID    string `json:"tenantId"`
}

// EnsureSubscription makes the subscription where it is not there.
func (r *Resources) EnsureSubscription(ctx context.Context, s Subscription) error {
	_, _, ok, err := get[Subscription](ctx, r, "subscriptions/"+lower(s.ID))
	if err != nil || ok {
		return err
	}
	return r.put(ctx, "subscriptions/"+lower(s.ID), s, 0)
}

// CheckSubscription implements arm.ScopeChecker.
func (r *Resources) CheckSubscription(ctx context.Context, id string) error {
	_, err := r.subscription(ctx, id)
	return err
}

func (r *Resources) subscription(ctx context.Context, id string) (Subscription, error) {
	s, _, ok, err := get[Subscription](ctx, r, "subscriptions/"+lower(id))
	if err == nil && !ok {
		err = arm.Errorf(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", id)
	}
	return s, err
}

type subscriptionResource struct {
	ID                   string            `json:"id"`
	AuthorizationSource  string            `json:"authorizationSource"`
	SubscriptionID       string            `json:"subscriptionId"`
	TenantID             string            `json:"tenantId"`
	DisplayName          string            `json:"displayName"`
	State                string            `json:"state"`
	SubscriptionPolicies map[string]string `json:"subscriptionPolicies"`
	ManagedByTenants     []string          `json:"managedByTenants"`
}

func (s Subscription) resource() subscriptionResource {
	return subscriptionResource{ID: "/subscriptions/" + s.ID, AuthorizationSource: "RoleBased", SubscriptionID: s.ID, TenantID: s.TenantID,
		DisplayName: s.DisplayName, State: "Enabled", ManagedByTenants: []string{},
		SubscriptionPolicies: map[string]string{"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"}}
}

func (p provider) listSubscriptions(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	all, err := list[Subscription](ctx, p.Resources, "subscriptions/")
	if err != nil {
		return nil, err
	}
	out := []subscriptionResource{}
	for _, s := range all {
		if p.c.Access.SeesBelow(r.Principal.ObjectID, "/subscriptions/"+s.ID) {
			out = append(out, s.resource())
		}
	}
	page, err := arm.Paginate(r, out, 1000)
	return &arm.Response{Body: page}, err
}

// getSubscription shows a subscription to everyone who has a role somewhere in it; to others it does not exist.
func (p provider) getSubscription(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	s, err := p.subscription(ctx, r.Params["subscriptionId"])
	if err != nil {
		return nil, err
	}
	if !p.c.Access.SeesBelow(r.Principal.ObjectID, "/subscriptions/"+s.ID) {
		return nil, arm.Errorf(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", s.ID)
	}
	return &arm.Response{Body: s.resource()}, nil
}

type tenantResource struct {
	ID             string   `json:"id"`
	TenantID       string   `json:"tenantId"`
	DisplayName    string   `json:"displayName"`
	DefaultDomain  string   `json:"defaultDomain,omitempty"`
	Domains        []string `json:"domains"`
	TenantCategory string   `json:"tenantCategory"`
}

func (p provider) listTenants(_ context.Context, r *arm.Request) (*arm.Response, error) {
	out := []tenantResource{}
	for _, t := range p.c.Tenants() {
		res := tenantResource{ID: "/tenants/" + t.ID, TenantID: t.ID, DisplayName: t.DisplayName, DefaultDomain: t.Domain, Domains: []string{}, TenantCategory: "Home"}
		if t.Domain != "" {
			res.Domains = append(res.Domains, t.Domain)
		}
		if t.ID == r.Principal.TenantID {
			out = append(out, res)
		}
	}
	return &arm.Response{Body: arm.List[tenantResource]{Value: out}}, nil
}

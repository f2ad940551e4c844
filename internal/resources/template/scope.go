package template

import (
	"context"
	"time"
)

// Scope is the place that a template is deployed to, as its functions see it.
type Scope struct {
	Subscription string // the id alone
	Group        string // empty: the deployment is at the subscription
	// What subscription(), resourceGroup(), deployment(), environment(), tenant() and deployer() give; nil where there is none.
	SubscriptionInfo, GroupInfo, DeploymentInfo, Environment, TenantInfo, Deployer map[string]any

	Now     time.Time
	NewGUID func() string
}

// id is that of the scope itself.
func (s *Scope) id() string {
	id := "/subscriptions/" + s.Subscription
	if s.Group != "" {
		id += "/resourceGroups/" + s.Group
	}
	return id
}

// Runtime answers what expressions ask of resources.
type Runtime interface {
	// Read gives a resource, whole, as GET answers it.
	Read(ctx context.Context, id, apiVersion string) (map[string]any, error)
	// Invoke gives the answer of an action that lists something: "listKeys".
	Invoke(ctx context.Context, action, id, apiVersion string, body any) (any, error)
}

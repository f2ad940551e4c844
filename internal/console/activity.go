package console

import (
	"net/http"

	"tandem/internal/arm"
)

// readActivity is what Azure asks for reading the activity log.
const readActivity = "Microsoft.Insights/eventtypes/values/read"

type activityPage struct{ Records []activityView }

type activityView struct {
	arm.AuditRecord
	Who string
}

// Level is how the call ended.
func (a activityView) Level() string {
	switch {
	case a.Status < 300:
		return "good"
	case a.Status < 500:
		return "warn"
	}
	return "bad"
}

func loadActivity(v *visit) (any, error) {
	if !v.may(readActivity, "/subscriptions/"+v.SubscriptionID) {
		return nil, refusal{Status: http.StatusForbidden, Code: "AuthorizationFailed", Message: "Your role does not show the activity of the subscription: it needs " + readActivity + "."}
	}
	var p activityPage
	for _, r := range v.Deployment.Activity(v.ctx) {
		a := activityView{r, v.Deployment.PrincipalName(r.Principal.ObjectID)}
		if a.Who == "" {
			a.Who = r.Principal.ObjectID
		}
		p.Records = append(p.Records, a)
	}
	return p, nil
}

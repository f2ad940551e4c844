package console

import (
	"net/http"
	"net/url"
	"strings"

	"tandem"
)

func escape(s string) string { return url.PathEscape(s) }

// group is the ARM path of the resource group that the page's address names.
func (v *visit) group() string {
	return "/subscriptions/" + v.SubscriptionID + "/resourceGroups/" + escape(v.r.PathValue("group"))
}

// endpointAction is what can be done to an endpoint: a page that says what follows, and a form.
type endpointAction struct {
	Action       string
	Title        string
	Consequences []string
	Button       string
	Danger       bool
	Confirm      string // the name to type; empty: none
	Profile      profileView
	Endpoint     endpointView
	May          bool

	// properties are patched; nil: the failback call.
	properties map[string]any
}

func (a endpointAction) title() string { return a.Title }

// actionAt reads which action the page's address names.
func (v *visit) actionAt() (endpointAction, error) {
	p, _, err := v.profileAt()
	if err != nil {
		return endpointAction{}, err
	}
	a := endpointAction{Action: v.r.PathValue("action"), Profile: p}
	for _, e := range p.Endpoints {
		if strings.EqualFold(e.Name, v.r.PathValue("endpoint")) && strings.EqualFold(e.Kind, v.r.PathValue("kind")) {
			a.Endpoint = e
		}
	}
	if a.Endpoint.Name == "" {
		return a, &tandem.Error{Op: "find endpoint", Subject: v.r.PathValue("endpoint"), Kind: tandem.NotFound, Remedy: "go back to the profile and choose one of its endpoints"}
	}
	e, name := a.Endpoint.Name, p.Properties.DNSConfig.Fqdn
	others := a.others()
	action := "write"
	switch a.Action {
	case "failback":
		action = "failback/action"
		a.Title, a.Button, a.Danger, a.Confirm = "Let "+e+" back", "Let "+e+" back", true, e
		a.Consequences = []string{
			"Clients of " + name + " are sent to " + e + " again, within the TTL of the name.",
			"What was changed at the other side since the failover is not there unless it was backed up and restored into " + e + " first.",
			"If " + e + " has not recovered, nothing changes.",
		}
	case "take-out":
		a.Title, a.Button, a.Danger, a.Confirm = "Take "+e+" out of the traffic", "Take "+e+" out", true, e
		a.Consequences = []string{e + " is not answered any more, whatever is measured.", "Clients keep what they resolved until its TTL ends.", others, "It stays so until somebody ends it."}
		a.properties = map[string]any{"override": "Down"}
	case "keep-in":
		a.Title, a.Button, a.Danger, a.Confirm = "Keep "+e+" in the traffic", "Keep "+e+" in", true, e
		a.Consequences = []string{e + " is taken to be well, whatever the probes find: clients may be sent to a gateway that does not answer.", "It stays so until somebody ends it."}
		a.properties = map[string]any{"override": "Up"}
	case "measure":
		a.Title, a.Button = "Go by what is measured at "+e, "End the override"
		a.Consequences = []string{"The probes decide again whether " + e + " serves."}
		a.properties = map[string]any{"override": "None"}
	case "drain":
		a.Title, a.Button, a.Danger, a.Confirm = "Drain "+e, "Drain "+e, true, e
		a.Consequences = []string{e + " gets no new clients; those that resolved it already go on until the TTL of the name has ended.", others, "The gateway goes on serving who still comes."}
		a.properties = map[string]any{"drain": "Enabled"}
	case "end-drain":
		a.Title, a.Button = "End the drain of "+e, "End the drain"
		a.Consequences = []string{e + " may serve new clients again, by its priority and health."}
		a.properties = map[string]any{"drain": "Disabled"}
	default:
		return a, errNoPage
	}
	a.May = v.may("Microsoft.Network/trafficManagerProfiles/"+a.Endpoint.Kind+"/"+action, a.Endpoint.ID)
	return a, nil
}

// others says who serves instead.
func (a endpointAction) others() string {
	var up []string
	for _, e := range a.Profile.Endpoints {
		if e.Name != a.Endpoint.Name && e.Health.InDNS {
			up = append(up, e.Name)
		}
	}
	if len(up) == 0 {
		return "No other endpoint may serve now: this may leave clients without an answer."
	}
	return "Then serves: " + strings.Join(up, ", ") + "."
}

func loadEndpointAction(v *visit) (any, error) {
	a, err := v.actionAt()
	if err != nil {
		return nil, err
	}
	return a, nil
}

func doEndpointAction(v *visit) (string, error) {
	a, err := v.actionAt()
	if err != nil {
		return "", err
	}
	if a.Confirm != "" && v.r.PostFormValue("confirm") != a.Confirm {
		return "", errConfirm
	}
	if a.properties == nil {
		_, err = v.call(v.ctx, http.MethodPost, a.Endpoint.ID+"/failback", trafficVersion, nil, nil)
	} else {
		_, err = v.call(v.ctx, http.MethodPatch, a.Endpoint.ID, trafficVersion, map[string]any{"properties": a.properties}, nil)
	}
	return a.Profile.Path(), err
}

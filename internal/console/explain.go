package console

import (
	"fmt"
	"strings"
)

// why says in plain words why a profile answers as it does. It restates what the nameserver compiled from the same
// settings and measurements; the answer itself is asked of the nameserver, never worked out here.
func why(p profileView, a answerView) string {
	if p.Properties.ProfileStatus == "Disabled" {
		return "The profile is disabled, so its name is not answered."
	}
	if !a.Exists {
		return "The name is not there yet: the profile has no endpoint that can be answered, or it was made a moment ago."
	}
	if len(a.Records) == 0 {
		return "No endpoint can be answered to this client by the profile's rules."
	}
	up := 0
	var out []string
	for _, e := range p.Endpoints {
		if e.Health.InDNS {
			up++
		} else if reason := e.whyOut(); reason != "" {
			out = append(out, reason)
		}
	}
	var b strings.Builder
	switch {
	case up == 0:
		fmt.Fprintf(&b, "No endpoint is well, so the rule for that case holds (%s). ", allDown(p.Properties.AllDownPolicy))
	default:
		b.WriteString(method(p, a))
	}
	b.WriteString(strings.Join(out, " "))
	return strings.TrimSpace(b.String())
}

func allDown(policy string) string {
	switch policy {
	case "LastGood":
		return "LastGood: those that were well last"
	case "None":
		return "None: no records"
	}
	return "ServeAll: all are answered as if they were well"
}

func method(p profileView, a answerView) string {
	first := a.Records[0].Endpoint
	switch p.Properties.TrafficRoutingMethod {
	case "Priority":
		for _, e := range p.Endpoints {
			if e.Name == first && e.Properties.Priority != nil {
				return fmt.Sprintf("Of the endpoints that may serve, %s has the best priority (%d). ", first, *e.Properties.Priority)
			}
		}
	case "Weighted":
		return "One of the endpoints that may serve is drawn, by weight; the next question may be answered otherwise. "
	case "Performance":
		return "Of the endpoints that may serve, the nearest to the client is answered. "
	case "Geographic":
		return "The endpoint is the one that the client's place is mapped to. "
	case "Subnet":
		return "The endpoint is the one that the client's address is mapped to. "
	case "MultiValue":
		return "All endpoints that may serve are answered, up to the profile's limit. "
	}
	return ""
}

// whyOut says why an endpoint is not answered, as a sentence.
func (e endpointView) whyOut() string {
	switch {
	case e.Properties.EndpointStatus == "Disabled":
		return e.Name + " is disabled."
	case e.Health.Override == "Down":
		return e.Name + " was taken out by hand."
	case e.Properties.Drain == "Enabled":
		return e.Name + " is being drained."
	case e.Health.KeptOut:
		return e.Name + " has recovered and is kept out until somebody lets it back."
	case e.Health.Measured != nil && e.Health.Measured.Why != "":
		return fmt.Sprintf("%s is %s: %s.", e.Name, strings.ToLower(e.Health.Status), strings.TrimSuffix(e.Health.Measured.Why, "."))
	case e.Health.Status != "":
		return e.Name + " is " + strings.ToLower(e.Health.Status) + "."
	}
	return ""
}

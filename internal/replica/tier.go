package replica

import (
	"regexp"
	"strings"
)

// tierLacks names the kinds, by the first segment of their type, that a tier of Azure is documented not to have. A kind of
// which the documents do not speak is taken for offered: the service refuses it then, and the restore tells.
func tierLacks() map[string][]string {
	return map[string][]string{
		"Consumption": {"gateways", "workspaces", "portalsettings", "portalconfigs", "portalRevisions", "contentTypes", "templates", "notifications", "issues", "tenant", "users", "groups", "identityProviders"},
		"Basic":       {"gateways"},
		"Standard":    {"gateways"},
		"BasicV2":     {"gateways", "tenant"},
		"StandardV2":  {"gateways", "tenant"},
		"PremiumV2":   {"gateways", "tenant"},
	}
}

// notInConsumption are policies whose documented gateways do not name that tier.
var notInConsumption = regexp.MustCompile(`<(rate-limit-by-key|quota-by-key|llm-token-limit|azure-openai-token-limit|sql-data-source|cosmosdb-data-source)[\s/>]`)

// unsupported tells why a tier does not offer a resource; empty where it does, or the tier is not known.
func unsupported(tier string, i *item) string {
	types := strings.Split(i.kind.Type(), ".")
	for _, lacks := range tierLacks()[tier] {
		if strings.EqualFold(types[0], lacks) || len(types) > 1 && i.kind.LinkTarget() == lacks {
			return "the " + tier + " tier has no " + lacks
		}
	}
	if tier == "Consumption" && textual(i.kind) {
		text, _ := i.props["value"].(string)
		if m := notInConsumption.FindStringSubmatch(text); m != nil {
			return "the Consumption tier has no policy " + m[1]
		}
	}
	return ""
}

package apim

import (
	"fmt"
	"sort"
	"strings"
)

// storedOnly says why changing a resource of a type changes nothing but later reads of it. Types that are not here take
// effect: on the gateway, or on what other calls answer. Everything below workspaces is stored only.
func storedOnly() map[string]string {
	const portal = "there is no developer portal; the content is kept, backed up and restored"
	const mail = "no e-mail is sent"
	const selfHosted = "a self-hosted gateway does not fetch its configuration from here"
	return map[string]string{
		"apis.issues": portal, "apis.issues.attachments": portal, "apis.issues.comments": portal, "apis.wikis": portal, "products.wikis": portal, "documentations": portal,
		"apis.tagDescriptions": portal, "contentTypes": portal, "contentTypes.contentItems": portal, "portalRevisions": portal, "portalconfigs": portal,
		"identityProviders": portal, "authorizationServers": portal, "openidConnectProviders": portal,
		"authorizationProviders": "tokens of other services are not held", "authorizationProviders.authorizations": "tokens of other services are not held",
		"authorizationProviders.authorizations.accessPolicies": "tokens of other services are not held",
		"templates":                       mail,
		"notifications":                   mail,
		"notifications.recipientEmails":   mail,
		"notifications.recipientUsers":    mail,
		"gateways":                        selfHosted + "; its keys and tokens are real",
		"gateways.apis":                   selfHosted,
		"gateways.certificateAuthorities": selfHosted, "gateways.hostnameConfigurations": selfHosted,
	}
}

const workspaceOnly = "no gateway serves the APIs of workspaces; everything below is kept, backed up and restored"

// Compatibility is docs/compatibility.md: what of API Management is supported, what is only stored, and what is refused.
func Compatibility(t *Table) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Compatibility with API Management\n\nGenerated from the table of kinds; `go test ./internal/apim -run TestCompatibility -update` writes it anew.\n"+
		"The contract is that of api-version 2024-05-01; older versions are accepted.\n\n"+
		"**Supported** means that a change takes effect: on the gateway, or on what other calls answer. **Stored only** means that a\n"+
		"resource can be written, read, listed, backed up and restored, and that nothing else comes of it.\n\n## Kinds\n\n| kind | calls | state |\n|---|---|---|\n")
	only := storedOnly()
	supported, stored := 0, 0
	for _, k := range sortedKinds(t) {
		state := "supported"
		base, inWorkspace := strings.CutPrefix(k.typ, "workspaces.")
		switch {
		case inWorkspace || base == "workspaces":
			state = "stored only: " + workspaceOnly
		case only[base] != "":
			state = "stored only: " + only[base]
		}
		if state == "supported" {
			supported++
		} else {
			stored++
		}
		if inWorkspace {
			continue // one line below stands for them
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Path, calls(k), state)
	}
	fmt.Fprintf(&b, "| `workspaces/{workspaceId}/…` | as outside workspaces | stored only: %s |\n", workspaceOnly)
	fmt.Fprintf(&b, "\n%d kinds are supported, %d are stored only, those of workspaces included.\n", supported, stored)
	b.WriteString("\n## Refused calls\n\nThese answer 400 `NotSupported` and the reason, or 404 where there can be none to read.\n\n| call | reason |\n|---|---|\n")
	for _, r := range refusals() {
		if r.Code != "" {
			fmt.Fprintf(&b, "| `%s %s` | %s |\n", r.Method, strings.TrimPrefix(r.Path, groupPath+"/providers/"+Namespace), r.Reason)
		}
	}
	b.WriteString("\n## Where answers differ from Azure's\n\n")
	for _, line := range []string{
		"`count` is left out of a list that goes on for more than 250 resources after the page.",
		"Lists can be filtered by every property of a kind, not only by the ones that Azure names.",
		"PUT of APIs, named values and schemas is done when it answers; there is no operation to poll.",
		"WSDL is imported as a SOAP API that is passed through (`apiType` `soap`), not turned into REST. OData and gRPC descriptions are not imported.",
		"An import leaves out what API Management has no place for: cookie parameters, responses `default` and `4XX`, security schemes, callbacks and webhooks.",
		"An import parts the schemas of a large description into several schema documents, `components`, `components-2` and so on.",
		"Exports are written as OpenAPI 3.0.1 or Swagger 2.0; the link lives for five minutes and needs no other permission.",
		"A Key Vault reference is kept and reported with the status `NotResolved`.",
		"`migrateToStv2` and `applynetworkconfigurationupdates` answer at once: there is nothing to bring up to date.",
	} {
		b.WriteString("- " + line + "\n")
	}
	return b.String()
}

func sortedKinds(t *Table) []*Kind {
	out := append([]*Kind(nil), t.Kinds...)
	sort.SliceStable(out, func(i, j int) bool { return strings.ToLower(out[i].Path) < strings.ToLower(out[j].Path) })
	return out
}

func calls(k *Kind) string {
	var out []string
	for _, v := range []struct {
		verb byte
		name string
	}{{'G', "GET"}, {'H', "HEAD"}, {'P', "PUT"}, {'U', "PATCH"}, {'D', "DELETE"}, {'L', "list"}} {
		if k.Has(v.verb) {
			out = append(out, v.name)
		}
	}
	if k.Reveal != "" {
		out = append(out, k.Reveal)
	}
	return strings.Join(out, ", ")
}

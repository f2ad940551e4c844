package apim

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"tandem/internal/arm"
)

// identityTypes in Azure's case.
var identityTypes = []string{"None", "SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned"}

// identify completes the managed identity that was sent: the type in Azure's case, and the ids of the principals, which stay
// the same while the service has the identity. was is the identity before.
func (rec *Record) identify(tenant string, was map[string]any) error {
	if rec.Identity == nil {
		return nil
	}
	typ, _ := arm.FoldGet(rec.Identity, "type")
	sent := asString(typ)
	plain := strings.ReplaceAll(sent, " ", "")
	i := slices.IndexFunc(identityTypes, func(t string) bool { return strings.EqualFold(strings.ReplaceAll(t, " ", ""), plain) })
	if i < 0 {
		return invalid("identity.type", "%q is not one of %s", sent, strings.Join(identityTypes, ", "))
	}
	out := map[string]any{"type": identityTypes[i]}
	if strings.HasPrefix(identityTypes[i], "SystemAssigned") {
		out["principalId"], out["tenantId"] = asString(was["principalId"]), asString(was["tenantId"])
		if out["principalId"] == "" {
			out["principalId"], out["tenantId"] = uuid.NewString(), tenant
		}
	}
	if strings.HasSuffix(identityTypes[i], "UserAssigned") {
		list, _ := arm.FoldGet(rec.Identity, "userAssignedIdentities")
		users, _ := list.(map[string]any)
		if len(users) == 0 {
			return invalid("identity.userAssignedIdentities", "the type %s needs identities: their resource ids as names", identityTypes[i])
		}
		known := map[string]any{}
		for _, id := range slices.Sorted(maps.Keys(users)) {
			// An identity's ids are its own, whichever service has it.
			own := func(what string) string {
				return uuid.NewSHA1(uuid.NameSpaceURL, []byte(what+strings.ToLower(id))).String()
			}
			known[id] = map[string]any{"principalId": own("principal"), "clientId": own("client")}
		}
		out["userAssignedIdentities"] = known
	}
	rec.Identity = out
	return nil
}

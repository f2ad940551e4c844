package identity

import (
	"encoding/json"
	"time"

	"tandem"
)

// Snapshot is what another place needs to verify tokens and to decide access on its own. It has no secret in it.
type Snapshot struct {
	Revision        tandem.Revision    `json:"revision"`
	Tenants         []Tenant           `json:"tenants"`
	SigningKeys     []PublicKey        `json:"signingKeys"`
	Principals      []ServicePrincipal `json:"principals"`
	RoleDefinitions []RoleDefinition   `json:"roleDefinitions"` // those made by customers; the built-in ones are in the program
	RoleAssignments []RoleAssignment   `json:"roleAssignments"`
}

// PublicKey is the open half of a signing key.
type PublicKey struct {
	ID        string          `json:"kid"`
	JWK       json.RawMessage `json:"jwk"`       // RFC 7517
	Activates time.Time       `json:"activates"` // no token is signed with it before
}

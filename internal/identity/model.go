// Package identity is Tandem's Entra ID: it issues tokens, keeps applications, service principals, role definitions and
// role assignments, and decides who may do what. A Directory watches the store and answers from memory; a Replica answers
// from a Snapshot of it in another place, so that a site goes on when the rest is dead (law 8).
package identity

import (
	"time"
)

// Tenant is one directory.
type Tenant struct {
	ID          string `json:"id"` // a GUID
	DisplayName string `json:"displayName"`
	Domain      string `json:"domain,omitempty"` // another name for it in authority addresses
}

// Application is a registered client.
type Application struct {
	ID             string        `json:"id"`    // object id
	AppID          string        `json:"appId"` // client id
	TenantID       string        `json:"tenantId"`
	DisplayName    string        `json:"displayName"`
	IdentifierURIs []string      `json:"identifierUris,omitempty"`
	Created        time.Time     `json:"created"`
	Owner          string        `json:"owner,omitempty"` // object id of who registered it and may change it
	Secrets        []Secret      `json:"secrets,omitempty"`
	Certificates   []Certificate `json:"certificates,omitempty"`
}

// Secret is a client secret, of which only a salted hash is kept.
type Secret struct {
	KeyID       string    `json:"keyId"`
	DisplayName string    `json:"displayName,omitempty"`
	Hint        string    `json:"hint"` // its first three characters
	Hash        string    `json:"hash"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
}

// Certificate is a registered certificate: the client signs assertions with its key.
type Certificate struct {
	KeyID string    `json:"keyId"`
	DER   []byte    `json:"der"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// ServicePrincipal is an application's identity in a tenant: what role assignments name.
type ServicePrincipal struct {
	ID          string    `json:"id"` // object id
	AppID       string    `json:"appId"`
	TenantID    string    `json:"tenantId"`
	DisplayName string    `json:"displayName"`
	Enabled     bool      `json:"enabled"`
	Created     time.Time `json:"created"`
}

// Permission is what a role allows: an action that matches one of Actions and none of NotActions.
type Permission struct {
	Actions        []string `json:"actions"`
	NotActions     []string `json:"notActions"`
	DataActions    []string `json:"dataActions"`
	NotDataActions []string `json:"notDataActions"`
}

// RoleDefinition is a role, built in or made by a customer.
type RoleDefinition struct {
	ID               string       `json:"id"` // a GUID
	Name             string       `json:"name"`
	Description      string       `json:"description"`
	BuiltIn          bool         `json:"builtIn,omitempty"`
	AssignableScopes []string     `json:"assignableScopes"`
	Permissions      []Permission `json:"permissions"`
	Created          time.Time    `json:"created,omitzero"`
	CreatedBy        string       `json:"createdBy,omitempty"`
	Updated          time.Time    `json:"updated,omitzero"`
	UpdatedBy        string       `json:"updatedBy,omitempty"`
}

// RoleAssignment gives a principal a role on a scope and everything below it.
type RoleAssignment struct {
	ID            string    `json:"id"`    // a GUID
	Scope         string    `json:"scope"` // a resource id; "/" is everything
	RoleID        string    `json:"roleId"`
	PrincipalID   string    `json:"principalId"`
	PrincipalType string    `json:"principalType"`
	Description   string    `json:"description,omitempty"`
	Created       time.Time `json:"created"`
	CreatedBy     string    `json:"createdBy,omitempty"`
	Updated       time.Time `json:"updated"`
	UpdatedBy     string    `json:"updatedBy,omitempty"`
}

package resources

import (
	"context"
	"strings"

	"tandem/internal/arm"
)

// Endpoints are the addresses of the cloud that Tandem is, as GET /metadata/endpoints tells them to clients. Empty ones are
// left out or, for ResourceManager, taken from the request.
type Endpoints struct {
	Name            string // of the cloud; empty: "Tandem"
	ResourceManager string
	Login           string   // the authority
	Audiences       []string // what tokens for ResourceManager are asked for; empty: https://management.azure.com/
	Graph           string   // Microsoft Graph's address
	Portal          string
	Tenant          string // in authority addresses; empty: "common"
	StorageSuffix   string // empty: core.windows.net
	KeyVaultSuffix  string // empty: vault.azure.net
	APIMSuffix      string // of gateways; empty: azure-api.net
	TrafficSuffix   string // of Traffic Manager names; empty: trafficmanager.net
}

func (e Endpoints) filled() Endpoints {
	for field, value := range map[*string]string{&e.Name: "Tandem", &e.Tenant: "common", &e.StorageSuffix: "core.windows.net",
		&e.KeyVaultSuffix: "vault.azure.net", &e.APIMSuffix: "azure-api.net", &e.TrafficSuffix: "trafficmanager.net"} {
		if *field == "" {
			*field = value
		}
	}
	if e.Audiences == nil {
		e.Audiences = []string{"https://management.azure.com/"}
	}
	return e
}

type authentication struct {
	LoginEndpoint    string   `json:"loginEndpoint"`
	Audiences        []string `json:"audiences"`
	Tenant           string   `json:"tenant,omitempty"`
	IdentityProvider string   `json:"identityProvider,omitempty"`
}

// metadata answers in the form of the version: Azure Stack's of 2015, a list of clouds in the middle years, one cloud from
// 2022 on.
func (p provider) metadata(_ context.Context, r *arm.Request) (*arm.Response, error) {
	e := p.c.Endpoints
	if e.ResourceManager == "" {
		e.ResourceManager = r.Base
	}
	if e.Login == "" {
		e.Login = r.Base
	}
	version := r.APIVersion
	if version == "1.0" || version < "2018" {
		return &arm.Response{Body: map[string]any{"galleryEndpoint": e.Portal, "graphEndpoint": e.Graph, "portalEndpoint": e.Portal,
			"authentication": authentication{LoginEndpoint: e.Login, Audiences: e.Audiences}}}, nil
	}
	cloud := map[string]any{
		"name":            e.Name,
		"resourceManager": slashed(e.ResourceManager),
		"portal":          e.Portal,
		"graph":           slashed(e.Graph),
		"graphAudience":   slashed(e.Graph),
		"authentication":  authentication{e.Login, e.Audiences, e.Tenant, "AAD"},
		"suffixes": map[string]string{"storage": e.StorageSuffix, "keyVaultDns": e.KeyVaultSuffix,
			"apiManagement": e.APIMSuffix, "trafficManager": e.TrafficSuffix},
		"microsoftGraphResourceId": slashed(e.Graph),
	}
	if version >= "2022-09-01" {
		return &arm.Response{Body: cloud}, nil
	}
	return &arm.Response{Body: []any{cloud}}, nil
}

func slashed(url string) string {
	if url == "" || strings.HasSuffix(url, "/") {
		return url
	}
	return url + "/"
}

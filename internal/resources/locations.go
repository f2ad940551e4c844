package resources

import (
	"context"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// Location is a region.
type Location struct {
	Name        tandem.Region
	DisplayName string
	Geography   string // "India"
	Paired      tandem.Region
}

// azureLocations are Azure's public regions: "display name|geography|pair".
func azureLocations() []Location {
	const table = `East US|United States|westus
East US 2|United States|centralus
Central US|United States|eastus2
North Central US|United States|southcentralus
South Central US|United States|northcentralus
West Central US|United States|westus2
West US|United States|eastus
West US 2|United States|westcentralus
West US 3|United States|eastus
Canada Central|Canada|canadaeast
Canada East|Canada|canadacentral
Mexico Central|Mexico|
Brazil South|Brazil|southcentralus
Brazil Southeast|Brazil|brazilsouth
Chile Central|Chile|
North Europe|Europe|westeurope
West Europe|Europe|northeurope
UK South|United Kingdom|ukwest
UK West|United Kingdom|uksouth
France Central|France|francesouth
France South|France|francecentral
Germany West Central|Germany|germanynorth
Germany North|Germany|germanywestcentral
Italy North|Italy|
Norway East|Norway|norwaywest
Norway West|Norway|norwayeast
Poland Central|Poland|
Spain Central|Spain|
Austria East|Austria|
Sweden Central|Sweden|swedensouth
Sweden South|Sweden|swedencentral
Switzerland North|Switzerland|switzerlandwest
Switzerland West|Switzerland|switzerlandnorth
Israel Central|Israel|
Qatar Central|Qatar|
UAE Central|UAE|uaenorth
UAE North|UAE|uaecentral
South Africa North|South Africa|southafricawest
South Africa West|South Africa|southafricanorth
Central India|India|southindia
South India|India|centralindia
West India|India|southindia
Jio India Central|India|jioindiawest
Jio India West|India|jioindiacentral
East Asia|Asia Pacific|southeastasia
Southeast Asia|Asia Pacific|eastasia
Indonesia Central|Indonesia|
Malaysia West|Malaysia|
Japan East|Japan|japanwest
Japan West|Japan|japaneast
Korea Central|Korea|koreasouth
Korea South|Korea|koreacentral
New Zealand North|New Zealand|
Australia Central|Australia|australiacentral2
Australia Central 2|Australia|australiacentral
Australia East|Australia|australiasoutheast
Australia Southeast|Australia|australiaeast`
	var out []Location
	for line := range strings.SplitSeq(table, "\n") {
		f := strings.Split(line, "|")
		out = append(out, Location{Name: tandem.NormalRegion(f[0]), DisplayName: f[0], Geography: f[1], Paired: tandem.Region(f[2])})
	}
	return out
}

func (r *Resources) locations() []Location { return append(azureLocations(), r.c.Locations...) }

// location reads a region's name as clients write it ("Central India").
func (r *Resources) location(name string) (tandem.Region, error) {
	want := tandem.NormalRegion(name)
	var known []string
	for _, l := range r.locations() {
		if l.Name == want {
			return want, nil
		}
		known = append(known, string(l.Name))
	}
	return "", arm.Errorf(http.StatusBadRequest, "LocationNotAvailableForResourceType",
		"The provided location '%s' is not available. List of available regions is '%s'.", name, strings.Join(known, ","))
}

type locationResource struct {
	ID                  string         `json:"id"`
	Name                tandem.Region  `json:"name"`
	Type                string         `json:"type"`
	DisplayName         string         `json:"displayName"`
	RegionalDisplayName string         `json:"regionalDisplayName"`
	Metadata            map[string]any `json:"metadata"`
}

func (p provider) listLocations(_ context.Context, r *arm.Request) (*arm.Response, error) {
	base := "/subscriptions/" + r.Params["subscriptionId"] + "/locations/"
	out := []locationResource{}
	for _, l := range p.locations() {
		pairs := []map[string]any{}
		if l.Paired != "" {
			pairs = append(pairs, map[string]any{"id": base + string(l.Paired), "name": l.Paired})
		}
		out = append(out, locationResource{ID: base + string(l.Name), Name: l.Name, Type: "Region", DisplayName: l.DisplayName,
			RegionalDisplayName: "(" + l.Geography + ") " + l.DisplayName,
			Metadata:            map[string]any{"regionType": "Physical", "regionCategory": "Recommended", "geography": l.Geography, "pairedRegion": pairs}})
	}
	return &arm.Response{Body: arm.List[locationResource]{Value: out}}, nil
}

package traffic

import (
	"encoding/json"
	"testing"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

func TestEndpointOf(t *testing.T) {
	const group = "/subscriptions/s/resourceGroups/g/providers/"
	parse := func(text string) tandem.ResourceID {
		id, err := tandem.ParseResourceID(text)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	profile, service := parse(group+"Microsoft.Network/trafficManagerProfiles/app"), parse(group+"Microsoft.ApiManagement/service/shop")
	for _, c := range []struct {
		name      string
		endpoints string
		want      string
		kind      tandem.Kind
	}{
		{name: "by resource", endpoints: `[{"name":"shop","properties":{}},{"name":"a","properties":{"targetResourceId":"` + group + `microsoft.apimanagement/service/SHOP"}}]`, want: "a"},
		{name: "by name", endpoints: `[{"name":"Shop","properties":{}},{"name":"b","properties":{}}]`, want: "Shop"},
		{name: "none", endpoints: `[{"name":"b","properties":{}}]`, kind: tandem.NotFound},
		{name: "two", endpoints: `[{"name":"a","properties":{"targetResourceId":"` + service.String() + `"}},{"name":"b","properties":{"targetResourceId":"` + service.String() + `"}}]`, kind: tandem.Invalid},
	} {
		s := storetest.Memory()
		p := NewProvider(ProviderConfig{Store: s, Clock: tandem.SystemClock{}})
		if !json.Valid([]byte(c.endpoints)) {
			t.Fatal(c.name)
		}
		key, err := profileID(profile)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Commit(t.Context(), store.Batch{Put: []store.Write{{Key: key, Value: []byte(`{"name":"app","properties":{"endpoints":` + c.endpoints + `}}`)}}}); err != nil {
			t.Fatal(err)
		}
		got, err := p.EndpointOf(t.Context(), profile, service)
		if got != c.want || tandem.KindOf(err) != c.kind {
			t.Errorf("%s: got %q, %v, want %q, %q", c.name, got, err, c.want, c.kind)
		}
	}
}

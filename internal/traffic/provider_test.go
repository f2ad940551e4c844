package traffic

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const minimal = `{"location":"global","tags":{"a":"b"},"properties":{"trafficRoutingMethod":"priority","dnsConfig":{"relativeName":"%s"}}}`

func TestProfileLifecycle(t *testing.T) {
	p := newPlane(t, nil)
	made := p.must(201, "PUT", "Prof1", fmt.Sprintf(minimal, "Rel-One"))
	want := map[string]any{
		"id":   "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/trafficManagerProfiles/Prof1",
		"name": "Prof1", "type": "Microsoft.Network/trafficManagerProfiles", "location": "global", "tags": map[string]any{"a": "b"},
		"properties": map[string]any{"profileStatus": "Enabled", "trafficRoutingMethod": "Priority", "dnsConfig": map[string]any{"relativeName": "Rel-One", "fqdn": "Rel-One.trafficmanager.net", "ttl": 60.0},
			"monitorConfig": map[string]any{"profileMonitorStatus": "Inactive", "protocol": "HTTP", "port": 80.0, "path": "/", "intervalInSeconds": 30.0, "timeoutInSeconds": 10.0, "toleratedNumberOfFailures": 3.0,
				"certificateValidation": "Disabled", "detailedStatus": "Disabled"},
			"endpoints": []any{}, "trafficViewEnrollmentStatus": "Disabled", "failbackMode": "Automatic", "allDownPolicy": "ServeAll"},
	}
	if d := cmp.Diff(want, made); d != "" {
		t.Error(d)
	}
	p.must(200, "PUT", "prof1", fmt.Sprintf(minimal, "rel-one"))
	endpoint := p.must(201, "PUT", "prof1/ExternalEndpoints/E1", `{"properties":{"target":"gw.contoso.example","alwaysServe":"enabled"}}`)
	if dig(endpoint, "id") != want["id"].(string)+"/externalEndpoints/E1" || dig(endpoint, "type") != "Microsoft.Network/trafficManagerProfiles/externalEndpoints" ||
		dig(endpoint, "properties", "priority") != 1.0 || dig(endpoint, "properties", "weight") != 1.0 || dig(endpoint, "properties", "endpointMonitorStatus") != "Unmonitored" {
		t.Errorf("the endpoint is %v", endpoint)
	}
	p.must(201, "PUT", "prof1/externalEndpoints/E2", `{"properties":{"target":"192.0.2.7","endpointStatus":"Disabled"}}`)
	if got := p.must(200, "GET", "PROF1/externalendpoints/e2", ""); dig(got, "properties", "priority") != 2.0 || dig(got, "properties", "endpointMonitorStatus") != "Disabled" {
		t.Errorf("the second endpoint is %v", got)
	}
	patched := p.must(200, "PATCH", "prof1", `{"tags":{"c":"d"},"properties":{"dnsConfig":{"ttl":5},"MonitorConfig":{"intervalInSeconds":10,"timeoutInSeconds":5}}}`)
	if dig(patched, "properties", "dnsConfig", "ttl") != 5.0 || dig(patched, "properties", "dnsConfig", "relativeName") != "rel-one" || dig(patched, "tags", "c") != "d" ||
		dig(patched, "properties", "monitorConfig", "intervalInSeconds") != 10.0 || len(dig(patched, "properties", "endpoints").([]any)) != 2 {
		t.Errorf("after a PATCH: %v", patched)
	}
	p.must(200, "PUT", "prof1", fmt.Sprintf(minimal, "rel-one")) // without endpoints: they stay
	list := p.must(200, "GET", strings.TrimSuffix(profilesPath, "/"), "")
	if dig(list, "value", 0, "name") != "Prof1" || len(dig(list, "value", 0, "properties", "endpoints").([]any)) != 2 || dig(list, "value", 0, "properties", "monitorConfig", "profileMonitorStatus") != nil {
		t.Errorf("the group's list is %v", list)
	}
	list = p.must(200, "GET", "/subscriptions/00000000-0000-0000-0000-000000000001/providers/Microsoft.Network/trafficManagerProfiles", "")
	if dig(list, "value", 0, "properties", "monitorConfig", "profileMonitorStatus") != "Online" {
		t.Errorf("the subscription's list is %v", list)
	}
	p.must(200, "DELETE", "prof1/externalEndpoints/e2", "")
	p.must(204, "DELETE", "prof1/externalEndpoints/e2", "")
	p.must(404, "GET", "prof1/externalEndpoints/e2", "")
	p.must(404, "PATCH", "prof1/externalEndpoints/e2", `{"properties":{"weight":3}}`)
	p.must(200, "DELETE", "prof1", "")
	p.must(204, "DELETE", "prof1", "")
	if got := p.must(404, "GET", "prof1", ""); dig(got, "error", "code") != "ResourceNotFound" {
		t.Errorf("%v", got)
	}
	p.must(404, "PUT", "prof1/externalEndpoints/e1", `{"properties":{"target":"a.example"}}`)
	p.must(404, "PATCH", "prof1", `{"properties":{}}`)
	p.must(201, "PUT", "other", fmt.Sprintf(minimal, "rel-one")) // the name is free again
}

func TestNames(t *testing.T) {
	p := newPlane(t, nil)
	check := func(name string) map[string]any {
		return p.must(200, "POST", "/providers/Microsoft.Network/checkTrafficManagerNameAvailability", `{"name":"`+name+`","type":"Microsoft.Network/trafficManagerProfiles"}`)
	}
	if got := check("free"); got["nameAvailable"] != true {
		t.Errorf("%v", got)
	}
	p.must(201, "PUT", "p1", fmt.Sprintf(minimal, "taken"))
	if got := check("TAKEN"); got["nameAvailable"] != false || got["reason"] != "AlreadyExists" {
		t.Errorf("%v", got)
	}
	if got := check("no_good"); got["nameAvailable"] != false || got["reason"] != "Invalid" {
		t.Errorf("%v", got)
	}
	p.must(200, "POST", "/subscriptions/00000000-0000-0000-0000-000000000001/providers/Microsoft.Network/checkTrafficManagerNameAvailabilityV2", `{"name":"x","type":"microsoft.network/trafficmanagerprofiles"}`)
	if got := p.must(409, "PUT", "p2", fmt.Sprintf(minimal, "Taken")); dig(got, "error", "code") != "Conflict" {
		t.Errorf("%v", got)
	}
	p.must(400, "PUT", "p1", fmt.Sprintf(minimal, "renamed"))
}

// TestValidation holds refusals: every body is the minimal profile with one thing wrong.
func TestValidation(t *testing.T) {
	p := newPlane(t, nil)
	endpoint := func(properties string) string {
		return `"endpoints":[{"name":"e","type":"Microsoft.Network/trafficManagerProfiles/externalEndpoints","properties":{` + properties + `}}]`
	}
	two := func(a, b string) string {
		return `"endpoints":[{"name":"a","type":"x/externalEndpoints","properties":{"target":"a.example",` + a + `}},{"name":"b","type":"x/externalEndpoints","properties":{"target":"b.example",` + b + `}}]`
	}
	for _, c := range []struct{ method, properties, target string }{
		{"Fastest", ``, "trafficRoutingMethod"},
		{"Priority", `"profileStatus":"On"`, "profileStatus"},
		{"Priority", `"monitorConfig":{"protocol":"ICMP"}`, "protocol"},
		{"Priority", `"monitorConfig":{"port":0}`, "port"},
		{"Priority", `"monitorConfig":{"path":"status"}`, "path"},
		{"Priority", `"monitorConfig":{"protocol":"TCP","path":"/x"}`, "path"},
		{"Priority", `"monitorConfig":{"intervalInSeconds":20}`, "intervalInSeconds"},
		{"Priority", `"monitorConfig":{"intervalInSeconds":10,"timeoutInSeconds":10}`, "timeoutInSeconds"},
		{"Priority", `"monitorConfig":{"timeoutInSeconds":4}`, "timeoutInSeconds"},
		{"Priority", `"monitorConfig":{"toleratedNumberOfFailures":10}`, "toleratedNumberOfFailures"},
		{"Priority", `"monitorConfig":{"intervalInMilliseconds":10}`, "intervalInMilliseconds"},
		{"Priority", `"monitorConfig":{"expectedStatusCodeRanges":[{"min":300,"max":200}]}`, "expectedStatusCodeRanges"},
		{"Priority", `"monitorConfig":{"customHeaders":[{"name":"a b","value":"x"}]}`, "customHeaders"},
		{"Priority", `"monitorConfig":{"customHeaders":[{"name":"a","value":"x\r\nEvil: 1"}]}`, "customHeaders"},
		{"Priority", `"monitorConfig":{"protocol":"TCP","bodyMatch":"x"}`, "bodyMatch"},
		{"Priority", endpoint(``), "target"},
		{"Priority", endpoint(`"target":"http://a.example"`), "target"},
		{"Priority", endpoint(`"target":"a.example:80"`), "target"},
		{"Priority", endpoint(`"target":"0.0.0.0"`), "target"},
		{"Priority", endpoint(`"target":"a.example","weight":0`), "weight"},
		{"Priority", endpoint(`"target":"a.example","priority":1001`), "priority"},
		{"Priority", endpoint(`"target":"a.example","override":"Sideways"`), "override"},
		{"Priority", two(`"priority":5`, `"priority":5`), "priority"},
		{"Priority", `"endpoints":[{"name":"a","type":"x/internalEndpoints","properties":{"target":"a.example"}}]`, "type"},
		{"Priority", `"endpoints":[{"name":"a/b","type":"x/externalEndpoints","properties":{"target":"a.example"}}]`, "name"},
		{"Priority", `"endpoints":[{"name":"a","type":"x/azureEndpoints","properties":{"targetResourceId":"/subscriptions/x"}}]`, "target"},
		{"Priority", `"endpoints":[{"name":"a","type":"x/nestedEndpoints","properties":{}}]`, "targetResourceId"},
		{"Priority", `"endpoints":[{"name":"a","type":"x/nestedEndpoints","properties":{"targetResourceId":"` + profilesPath + `nobody"}}]`, "targetResourceId"},
		{"MultiValue", endpoint(`"target":"a.example"`), "target"},
		{"MultiValue", `"maxReturn":11`, "maxReturn"},
		{"Performance", endpoint(`"target":"a.example"`), "endpointLocation"},
		{"Performance", endpoint(`"target":"a.example","endpointLocation":"Atlantis"`), "endpointLocation"},
		{"Geographic", endpoint(`"target":"a.example"`), "geoMapping"},
		{"Geographic", endpoint(`"target":"a.example","geoMapping":["XX"]`), "geoMapping"},
		{"Geographic", two(`"geoMapping":["FR"]`, `"geoMapping":["fr"]`), "geoMapping"},
		{"Subnet", endpoint(`"target":"a.example","subnets":[{"first":"10.0.0.9","last":"10.0.0.1"}]`), "subnets"},
		{"Subnet", two(`"subnets":[{"first":"10.0.0.0","scope":8}]`, `"subnets":[{"first":"10.1.0.0","scope":16}]`), "subnets"},
		{"Subnet", two(`"weight":1`, `"weight":1`), "subnets"},
	} {
		body := `{"properties":{"trafficRoutingMethod":"` + c.method + `","dnsConfig":{"relativeName":"bad"}`
		if c.properties != "" {
			body += "," + c.properties
		}
		status, got := p.call("PUT", "bad", body+"}}")
		target, _ := dig(got, "error", "target").(string)
		if status != 400 || dig(got, "error", "code") != "BadRequest" || !strings.HasSuffix(target, c.target) || dig(got, "error", "message") == "" {
			t.Errorf("%s %s: %d %v", c.method, c.properties, status, got)
		}
	}
	p.must(404, "GET", "bad", "")
	p.must(400, "PUT", "bad", `{"properties":`)
	p.must(400, "PUT", "bad", `{"properties":{"trafficRoutingMethod":"Priority","dnsConfig":{"relativeName":"bad","ttl":"long"}}}`)
	p.must(400, "PUT", "bad", `{"location":"westeurope","properties":{"trafficRoutingMethod":"Priority","dnsConfig":{"relativeName":"bad"}}}`)
}

func TestNestingIsChecked(t *testing.T) {
	p := newPlane(t, nil)
	nested := func(name, child string) string {
		return fmt.Sprintf(`{"properties":{"trafficRoutingMethod":"Priority","dnsConfig":{"relativeName":"%s"},"endpoints":[{"name":"n","type":"x/nestedEndpoints","properties":{"targetResourceId":"%s"}}]}}`, name, profilesPath+child)
	}
	p.must(201, "PUT", "p0", fmt.Sprintf(minimal, "n0"))
	for i := 1; i < maxNesting; i++ {
		p.must(201, "PUT", fmt.Sprintf("p%d", i), nested(fmt.Sprintf("n%d", i), fmt.Sprintf("P%d", i-1)))
	}
	p.must(400, "PUT", "p10", nested("n10", "p9")) // too deep
	loop := p.must(400, "PUT", "p0", nested("n0", "p3"))
	if !strings.Contains(fmt.Sprint(dig(loop, "error", "message")), "loop") {
		t.Errorf("%v", loop)
	}
	p.must(409, "DELETE", "p0", "")
	p.must(200, "DELETE", "p9", "")
}

func TestOtherReads(t *testing.T) {
	p := newPlane(t, nil)
	tree := p.must(200, "GET", "/providers/Microsoft.Network/trafficManagerGeographicHierarchies/default", "")
	if dig(tree, "properties", "geographicHierarchy", "code") != "WORLD" || len(dig(tree, "properties", "geographicHierarchy", "regions").([]any)) != 7 {
		t.Errorf("%v", dig(tree, "properties", "geographicHierarchy", "code"))
	}
	key := "/subscriptions/00000000-0000-0000-0000-000000000001/providers/Microsoft.Network/trafficManagerUserMetricsKeys/default"
	p.must(404, "GET", key, "")
	made := p.must(201, "PUT", key, "")
	if got := p.must(200, "GET", key, ""); dig(got, "properties", "key") != dig(made, "properties", "key") || len(fmt.Sprint(dig(got, "properties", "key"))) != 32 {
		t.Errorf("%v, made %v", got, made)
	}
	p.must(200, "DELETE", key, "")
	p.must(201, "PUT", "p1", fmt.Sprintf(minimal, "heat"))
	p.must(404, "GET", "p1/heatMaps/default", "")
	p.must(200, "PATCH", "p1", `{"properties":{"trafficViewEnrollmentStatus":"Enabled"}}`)
	if got := p.must(200, "GET", "p1/heatMaps/default", ""); dig(got, "properties", "trafficFlows") == nil {
		t.Errorf("%v", got)
	}
}

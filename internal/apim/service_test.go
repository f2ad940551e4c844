package apim_test

import (
	"strings"
	"testing"
	"time"
)

// TestServiceCertificates: the certificates of hostnames rest sealed, are never shown, and survive a PUT without them.
func TestServiceCertificates(t *testing.T) {
	p := withService(t)
	pfx := testPFX(t)
	body := func(certificate string) string {
		return `{"location":"West Europe","sku":{"name":"Standard","capacity":1},"properties":{"publisherEmail":"a@contoso.test","publisherName":"C","hostnameConfigurations":[{"Type":"Proxy","HostName":"api.contoso.test"` + certificate + `}]}}`
	}
	p.must("PUT", root, body(`,"encodedCertificate":"`+pfx+`","certificatePassword":"secret"`))
	check := func(when string) {
		t.Helper()
		_, raw, _ := p.do("GET", root, "", nil)
		if strings.Contains(string(raw), pfx[:40]) || strings.Contains(string(raw), `"secret"`) {
			t.Errorf("%s: the certificate is shown", when)
		}
		if got := at(decode(t, raw), "properties", "hostnameConfigurations", 1, "certificate", "subject"); got != "CN=client.test" {
			t.Errorf("%s: subject %v", when, got)
		}
		l, err := p.store.List(t.Context(), "", storeAll)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range l.Documents {
			if strings.Contains(string(d.Value), pfx[:40]) {
				t.Errorf("%s: %s rests with the certificate in clear", when, d.Key)
			}
		}
		recs, err := p.provider.Records(t.Context())
		if err != nil || at(recs[0].Properties, "hostnameConfigurations", 0, "encodedCertificate") != pfx {
			t.Errorf("%s: the gateway does not get the certificate (%v)", when, err)
		}
	}
	check("after PUT")
	p.must("PUT", root, body(""))
	check("after PUT without it")
	p.must("PATCH", root, `{"tags":{"a":"b"}}`)
	check("after PATCH")
	p.fails("PUT", root, body(`,"encodedCertificate":"AAAA","certificatePassword":"x"`), 400, "ValidationError", "hostnameConfigurations.encodedCertificate")
}

func TestServiceLifecycle(t *testing.T) {
	p := withService(t)
	p.must("PUT", "tags/blue", `{"properties":{"displayName":"Blue"}}`)
	p.fails("PATCH", root, `{"sku":{"name":"Standard","capacity":9}}`, 400, "ValidationError", "1 to 4 units")
	p.fails("PATCH", root, `{"sku":{"name":"Gold"}}`, 400, "ValidationError", "tier")
	p.fails("PUT", root, `{"location":"East US","sku":{"name":"Standard","capacity":1},"properties":{"publisherEmail":"a@c.test","publisherName":"C"}}`, 409, "InvalidResourceLocation")
	_, _, h := p.do("DELETE", root, "", nil)
	p.ops.settle()
	if link := h.Get("Location"); link == "" || h.Get("Azure-AsyncOperation") == "" {
		t.Errorf("headers %v", h)
	}
	p.fails("GET", root, "", 404, "ResourceNotFound")
	p.fails("GET", "tags/blue", "", 404, "ResourceNotFound")
	again := `{"location":"West Europe","sku":{"name":"Standard","capacity":1},"properties":{"publisherEmail":"a@c.test","publisherName":"C"%s}}`
	p.fails("PUT", root, strings.Replace(again, "%s", "", 1), 409, "ServiceAlreadyExistsInSoftDeletedState")
	p.must("PUT", root, strings.Replace(again, "%s", `,"restore":true`, 1))
	p.must("GET", "tags/blue", "")
	p.must("DELETE", root, "")
	p.ops.settle()
	deleted := "/subscriptions/" + subscription + "/providers/Microsoft.ApiManagement/locations/westeurope/deletedservices/" + serviceName
	p.must("GET", deleted, "")
	p.must("DELETE", deleted, "")
	p.fails("GET", deleted, "", 404, "ServiceNotFound")
	l, err := p.store.List(t.Context(), "", storeAll)
	if err != nil || len(l.Documents) != 0 {
		t.Errorf("the purge left %d documents (%v)", len(l.Documents), err)
	}
}

// TestDeletedServicesExpire: after 48 hours a deleted service is gone, and its name is free.
func TestDeletedServicesExpire(t *testing.T) {
	p := withService(t)
	p.must("DELETE", root, "")
	p.ops.settle()
	name := "/subscriptions/" + subscription + "/providers/Microsoft.ApiManagement/checkNameAvailability"
	if got := at(p.must("POST", name, `{"name":"contoso"}`), "nameAvailable"); got != false {
		t.Errorf("the name of a deleted service is available: %v", got)
	}
	p.clock.ahead.Store(int64(49 * time.Hour))
	if got := at(p.must("POST", name, `{"name":"contoso"}`), "nameAvailable"); got != true {
		t.Errorf("after 48 hours: %v", got)
	}
	p.create()
}

// TestExportLinksExpire: the link of an export lives for five minutes.
func TestExportLinksExpire(t *testing.T) {
	p := withService(t)
	p.must("PUT", "apis/pets", importBody("openapi", petsYAML))
	link := at(p.must("GET", "apis/pets?export=true&format=openapi-link", ""), "value", "link").(string)
	for minutes, want := range map[int]int{4: 200, 6: 403} {
		p.clock.ahead.Store(int64(time.Duration(minutes) * time.Minute))
		resp, err := p.server.Client().Get(link)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("after %d minutes: %d", minutes, resp.StatusCode)
		}
	}
}

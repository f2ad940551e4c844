package resources_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/arm/auditlog"
	"tandem/internal/resources"
)

// TestActivityLog reads an audit log as Azure Monitor's clients do: az's filters, pages, select, and who may.
func TestActivityLog(t *testing.T) {
	kept, err := auditlog.Open(auditlog.Config{Dir: t.TempDir(), Node: "west", Clock: tandem.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	defer func() { check(t, kept.Close()) }()
	start := time.Date(2026, 5, 1, 10, 0, 0, 123456700, time.UTC)
	const service = sub + "/resourceGroups/rg1/providers/Microsoft.ApiManagement/service/contoso"
	write := func(n int, r arm.AuditRecord) {
		r.Time, r.RequestID, r.Remote = start.Add(time.Duration(n)*time.Minute), fmt.Sprintf("00000000-0000-4000-8000-%012d", n), "192.0.2.7:4711"
		r.Principal.ObjectID = "11111111-0000-4000-8000-000000000001"
		kept.Audit(t.Context(), r)
	}
	write(0, arm.AuditRecord{Method: "PUT", Path: service, Scope: service, Action: "Microsoft.ApiManagement/service/write", Status: 201, CorrelationID: "corr-1"})
	write(1, arm.AuditRecord{Method: "POST", Path: service + "/backup", Scope: service, Action: "Microsoft.ApiManagement/service/backup/action", Status: 202})
	write(2, arm.AuditRecord{Method: "DELETE", Path: sub + "/resourceGroups/rg2", Scope: sub + "/resourceGroups/rg2", Action: "Microsoft.Resources/subscriptions/resourceGroups/delete", Status: 403, Code: "AuthorizationFailed"})
	write(3, arm.AuditRecord{Method: "PUT", Path: "/subscriptions/other/resourceGroups/rg1", Scope: "/subscriptions/other/resourceGroups/rg1", Action: "x/write", Status: 200})
	for n := 4; n < 500; n++ {
		write(n, arm.AuditRecord{Method: "PUT", Path: service + "/tags/t", Scope: service + "/tags/t", Action: "Microsoft.ApiManagement/service/tags/write", Status: 200})
	}
	w := newWorld(t, resources.NewActivityLog(kept.Entries))
	c := w.caller()
	const at = sub + "/providers/microsoft.insights/eventtypes/management/values?api-version=2015-04-01"
	get := func(path string) (events []map[string]any, next string) {
		t.Helper()
		status, _, body := c.do("GET", path, "")
		var list struct {
			Value    []map[string]any
			NextLink string
		}
		if err := json.Unmarshal([]byte(body), &list); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, body)
		}
		return list.Value, list.NextLink
	}
	count := func(path string) (n int) {
		t.Helper()
		seen := map[any]bool{}
		for path != "" {
			var events []map[string]any
			events, path = get(path)
			for _, e := range events {
				if seen[e["id"]] {
					t.Fatalf("%v comes twice", e["id"])
				}
				seen[e["id"]] = true
			}
		}
		return len(seen)
	}
	if n := count(at); n != 499 {
		t.Errorf("the subscription has %d events, want 499", n)
	}
	for filter, want := range map[string]int{
		// as az 2.45 writes it: times bare and without a zone
		"eventTimestamp ge 2026-05-01T10:00:00 and eventTimestamp le 2026-05-01T10:02:30.5":                                         3,
		"eventTimestamp ge 2026-05-01T10:00:00 and eventTimestamp le 2026-05-01T10:09:00 and correlationId eq 'CORR-1'":             1,
		"eventTimestamp ge 2026-05-01T10:00:00 and eventTimestamp le 2026-05-02T00:00:00 and resourceGroupName eq 'RG2'":            1,
		"eventTimestamp ge 2026-05-01T10:00:00 and eventTimestamp le 2026-05-02T00:00:00 and resourceId eq '" + service + "'":       2,
		"eventTimestamp ge 2026-05-01T10:00:00 and eventTimestamp le 2026-05-02T00:00:00 and resourceProvider eq 'Microsoft.Other'": 0,
		"eventTimestamp ge 2026-05-01T10:00:00 and eventTimestamp le 2026-05-02T00:00:00 and status eq 'Failed'":                    1,
		// as the portal and PowerShell write it
		"eventTimestamp ge '2026-05-01T10:00:00Z' and eventTimestamp le '2026-05-01T10:01:59Z' and eventChannels eq 'Admin, Operation' and resourceUri eq '" + service + "'": 2,
		"caller eq '11111111-0000-4000-8000-000000000001' and eventTimestamp le '2026-05-01T10:02:59Z' and levels eq 'Warning'":                                              1,
	} {
		if n := count(at + "&$filter=" + url.QueryEscape(filter)); n != want {
			t.Errorf("%s: %d events, want %d", filter, n, want)
		}
	}
	events, _ := get(at + "&$filter=" + url.QueryEscape("eventTimestamp le '2026-05-01T10:00:59Z'"))
	if len(events) != 1 {
		t.Fatalf("%d events of the first minute", len(events))
	}
	e := events[0]
	for name, want := range map[string]string{"eventTimestamp": "2026-05-01T10:00:00.1234567Z", "resourceId": service, "resourceGroupName": "rg1", "caller": "11111111-0000-4000-8000-000000000001",
		"correlationId": "corr-1", "level": "Informational", "subscriptionId": subscriptionID} {
		if e[name] != want {
			t.Errorf("%s is %v, want %s", name, e[name], want)
		}
	}
	for name, want := range map[string]string{"operationName": "Microsoft.ApiManagement/service/write", "status": "Succeeded", "resourceProviderName": "Microsoft.ApiManagement", "category": "Administrative"} {
		if v, _ := e[name].(map[string]any); v["value"] != want || v["localizedValue"] != want {
			t.Errorf("%s is %v, want %s", name, e[name], want)
		}
	}
	if h, _ := e["httpRequest"].(map[string]any); h["clientIpAddress"] != "192.0.2.7" || h["method"] != "PUT" {
		t.Errorf("the request is %v", h)
	}
	if id, _ := e["id"].(string); !strings.HasSuffix(id, "/ticks/639132264001234567") {
		t.Errorf("the id is %s", id)
	}
	if few, _ := get(at + "&$select=" + url.QueryEscape("eventTimestamp , caller")); len(few[0]) != 2 {
		t.Errorf("selected are %v", few[0])
	}
	c.run([]step{
		{"GET", at + "&$filter=" + url.QueryEscape("color eq 'red'"), "", 400, "color"},
		{"GET", at + "&$skipToken=bm8", "", 400, "InvalidSkipToken"},
		{"GET", "/providers/Microsoft.Insights/eventcategories?api-version=2015-04-01", "", 200, "Administrative"},
		{"GET", sub + "/providers/Microsoft.Insights" + v, "", 200, "eventtypes"},
	})
	stranger, err := w.directory.EnsureServicePrincipal(t.Context(), tenantID, "stranger")
	check(t, err)
	w.owner = stranger
	if status, _, body := w.caller().do("GET", at, ""); status != http.StatusForbidden || !strings.Contains(body, "Microsoft.Insights/eventtypes/values/read") {
		t.Errorf("a caller without a role gets %d %s", status, body)
	}
}

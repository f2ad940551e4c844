// Package v3 lives a service's life through Azure's own Go clients, in both styles of long-running operations.
package v3

//go:generate sh ../generate.sh

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"tandem-clients/world"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	apim "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/trafficmanager/armtrafficmanager"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
)

// quick polls often; the answers' Retry-After is longer and is kept to.
var quick = &runtime.PollUntilDoneOptions{Frequency: 50 * time.Millisecond}

// scenario is one service's life; its steps build on each other.
type scenario struct {
	*world.World
	style world.Style
	name  string // of the service and of its resource group
	cred  azcore.TokenCredential
	apim  *apim.ClientFactory
	group *armresources.ResourceGroupsClient

	gateway string
	key     string
}

func TestBothHeaders(t *testing.T)  { live(t, world.Both, "both") }
func TestLocationOnly(t *testing.T) { live(t, world.LocationOnly, "location") }

func live(t *testing.T, style world.Style, short string) {
	s := &scenario{World: world.Open(t), style: style, name: "clients-go-" + sdk + "-" + short}
	var err error
	s.cred, err = s.Credential(s.ClientSecret)
	must(t, err)
	s.apim, err = apim.NewClientFactory(s.SubscriptionID, s.cred, s.Options(style))
	must(t, err)
	s.group, err = armresources.NewResourceGroupsClient(s.SubscriptionID, s.cred, s.Options(style))
	must(t, err)
	defer s.tidy(t)
	for _, step := range []struct {
		name string
		do   func(*testing.T)
	}{{"sign-in", s.signIn}, {"resource-group", s.resourceGroup}, {"roles", s.roles}, {"service", s.service}, {"name-check", s.nameCheck}, {"named-values", s.namedValues}, {"api-import", s.importAPI},
		{"operations", s.operations}, {"policies", s.policies}, {"revisions-releases", s.revisions}, {"product-links", s.products}, {"subscription-keys", s.subscriptionKeys},
		{"gateway-call", s.callGateway}, {"tags-version-sets", s.tags}, {"backup-restore", s.backupRestore}, {"traffic", s.traffic}, {"storage-blob", s.blobs}, {"delete", s.remove}, {"soft-delete", s.softDelete}} {
		t.Run(step.name, step.do)
	}
}

// tidy removes what a failed step left.
func (s *scenario) tidy(t *testing.T) {
	p, err := s.group.BeginDelete(context.WithoutCancel(t.Context()), s.name, nil)
	if err == nil {
		_, err = p.PollUntilDone(context.WithoutCancel(t.Context()), quick)
	}
	if err != nil && status(err) != http.StatusNotFound {
		t.Error(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func status(err error) int {
	var e *azcore.ResponseError
	if errors.As(err, &e) {
		return e.StatusCode
	}
	return 0
}

func wantError(t *testing.T, err error, code int, word string) {
	t.Helper()
	var e *azcore.ResponseError
	if !errors.As(err, &e) || e.StatusCode != code || (word != "" && e.ErrorCode != word) {
		t.Errorf("answered %v, want %d %s", err, code, word)
	}
}

// done waits for a long-running operation.
func done[T any](t *testing.T) func(*runtime.Poller[T], error) T {
	return func(p *runtime.Poller[T], err error) T {
		t.Helper()
		must(t, err)
		out, err := p.PollUntilDone(t.Context(), quick)
		must(t, err)
		return out
	}
}

// count adds up what a function counts on each page.
func count[T any](t *testing.T, p *runtime.Pager[T], of func(T) int) (n int) {
	t.Helper()
	for p.More() {
		page, err := p.NextPage(t.Context())
		must(t, err)
		n += of(page)
	}
	return n
}

func is[T comparable](t *testing.T, what string, got *T, want T) {
	t.Helper()
	if got == nil {
		t.Errorf("%s is absent, want %v", what, want)
	} else if *got != want {
		t.Errorf("%s is %v, want %v", what, *got, want)
	}
}

func fixture(t *testing.T, name string) *string {
	t.Helper()
	b, err := os.ReadFile("../../fixtures/" + name)
	must(t, err)
	return to.Ptr(string(b))
}

func (s *scenario) scope() string {
	return "/subscriptions/" + s.SubscriptionID + "/resourceGroups/" + s.name
}

func (s *scenario) id(path string) string {
	return s.scope() + "/providers/Microsoft.ApiManagement/service/" + s.name + path
}

func (s *scenario) signIn(t *testing.T) {
	scope := policy.TokenRequestOptions{Scopes: []string{s.ARMAudience + "/.default"}}
	if _, err := s.cred.GetToken(t.Context(), scope); err != nil {
		t.Error(err)
	}
	wrong, err := s.Credential("wrong")
	must(t, err)
	if _, err := wrong.GetToken(t.Context(), scope); err == nil || !strings.Contains(err.Error(), "AADSTS7000215") {
		t.Errorf("a wrong secret answers %v", err)
	}
}

func (s *scenario) resourceGroup(t *testing.T) {
	made, err := s.group.CreateOrUpdate(t.Context(), s.name, armresources.ResourceGroup{Location: &s.Location, Tags: map[string]*string{"of": to.Ptr("clients")}}, nil)
	must(t, err)
	is(t, "provisioningState", made.Properties.ProvisioningState, "Succeeded")
	for name, want := range map[string]bool{s.name: true, "absent": false} {
		got, err := s.group.CheckExistence(t.Context(), name, nil)
		must(t, err)
		if got.Success != want {
			t.Errorf("%s exists: %v", name, got.Success)
		}
	}
	_, err = s.group.Get(t.Context(), "absent", nil)
	wantError(t, err, 404, "ResourceGroupNotFound")
}

func (s *scenario) roles(t *testing.T) {
	definitions, err := armauthorization.NewRoleDefinitionsClient(s.cred, s.Options(s.style))
	must(t, err)
	page, err := definitions.NewListPager(s.scope(), &armauthorization.RoleDefinitionsClientListOptions{Filter: to.Ptr("roleName eq 'Reader'")}).NextPage(t.Context())
	must(t, err)
	if len(page.Value) != 1 {
		t.Fatalf("%d definitions of Reader", len(page.Value))
	}
	assignments, err := armauthorization.NewRoleAssignmentsClient(s.SubscriptionID, s.cred, s.Options(s.style))
	must(t, err)
	const name = "0a54e0b1-2f7a-4a66-a3f0-6a5d8f1c1a11"
	made, err := assignments.Create(t.Context(), s.scope(), name, armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
		RoleDefinitionID: page.Value[0].ID, PrincipalID: &s.Automation.ClientObjectID, PrincipalType: to.Ptr(armauthorization.PrincipalTypeServicePrincipal)}}, nil)
	must(t, err)
	is(t, "principalId", made.Properties.PrincipalID, s.Automation.ClientObjectID)
	here := func() int {
		return count(t, assignments.NewListForScopePager(s.scope(), nil), func(p armauthorization.RoleAssignmentsClientListForScopeResponse) (n int) {
			for _, a := range p.Value {
				if *a.Name == name {
					n++
				}
			}
			return n
		})
	}
	if here() != 1 {
		t.Error("the assignment is not listed")
	}
	_, err = assignments.Delete(t.Context(), s.scope(), name, nil)
	must(t, err)
	if here() != 0 {
		t.Error("the assignment is listed after it was deleted")
	}
}

func (s *scenario) service(t *testing.T) {
	c := s.apim.NewServiceClient()
	free, err := c.CheckNameAvailability(t.Context(), apim.ServiceCheckNameAvailabilityParameters{Name: &s.name}, nil)
	must(t, err)
	is(t, "nameAvailable", free.NameAvailable, true)
	poller, err := c.BeginCreateOrUpdate(t.Context(), s.name, s.name, apim.ServiceResource{Location: &s.Location,
		SKU:        &apim.ServiceSKUProperties{Name: to.Ptr(apim.SKUTypeDeveloper), Capacity: to.Ptr[int32](1)},
		Properties: &apim.ServiceProperties{PublisherEmail: to.Ptr("a@clients.example"), PublisherName: to.Ptr("Clients")}}, nil)
	must(t, err)
	token, err := poller.ResumeToken() // another process may go on waiting
	must(t, err)
	made := done[apim.ServiceClientCreateOrUpdateResponse](t)(c.BeginCreateOrUpdate(t.Context(), s.name, s.name, apim.ServiceResource{}, &apim.ServiceClientBeginCreateOrUpdateOptions{ResumeToken: token}))
	is(t, "provisioningState", made.Properties.ProvisioningState, "Succeeded")
	done[apim.ServiceClientUpdateResponse](t)(c.BeginUpdate(t.Context(), s.name, s.name, apim.ServiceUpdateParameters{Tags: map[string]*string{"a": to.Ptr("b")}, Properties: &apim.ServiceUpdateProperties{PublisherName: to.Ptr("Clients of Go")}}, nil))
	shown, err := c.Get(t.Context(), s.name, s.name, nil)
	must(t, err)
	is(t, "publisherName", shown.Properties.PublisherName, "Clients of Go")
	is(t, "tag", shown.Tags["a"], "b")
	s.gateway = *shown.Properties.GatewayURL
	if n := count(t, c.NewListByResourceGroupPager(s.name, nil), func(p apim.ServiceClientListByResourceGroupResponse) int { return len(p.Value) }); n != 1 {
		t.Errorf("%d services in the group", n)
	}
	if n := count(t, c.NewListPager(nil), func(p apim.ServiceClientListResponse) int { return len(p.Value) }); n < 3 {
		t.Errorf("%d services in the subscription", n)
	}
	_, err = c.Get(t.Context(), s.name, "absent", nil)
	wantError(t, err, 404, "ResourceNotFound")
}

func (s *scenario) nameCheck(t *testing.T) {
	for _, taken := range []string{"apim-primary", "apim-dr"} {
		a, err := s.apim.NewServiceClient().CheckNameAvailability(t.Context(), apim.ServiceCheckNameAvailabilityParameters{Name: &taken}, nil)
		must(t, err)
		is(t, "nameAvailable of "+taken, a.NameAvailable, false)
	}
}

func (s *scenario) namedValues(t *testing.T) {
	c := s.apim.NewNamedValueClient()
	for name, p := range map[string]apim.NamedValueCreateContractProperties{
		"greeting-plain": {DisplayName: to.Ptr("greeting-plain"), Value: to.Ptr("plain")},
		"hidden":         {DisplayName: to.Ptr("hidden"), Value: to.Ptr("not to be seen"), Secret: to.Ptr(true), Tags: []*string{to.Ptr("t")}}} {
		done[apim.NamedValueClientCreateOrUpdateResponse](t)(c.BeginCreateOrUpdate(t.Context(), s.name, s.name, name, apim.NamedValueCreateContract{Properties: &p}, nil))
	}
	hidden, err := c.Get(t.Context(), s.name, s.name, "hidden", nil)
	must(t, err)
	if hidden.Properties.Value != nil {
		t.Error("a secret is shown")
	}
	told, err := c.ListValue(t.Context(), s.name, s.name, "hidden", nil)
	must(t, err)
	is(t, "the secret", told.Value, "not to be seen")
	done[apim.NamedValueClientUpdateResponse](t)(c.BeginUpdate(t.Context(), s.name, s.name, "greeting-plain", "*", apim.NamedValueUpdateParameters{Properties: &apim.NamedValueUpdateParameterProperties{Value: to.Ptr("changed")}}, nil))
	changed, err := c.Get(t.Context(), s.name, s.name, "greeting-plain", nil)
	must(t, err)
	is(t, "value", changed.Properties.Value, "changed")
	tag, err := c.GetEntityTag(t.Context(), s.name, s.name, "greeting-plain", nil)
	must(t, err)
	if !tag.Success || tag.ETag == nil {
		t.Error("HEAD gives no ETag")
	}
	_, err = c.Delete(t.Context(), s.name, s.name, "greeting-plain", `"stale"`, nil)
	wantError(t, err, 412, "")
	if n := count(t, c.NewListByServicePager(s.name, s.name, &apim.NamedValueClientListByServiceOptions{Filter: to.Ptr("startswith(name,'hid')")}), func(p apim.NamedValueClientListByServiceResponse) int { return len(p.Value) }); n != 1 {
		t.Errorf("the filter finds %d, want 1", n)
	}
}

func (s *scenario) importAPI(t *testing.T) {
	c := s.apim.NewAPIClient()
	made := done[apim.APIClientCreateOrUpdateResponse](t)(c.BeginCreateOrUpdate(t.Context(), s.name, s.name, "greeting", apim.APICreateOrUpdateParameter{Properties: &apim.APICreateOrUpdateProperties{
		Format: to.Ptr(apim.ContentFormatOpenapiJSON), Value: fixture(t, "greeting.json"), Path: to.Ptr("greeting"), Protocols: []*apim.Protocol{to.Ptr(apim.ProtocolHTTPS)}}}, nil))
	is(t, "displayName", made.Properties.DisplayName, "Greeting")
	is(t, "isCurrent", made.Properties.IsCurrent, true)
	export, err := s.apim.NewAPIExportClient().Get(t.Context(), s.name, s.name, "greeting", apim.ExportFormatOpenapiJSON, apim.ExportAPITrue, nil)
	must(t, err)
	if export.Value == nil || export.Value.Link == nil || !strings.HasPrefix(*export.Value.Link, "https://") {
		t.Errorf("the export has no link: %+v", export)
	}
	_, err = c.BeginCreateOrUpdate(t.Context(), s.name, s.name, "broken", apim.APICreateOrUpdateParameter{Properties: &apim.APICreateOrUpdateProperties{Format: to.Ptr(apim.ContentFormatOpenapiJSON), Value: to.Ptr("{"), Path: to.Ptr("broken")}}, nil)
	wantError(t, err, 400, "ValidationError")
}

func (s *scenario) operations(t *testing.T) {
	c := s.apim.NewAPIOperationClient()
	if n := count(t, c.NewListByAPIPager(s.name, s.name, "greeting", nil), func(p apim.APIOperationClientListByAPIResponse) int { return len(p.Value) }); n != 2 {
		t.Errorf("%d operations were imported, want 2", n)
	}
	_, err := c.CreateOrUpdate(t.Context(), s.name, s.name, "greeting", "wave", apim.OperationContract{Properties: &apim.OperationContractProperties{DisplayName: to.Ptr("Wave"), Method: to.Ptr("POST"), URLTemplate: to.Ptr("/wave/{hand}"),
		TemplateParameters: []*apim.ParameterContract{{Name: to.Ptr("hand"), Type: to.Ptr("string"), Required: to.Ptr(true)}}}}, nil)
	must(t, err)
	_, err = c.Update(t.Context(), s.name, s.name, "greeting", "wave", "*", apim.OperationUpdateContract{Properties: &apim.OperationUpdateContractProperties{DisplayName: to.Ptr("Wave back")}}, nil)
	must(t, err)
	shown, err := c.Get(t.Context(), s.name, s.name, "greeting", "wave", nil)
	must(t, err)
	is(t, "displayName", shown.Properties.DisplayName, "Wave back")
	_, err = c.Delete(t.Context(), s.name, s.name, "greeting", "wave", "*", nil)
	must(t, err)
	_, err = c.Get(t.Context(), s.name, s.name, "greeting", "wave", nil)
	wantError(t, err, 404, "")
}

func (s *scenario) policies(t *testing.T) {
	put := func(value *string) error {
		_, err := s.apim.NewAPIOperationPolicyClient().CreateOrUpdate(t.Context(), s.name, s.name, "greeting", "say-hello", apim.PolicyIDNamePolicy, apim.PolicyContract{Properties: &apim.PolicyContractProperties{Format: to.Ptr(apim.PolicyContentFormatRawxml), Value: value}}, nil)
		return err
	}
	must(t, put(fixture(t, "greeting.xml")))
	s.keepsPolicy(t)
	wantError(t, put(to.Ptr("<policies><inbound><no-such /></inbound></policies>")), 400, "ValidationError")
	_, err := s.apim.NewAPIPolicyClient().CreateOrUpdate(t.Context(), s.name, s.name, "greeting", apim.PolicyIDNamePolicy, apim.PolicyContract{Properties: &apim.PolicyContractProperties{Format: to.Ptr(apim.PolicyContentFormatXML),
		Value: to.Ptr("<policies><inbound><base /></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>")}}, nil)
	must(t, err)
}

func (s *scenario) keepsPolicy(t *testing.T) {
	t.Helper()
	raw, err := s.apim.NewAPIOperationPolicyClient().Get(t.Context(), s.name, s.name, "greeting", "say-hello", apim.PolicyIDNamePolicy, &apim.APIOperationPolicyClientGetOptions{Format: to.Ptr(apim.PolicyExportFormatRawxml)})
	must(t, err)
	if raw.Properties.Value == nil || !strings.Contains(*raw.Properties.Value, `"good day "`) {
		t.Errorf("the policy reads back as %v", raw.Properties.Value)
	}
}

func (s *scenario) revisions(t *testing.T) {
	made := done[apim.APIClientCreateOrUpdateResponse](t)(s.apim.NewAPIClient().BeginCreateOrUpdate(t.Context(), s.name, s.name, "greeting;rev=2", apim.APICreateOrUpdateParameter{Properties: &apim.APICreateOrUpdateProperties{
		SourceAPIID: to.Ptr(s.id("/apis/greeting")), Path: to.Ptr("greeting"), APIRevisionDescription: to.Ptr("second")}}, nil))
	is(t, "apiRevision", made.Properties.APIRevision, "2")
	if n := count(t, s.apim.NewAPIRevisionClient().NewListByServicePager(s.name, s.name, "greeting", nil), func(p apim.APIRevisionClientListByServiceResponse) int { return len(p.Value) }); n != 2 {
		t.Errorf("%d revisions, want 2", n)
	}
	_, err := s.apim.NewAPIReleaseClient().CreateOrUpdate(t.Context(), s.name, s.name, "greeting", "r2", apim.APIReleaseContract{Properties: &apim.APIReleaseContractProperties{APIID: to.Ptr(s.id("/apis/greeting;rev=2")), Notes: to.Ptr("second is current")}}, nil)
	must(t, err)
	current, err := s.apim.NewAPIClient().Get(t.Context(), s.name, s.name, "greeting", nil)
	must(t, err)
	is(t, "the current revision", current.Properties.APIRevision, "2")
	s.keepsPolicy(t)
}

func (s *scenario) products(t *testing.T) {
	_, err := s.apim.NewProductClient().CreateOrUpdate(t.Context(), s.name, s.name, "gold", apim.ProductContract{Properties: &apim.ProductContractProperties{DisplayName: to.Ptr("Gold"), State: to.Ptr(apim.ProductStatePublished), SubscriptionRequired: to.Ptr(true)}}, nil)
	must(t, err)
	t.Cleanup(func() { // later steps need the API in the product, whatever becomes of the link
		_, err := s.apim.NewProductAPIClient().CreateOrUpdate(context.WithoutCancel(t.Context()), s.name, s.name, "gold", "greeting", nil)
		if err != nil {
			t.Error(err)
		}
	})
	s.linkAPI(t, "gold", "greeting")
	_, err = s.apim.NewProductClient().Update(t.Context(), s.name, s.name, "gold", "*", apim.ProductUpdateParameters{Properties: &apim.ProductUpdateProperties{Description: to.Ptr("for those who greet")}}, nil)
	must(t, err)
}

func (s *scenario) subscriptionKeys(t *testing.T) {
	c := s.apim.NewSubscriptionClient()
	_, err := c.CreateOrUpdate(t.Context(), s.name, s.name, "caller", apim.SubscriptionCreateParameters{Properties: &apim.SubscriptionCreateParameterProperties{DisplayName: to.Ptr("Caller"), Scope: to.Ptr(s.id("/products/gold")), State: to.Ptr(apim.SubscriptionStateActive)}}, nil)
	must(t, err)
	shown, err := c.Get(t.Context(), s.name, s.name, "caller", nil)
	must(t, err)
	if shown.Properties.PrimaryKey != nil {
		t.Error("a key is shown")
	}
	first, err := c.ListSecrets(t.Context(), s.name, s.name, "caller", nil)
	must(t, err)
	_, err = c.RegeneratePrimaryKey(t.Context(), s.name, s.name, "caller", nil)
	must(t, err)
	_, err = c.RegenerateSecondaryKey(t.Context(), s.name, s.name, "caller", nil)
	must(t, err)
	second, err := c.ListSecrets(t.Context(), s.name, s.name, "caller", nil)
	must(t, err)
	if *first.PrimaryKey == *second.PrimaryKey || *first.SecondaryKey == *second.SecondaryKey {
		t.Error("regenerating left a key as it was")
	}
	s.key = *second.PrimaryKey
}

func (s *scenario) callGateway(t *testing.T) {
	a, err := s.Call(t.Context(), s.gateway+"/greeting/hello/Ada", s.key, 200)
	if err != nil || a.Status != 200 || a.Body != "good day Ada" || a.Header.Get("X-Greeting") != "changed" {
		t.Errorf("with the key: %d %q %q %v", a.Status, a.Body, a.Header.Get("X-Greeting"), err)
	}
	if a, err := s.Call(t.Context(), s.gateway+"/greeting/hello/Ada", "", 401); err != nil || a.Status != 401 {
		t.Errorf("without it: %d %v", a.Status, err)
	}
}

func (s *scenario) tags(t *testing.T) {
	c := s.apim.NewTagClient()
	_, err := c.CreateOrUpdate(t.Context(), s.name, s.name, "warm", apim.TagCreateUpdateParameters{Properties: &apim.TagContractProperties{DisplayName: to.Ptr("warm")}}, nil)
	must(t, err)
	_, err = c.AssignToAPI(t.Context(), s.name, s.name, "greeting", "warm", nil)
	must(t, err)
	if n := count(t, c.NewListByAPIPager(s.name, s.name, "greeting", nil), func(p apim.TagClientListByAPIResponse) int { return len(p.Value) }); n != 1 {
		t.Errorf("%d tags of the API, want 1", n)
	}
	sets := s.apim.NewAPIVersionSetClient()
	_, err = sets.CreateOrUpdate(t.Context(), s.name, s.name, "greetings", apim.APIVersionSetContract{Properties: &apim.APIVersionSetContractProperties{DisplayName: to.Ptr("Greetings"), VersioningScheme: to.Ptr(apim.VersioningSchemeSegment)}}, nil)
	must(t, err)
	done[apim.APIClientCreateOrUpdateResponse](t)(s.apim.NewAPIClient().BeginCreateOrUpdate(t.Context(), s.name, s.name, "greeting-v2", apim.APICreateOrUpdateParameter{Properties: &apim.APICreateOrUpdateProperties{DisplayName: to.Ptr("Greeting 2"),
		Path: to.Ptr("greetings"), APIVersion: to.Ptr("v2"), APIVersionSetID: to.Ptr(s.id("/apiVersionSets/greetings")), Protocols: []*apim.Protocol{to.Ptr(apim.ProtocolHTTPS)}}}, nil))
	_, err = sets.Delete(t.Context(), s.name, s.name, "greetings", "*", nil)
	wantError(t, err, 400, "")
	must(t, deleteAPI(t.Context(), s.apim, s.name, s.name, "greeting-v2"))
	_, err = sets.Delete(t.Context(), s.name, s.name, "greetings", "*", nil)
	must(t, err)
}

func (s *scenario) backupRestore(t *testing.T) {
	c := s.apim.NewServiceClient()
	where := apim.ServiceBackupRestoreParameters{StorageAccount: &s.Storage.Account, ContainerName: &s.Storage.Container, BackupName: to.Ptr(s.name + ".backup"), AccessType: to.Ptr(apim.AccessTypeAccessKey), AccessKey: &s.Storage.Key}
	from := done[apim.ServiceClientBackupResponse](t)(c.BeginBackup(t.Context(), "APIMPrimaryRG", "apim-primary", where, nil))
	is(t, "what was backed up", from.Name, "apim-primary")
	into := done[apim.ServiceClientRestoreResponse](t)(c.BeginRestore(t.Context(), "APIMDRRG", "apim-dr", where, nil))
	is(t, "what was restored", into.Name, "apim-dr")
	primary, err := s.apim.NewSubscriptionClient().ListSecrets(t.Context(), "APIMPrimaryRG", "apim-primary", "parcels-client", nil)
	must(t, err)
	standby, err := s.apim.NewSubscriptionClient().ListSecrets(t.Context(), "APIMDRRG", "apim-dr", "parcels-client", nil)
	must(t, err)
	is(t, "the standby's key", standby.PrimaryKey, *primary.PrimaryKey)
	if a, err := s.Call(t.Context(), s.Gateways["apim-dr"].URL+"/parcels-api/parcels/p1", *primary.PrimaryKey, 200); err != nil || a.Status != 200 {
		t.Errorf("the standby answers %d %s %v", a.Status, a.Body, err)
	}
}

func (s *scenario) traffic(t *testing.T) {
	u, err := url.Parse(s.gateway)
	must(t, err)
	port, err := strconv.ParseInt(u.Port(), 10, 64)
	must(t, err)
	c, err := armtrafficmanager.NewClientFactory(s.SubscriptionID, s.cred, s.Options(s.style))
	must(t, err)
	made, err := c.NewProfilesClient().CreateOrUpdate(t.Context(), s.name, "greetings", armtrafficmanager.Profile{Location: to.Ptr("global"), Properties: &armtrafficmanager.ProfileProperties{
		TrafficRoutingMethod: to.Ptr(armtrafficmanager.TrafficRoutingMethodPriority), DNSConfig: &armtrafficmanager.DNSConfig{RelativeName: &s.name, TTL: to.Ptr[int64](10)},
		MonitorConfig: &armtrafficmanager.MonitorConfig{Protocol: to.Ptr(armtrafficmanager.MonitorProtocolHTTPS), Port: &port, Path: to.Ptr("/status-0123456789abcdef")}}}, nil)
	must(t, err)
	is(t, "fqdn", made.Properties.DNSConfig.Fqdn, s.name+".trafficmanager.net")
	_, err = c.NewEndpointsClient().CreateOrUpdate(t.Context(), s.name, "greetings", armtrafficmanager.EndpointTypeExternalEndpoints, "first", armtrafficmanager.Endpoint{Properties: &armtrafficmanager.EndpointProperties{
		Target: to.Ptr(u.Hostname()), Priority: to.Ptr[int64](1), EndpointStatus: to.Ptr(armtrafficmanager.EndpointStatusEnabled), AlwaysServe: to.Ptr(armtrafficmanager.AlwaysServeEnabled)}}, nil)
	must(t, err)
	addresses, err := s.Addresses(t.Context(), s.name+".trafficmanager.net")
	if err != nil || len(addresses) != 1 || addresses[0] != u.Hostname() {
		t.Errorf("DNS answers %v %v, want %s", addresses, err, u.Hostname())
	}
	_, err = c.NewEndpointsClient().Delete(t.Context(), s.name, "greetings", armtrafficmanager.EndpointTypeExternalEndpoints, "first", nil)
	must(t, err)
	_, err = c.NewProfilesClient().Delete(t.Context(), s.name, "greetings", nil)
	must(t, err)
	_, err = c.NewProfilesClient().Get(t.Context(), s.name, "greetings", nil)
	wantError(t, err, 404, "")
}

func (s *scenario) blobs(t *testing.T) {
	key, err := azblob.NewSharedKeyCredential(s.Storage.Account, s.Storage.Key)
	must(t, err)
	c, err := azblob.NewClientWithSharedKeyCredential(s.Storage.BlobURL, key, &azblob.ClientOptions{ClientOptions: policy.ClientOptions{Transport: s.HTTP}})
	must(t, err)
	_, err = c.CreateContainer(t.Context(), s.name, nil)
	must(t, err)
	body := []byte(strings.Repeat("good day ", 700_000))
	_, err = c.UploadBuffer(t.Context(), s.name, "a folder/greeting.txt", body, &blockblob.UploadBufferOptions{BlockSize: 1 << 20, Concurrency: 4, Metadata: map[string]*string{"of": to.Ptr("clients")}})
	must(t, err)
	back := make([]byte, len(body))
	n, err := c.DownloadBuffer(t.Context(), s.name, "a folder/greeting.txt", back, &blob.DownloadBufferOptions{BlockSize: 1 << 20})
	must(t, err)
	if int(n) != len(body) || string(back) != string(body) {
		t.Errorf("%d of %d bytes came back", n, len(body))
	}
	_, err = c.UploadBuffer(t.Context(), s.name, "a folder/greeting.txt", []byte("x"), &blockblob.UploadBufferOptions{AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}})
	if !bloberror.HasCode(err, bloberror.BlobAlreadyExists) {
		t.Errorf("writing what is there answers %v", err)
	}
	_, err = c.DeleteContainer(t.Context(), s.name, nil)
	must(t, err)
}

func (s *scenario) remove(t *testing.T) {
	must(t, deleteAPI(t.Context(), s.apim, s.name, s.name, "greeting"))
	_, err := s.apim.NewProductClient().Delete(t.Context(), s.name, s.name, "gold", "*", &apim.ProductClientDeleteOptions{DeleteSubscriptions: to.Ptr(true)})
	must(t, err)
	_, err = s.apim.NewSubscriptionClient().Get(t.Context(), s.name, s.name, "caller", nil)
	wantError(t, err, 404, "")
	done[apim.ServiceClientDeleteResponse](t)(s.apim.NewServiceClient().BeginDelete(t.Context(), s.name, s.name, nil))
	_, err = s.apim.NewServiceClient().Get(t.Context(), s.name, s.name, nil)
	wantError(t, err, 404, "")
}

func (s *scenario) softDelete(t *testing.T) {
	gone := s.apim.NewDeletedServicesClient()
	_, err := gone.GetByName(t.Context(), s.name, s.Location, nil)
	must(t, err)
	done[apim.DeletedServicesClientPurgeResponse](t)(gone.BeginPurge(t.Context(), s.name, s.Location, nil))
	_, err = gone.GetByName(t.Context(), s.name, s.Location, nil)
	wantError(t, err, 404, "")
}

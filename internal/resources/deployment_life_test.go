package resources_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armresources"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/identity"
	"tandem/internal/resources"
)

// slow is a provider whose things take as long as the test wants.
type slow struct {
	began   chan string
	release chan struct{}
}

func (slow) Namespace() string { return "Test.Slow" }

func (slow) Types() []arm.TypeInfo {
	return []arm.TypeInfo{{Name: "things", APIVersions: []string{"2024-01-01"}}}
}

func (s slow) Routes() []arm.Route {
	return []arm.Route{{Method: http.MethodPut, Pattern: "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Test.Slow/things/{name}", Handler: func(ctx context.Context, r *arm.Request) (*arm.Response, error) {
		s.began <- r.Params["name"]
		select {
		case <-s.release:
			return &arm.Response{Status: http.StatusCreated, Body: arm.Resource{ID: r.Path, Name: r.Params["name"], Type: "Test.Slow/things"}}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}}
}

const slowThings = `{` + schema + `, "resources": [
	{"type": "Test.Slow/things", "apiVersion": "2024-01-01", "name": "one"}, {"type": "Test.Slow/things", "apiVersion": "2024-01-01", "name": "two"},
	{"type": "Test.Slow/things", "apiVersion": "2024-01-01", "name": "three", "dependsOn": ["one", "two"]}]}`

func slowWorld(t *testing.T) (*world, *armresources.DeploymentsClient, slow) {
	t.Helper()
	s := slow{began: make(chan string, 3), release: make(chan struct{})}
	w := newWorld(t, s)
	w.resources.Serve(w.arm.Config.Handler)
	check(t, w.resources.EnsureResourceGroup(t.Context(), subscriptionID, "rg1", "centralindia"))
	c, err := armresources.NewDeploymentsClient(subscriptionID, w.credential(w.owner), w.options())
	check(t, err)
	return w, c, s
}

// TestDeploymentInParallel makes what does not wait for anything at the same time, and refuses a second deployment of the
// name meanwhile.
func TestDeploymentInParallel(t *testing.T) {
	_, c, s := slowWorld(t)
	deploy, err := c.BeginCreateOrUpdate(t.Context(), "rg1", "d", armresources.Deployment{Properties: properties(t, slowThings, `{}`)}, nil)
	check(t, err)
	if first := <-s.began + <-s.began; first != "onetwo" && first != "twoone" {
		t.Errorf("at first %s are made", first)
	}
	if _, err := c.BeginCreateOrUpdate(t.Context(), "rg1", "d", armresources.Deployment{Properties: properties(t, slowThings, `{}`)}, nil); !isCode(err, "DeploymentActive") {
		t.Errorf("a second deployment is answered with %v", err)
	}
	if _, err := c.BeginDelete(t.Context(), "rg1", "d", nil); !isCode(err, "DeploymentIsActive") {
		t.Errorf("its deletion is answered with %v", err)
	}
	close(s.release)
	_, err = deploy.PollUntilDone(t.Context(), often())
	check(t, err)
	if last := <-s.began; last != "three" {
		t.Errorf("at last %s is made", last)
	}
}

// TestDeploymentCancelled ends a deployment on request.
func TestDeploymentCancelled(t *testing.T) {
	_, c, s := slowWorld(t)
	deploy, err := c.BeginCreateOrUpdate(t.Context(), "rg1", "d", armresources.Deployment{Properties: properties(t, slowThings, `{}`)}, nil)
	check(t, err)
	<-s.began
	_, err = c.Cancel(t.Context(), "rg1", "d", nil)
	check(t, err)
	if _, err = deploy.PollUntilDone(t.Context(), often()); !isCode(err, "DeploymentCancelled") {
		t.Errorf("it ends with %v", err)
	}
	got, err := c.Get(t.Context(), "rg1", "d", nil)
	check(t, err)
	if *got.Properties.ProvisioningState != armresources.ProvisioningStateCanceled {
		t.Errorf("it is %s", *got.Properties.ProvisioningState)
	}
}

// TestDeploymentInterrupted is settled by the next process.
func TestDeploymentInterrupted(t *testing.T) {
	w, c, s := slowWorld(t)
	_, err := c.BeginCreateOrUpdate(t.Context(), "rg1", "d", armresources.Deployment{Properties: properties(t, slowThings, `{}`)}, nil)
	check(t, err)
	<-s.began
	w.ops.Close()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	ops := arm.NewOperations(arm.OperationsConfig{Store: resources.OperationStore(w.store, "operations/"), Clock: tandem.SystemClock{}, Log: log, Runner: "one", Region: "centralindia"})
	defer ops.Close()
	_, err = resources.New(resources.Config{Store: w.store, Sealer: newSealer(), Access: &w.directory.Access, Operations: ops, Clock: tandem.SystemClock{}, Log: log})
	check(t, err)
	check(t, ops.Recover(t.Context()))
	for range 500 {
		got, err := c.Get(t.Context(), "rg1", "d", nil)
		check(t, err)
		if *got.Properties.ProvisioningState == armresources.ProvisioningStateFailed {
			if *got.Properties.Error.Code != "DeploymentInterrupted" {
				t.Errorf("it failed with %s", *got.Properties.Error.Code)
			}
			return
		}
		check(t, (tandem.SystemClock{}).Sleep(t.Context(), 2*time.Millisecond))
	}
	t.Error("the deployment runs for ever")
}

// TestDeploymentHasItsCallersRights: who may deploy and may not make a resource does not make it by a template.
func TestDeploymentHasItsCallersRights(t *testing.T) {
	w, _ := deployWorld(t)
	limited, err := w.directory.EnsureServicePrincipal(t.Context(), tenantID, "limited")
	check(t, err)
	const contributorOfAPIM = "312a565d-c81f-4fd8-895a-4e21e48d571c" // it may write deployments, and no storage accounts
	check(t, w.assign(limited, contributorOfAPIM))
	c, err := armresources.NewDeploymentsClient(subscriptionID, w.credential(limited), w.options())
	check(t, err)
	deploy, err := c.BeginCreateOrUpdate(t.Context(), "rg1", "sly", armresources.Deployment{Properties: properties(t, accounts, accountParameters)}, nil)
	check(t, err)
	if _, err = deploy.PollUntilDone(t.Context(), often()); !isCode(err, "DeploymentFailed") || !strings.Contains(err.Error(), "AuthorizationFailed") {
		t.Errorf("it ends with %v", err)
	}
}

func (w *world) assign(to identity.Credentials, role string) error {
	const name = "0f0f0f0f-0000-4000-8000-000000000001"
	scope := "/subscriptions/" + subscriptionID + "/resourceGroups/rg1"
	status, answer := w.send("PUT", scope+"/providers/Microsoft.Authorization/roleAssignments/"+name+"?api-version=2022-04-01",
		`{"properties":{"roleDefinitionId":"/subscriptions/`+subscriptionID+`/providers/Microsoft.Authorization/roleDefinitions/`+role+`","principalId":"`+to.ObjectID+`"}}`)
	if status != http.StatusCreated {
		return arm.Errorf(status, "AssignFailed", "%s", answer)
	}
	return nil
}

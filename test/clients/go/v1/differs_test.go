package v1

import (
	"context"
	"testing"

	apim "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement"
)

const sdk = "v1"

func deleteAPI(ctx context.Context, c *apim.ClientFactory, group, service, name string) error {
	yes := true
	_, err := c.NewAPIClient().Delete(ctx, group, service, name, "*", &apim.APIClientDeleteOptions{DeleteRevisions: &yes})
	return err
}

// linkAPI has nothing to do: this version knows no links.
func (*scenario) linkAPI(*testing.T, string, string) {}

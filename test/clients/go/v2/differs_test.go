package v2

import (
	"context"
	"testing"

	apim "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v2"
)

const sdk = "v2"

func deleteAPI(ctx context.Context, c *apim.ClientFactory, group, service, name string) error {
	yes := true
	_, err := c.NewAPIClient().Delete(ctx, group, service, name, "*", &apim.APIClientDeleteOptions{DeleteRevisions: &yes})
	return err
}

// linkAPI has nothing to do: this version knows no links.
func (*scenario) linkAPI(*testing.T, string, string) {}

package v3

import (
	"context"
	"testing"

	apim "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/apimanagement/armapimanagement/v3"
)

const sdk = "v3"

func deleteAPI(ctx context.Context, c *apim.ClientFactory, group, service, name string) error {
	yes := true
	p, err := c.NewAPIClient().BeginDelete(ctx, group, service, name, "*", &apim.APIClientBeginDeleteOptions{DeleteRevisions: &yes})
	if err == nil {
		_, err = p.PollUntilDone(ctx, quick)
	}
	return err
}

// linkAPI adds an API to a product by a link, and takes it away by the plain way.
func (s *scenario) linkAPI(t *testing.T, product, api string) {
	id := s.id("/apis/" + api)
	_, err := s.apim.NewProductAPILinkClient().CreateOrUpdate(t.Context(), s.name, s.name, product, api, apim.ProductAPILinkContract{Properties: &apim.ProductAPILinkContractProperties{APIID: &id}}, nil)
	must(t, err)
	if got := count(t, s.apim.NewProductAPILinkClient().NewListByProductPager(s.name, s.name, product, nil), func(p apim.ProductAPILinkClientListByProductResponse) int { return len(p.Value) }); got != 1 {
		t.Errorf("%d links, want 1", got)
	}
	if got := count(t, s.apim.NewProductAPIClient().NewListByProductPager(s.name, s.name, product, nil), func(p apim.ProductAPIClientListByProductResponse) int { return len(p.Value) }); got != 1 {
		t.Errorf("%d APIs in the product, want the linked one", got)
	}
	_, err = s.apim.NewProductAPILinkClient().Delete(t.Context(), s.name, s.name, product, api, nil)
	must(t, err)
}

package resources

import (
	"context"
	"net/http"
	"slices"

	"tandem/internal/arm"
)

// putBlobService takes the settings of an account's blob service, which templates write above containers. There is nothing
// to set here: what asks for more than the service has is refused.
func (p storage) putBlobService(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		Location   string         `json:"location"` // the account's; read to be of the right type
		Properties map[string]any `json:"properties"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	for name, v := range body.Properties {
		if !off(v) {
			return nil, arm.Errorf(http.StatusConflict, "FeatureNotSupportedForAccount", "The blob service has no '%s' here; leave it out or turn it off.", name)
		}
	}
	return p.blobService(ctx, r)
}

// off says whether a setting asks for nothing: false, null, empty, or an object of such.
func off(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case []any:
		return len(v) == 0
	case map[string]any:
		var all []any
		for _, item := range v {
			all = append(all, item)
		}
		return !slices.ContainsFunc(all, func(item any) bool { return !off(item) })
	}
	return false
}

package armclient

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
)

// List gives the items of a list, page after page. It ends with the first error.
func (c *Client) List(ctx context.Context, path string, query url.Values) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for path != "" {
			resp, err := c.Do(ctx, Request{Method: http.MethodGet, Path: path, Query: query})
			var page struct {
				Value    []json.RawMessage `json:"value"`
				NextLink string            `json:"nextLink"`
			}
			if err == nil {
				err = resp.Decode(&page)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, item := range page.Value {
				if !yield(item, nil) {
					return
				}
			}
			path, query = page.NextLink, nil
		}
	}
}

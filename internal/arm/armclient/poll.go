package armclient

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
)

// pollEvery is the pause between polls when the server names none.
const pollEvery = 2 * time.Second

// Run sends a request and, where it starts a long-running operation, waits for its end: it polls Azure-AsyncOperation, else
// Location, else the resource itself while its provisioningState is not final. It gives the final answer; a failed operation
// is an *arm.Error.
func (c *Client) Run(ctx context.Context, r Request) (*Response, error) {
	first, err := c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	location := first.Header.Get("Location")
	switch async := first.Header.Get("Azure-AsyncOperation"); {
	case async != "":
		if err := c.pollStatus(ctx, async, first.Header); err != nil {
			return nil, err
		}
		switch {
		case r.Method == http.MethodPut || r.Method == http.MethodPatch:
			return c.Do(ctx, Request{Method: http.MethodGet, Path: r.Path, Query: r.Query})
		case r.Method == http.MethodPost && location != "":
			return c.pollLocation(ctx, location, first.Header)
		}
		return first, nil
	case first.Status == http.StatusAccepted && location == "":
		return nil, &tandem.Error{Op: "wait for", Subject: r.Method + " " + r.Path, Kind: tandem.Corrupt, Remedy: "the endpoint answered 202 and not where to poll; look at the resource"}
	case location != "" && (first.Status == http.StatusAccepted || first.Status == http.StatusCreated):
		return c.pollLocation(ctx, location, first.Header)
	case (r.Method == http.MethodPut || r.Method == http.MethodPatch) && !settled(first.Body):
		return c.pollResource(ctx, r, first)
	}
	return first, nil
}

func (c *Client) wait(ctx context.Context, h http.Header) error {
	d, ok := retryAfter(h, c.Clock.Now())
	if !ok {
		d = pollEvery
	}
	return c.Clock.Sleep(ctx, min(d, c.MaxWait))
}

// pollStatus follows Azure-AsyncOperation to its end.
func (c *Client) pollStatus(ctx context.Context, link string, h http.Header) error {
	for {
		if err := c.wait(ctx, h); err != nil {
			return err
		}
		resp, err := c.Do(ctx, Request{Method: http.MethodGet, Path: link})
		if err != nil {
			return err
		}
		var state struct {
			Status string     `json:"status"`
			Error  *arm.Error `json:"error"`
		}
		if err := resp.Decode(&state); err != nil {
			return err
		}
		switch strings.ToLower(state.Status) {
		case "succeeded":
			return nil
		case "failed", "canceled", "cancelled":
			if state.Error == nil {
				state.Error = arm.Errorf(0, state.Status, "The operation ended as %s and gave no reason.", state.Status)
			}
			state.Error.Status = http.StatusConflict
			return state.Error
		}
		h = resp.Header
		if next := h.Get("Azure-AsyncOperation"); next != "" {
			link = next
		}
	}
}

// pollLocation follows Location until the answer is not 202.
func (c *Client) pollLocation(ctx context.Context, link string, h http.Header) (*Response, error) {
	for {
		if err := c.wait(ctx, h); err != nil {
			return nil, err
		}
		resp, err := c.Do(ctx, Request{Method: http.MethodGet, Path: link})
		if err != nil || resp.Status != http.StatusAccepted {
			return resp, err
		}
		h = resp.Header
		if next := h.Get("Location"); next != "" {
			link = next
		}
	}
}

// pollResource reads the resource until its provisioningState is final.
func (c *Client) pollResource(ctx context.Context, r Request, last *Response) (*Response, error) {
	for !settled(last.Body) {
		if err := c.wait(ctx, last.Header); err != nil {
			return nil, err
		}
		var err error
		if last, err = c.Do(ctx, Request{Method: http.MethodGet, Path: r.Path, Query: r.Query}); err != nil {
			return nil, err
		}
	}
	if state := provisioningState(last.Body); strings.EqualFold(state, "Failed") || strings.EqualFold(state, "Canceled") {
		return nil, arm.Errorf(http.StatusConflict, "ProvisioningFailed", "The resource ended in the state %s.", state)
	}
	return last, nil
}

func provisioningState(body []byte) string {
	var resource struct {
		Properties struct {
			ProvisioningState string `json:"provisioningState"`
		} `json:"properties"`
	}
	if json.Unmarshal(body, &resource) != nil {
		return ""
	}
	return resource.Properties.ProvisioningState
}

// settled says whether a resource is in a final state; one that has no state is.
func settled(body []byte) bool {
	switch strings.ToLower(provisioningState(body)) {
	case "", "succeeded", "failed", "canceled":
		return true
	}
	return false
}

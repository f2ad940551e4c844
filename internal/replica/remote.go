package replica

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/arm"
	"tandem/internal/arm/armclient"
)

// Remote is a service reached by its management API alone: Azure's, of any tier, or Tandem's.
type Remote struct {
	Client *armclient.Client
	ID     tandem.ResourceID
	Table  *apim.Table
	Clock  tandem.Clock
	// Concurrency is how many calls run at once; zero: 8.
	Concurrency int
	// LockWait is how long to wait in total for a service that answers 409 ServiceLocked; zero: ten minutes.
	LockWait time.Duration
}

// NewRemote makes a Remote with what every one needs.
func NewRemote(c *armclient.Client, id tandem.ResourceID) *Remote {
	return &Remote{Client: c, ID: id, Table: apim.NewTable(), Clock: c.Clock}
}

// do sends one request on a path below the service, and waits while the service is locked by a backup, restore or scaling.
func (r *Remote) do(ctx context.Context, method, path string, query url.Values, header http.Header, body any) (*armclient.Response, error) {
	limit := r.LockWait
	if limit == 0 {
		limit = 10 * time.Minute
	}
	began, pause := r.Clock.Now(), time.Second
	for {
		resp, err := r.Client.Run(ctx, armclient.Request{Method: method, Path: r.url(path), Query: query, Header: header, Body: body})
		var e *arm.Error
		if !errors.As(err, &e) || e.Status != http.StatusConflict || e.Code != "ServiceLocked" {
			return resp, err
		}
		if r.Clock.Now().Sub(began) >= limit {
			return nil, &tandem.Error{Op: method, Subject: path, Kind: tandem.Locked, Err: err, Remedy: "wait for the operation on the service to end and repeat the command; it goes on where it stopped"}
		}
		if err := r.Clock.Sleep(ctx, pause); err != nil {
			return nil, err
		}
		pause = min(2*pause, 15*time.Second)
	}
}

// url is the address of a resource's path, each segment escaped.
func (r *Remote) url(path string) string {
	if path == "" {
		return r.ID.String()
	}
	parts := strings.Split(path, "/")
	for n, p := range parts {
		parts[n] = strings.ReplaceAll(url.PathEscape(p), ";", "%3B")
	}
	return r.ID.String() + "/" + strings.Join(parts, "/")
}

// envelope is a resource as the management API shows it.
type envelope struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Properties map[string]any `json:"properties"`
}

// list reads all pages of a collection.
func (r *Remote) list(ctx context.Context, path string, query url.Values) ([]envelope, error) {
	var out []envelope
	for raw, err := range r.Client.List(ctx, r.url(path), query) {
		if err != nil {
			return nil, err
		}
		e, err := readEnvelope(raw)
		if err != nil {
			return nil, &tandem.Error{Op: "read list", Subject: path, Kind: tandem.Corrupt, Err: err, Remedy: "check that the endpoint is Azure Resource Manager's"}
		}
		out = append(out, e)
	}
	return out, nil
}

func (r *Remote) get(ctx context.Context, path string, query url.Values) (envelope, error) {
	resp, err := r.do(ctx, http.MethodGet, path, query, nil, nil)
	if err != nil {
		return envelope{}, err
	}
	return readEnvelope(resp.Body)
}

// readEnvelope keeps numbers as they are written.
func readEnvelope(raw []byte) (envelope, error) {
	var e envelope
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	err := d.Decode(&e)
	return e, err
}

// status is the status of an answer that was an error; 0 where there was no answer.
func status(err error) int {
	var e *arm.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// absent tells answers that mean that the service has no such thing: none of it, not in its tier, not in its version.
func absent(err error) bool {
	var e *arm.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	case http.StatusBadRequest:
		code := strings.ToLower(e.Code)
		return strings.Contains(code, "notallowed") || strings.Contains(code, "notsupported") || strings.Contains(code, "unsupported")
	}
	return false
}

// each runs do for 0..n-1, at most r.Concurrency at once, and gives the first error; the others then stop.
func (r *Remote) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	workers := r.Concurrency
	if workers <= 0 {
		workers = 8
	}
	var mu sync.Mutex
	next := 0
	var wait sync.WaitGroup
	for range min(workers, n) {
		wait.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= n || ctx.Err() != nil {
					return
				}
				if err := do(ctx, i); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

package recovery

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"tandem"
	"tandem/internal/failover"
)

// The wire of Control, over the nodes' mutual TLS. Each call is a POST with a JSON body to the node that leads, or to any
// node that may: who does not lead answers 421 and names the leader where it knows it.
//
//	POST /tandem/v1/recovery/renew       {"group", "service", "renewal"}  200 with a failover.Grant
//	POST /tandem/v1/recovery/replicated  {"group", "replicated"}          204
//	POST /tandem/v1/recovery/observed    {"group", "observed"}            204
//
// Errors have a body {"kind", "error", "remedy", "leader"}: 412 the epoch is over (Precondition), 404 there is no such
// group (NotFound), 400 (Invalid), 421 not the leader and 503 nobody leads (both Unavailable).
const (
	ControlPath    = "/tandem/v1/recovery/"
	renewPath      = ControlPath + "renew"
	replicatedPath = ControlPath + "replicated"
	observedPath   = ControlPath + "observed"
)

// maxControlBody bounds a call's body: the largest is a few hundred bytes.
const maxControlBody = 64 << 10

type renewCall struct {
	Group   string           `json:"group"`
	Service failover.Service `json:"service"`
	Renewal failover.Renewal `json:"renewal"`
}

type replicatedCall struct {
	Group      string              `json:"group"`
	Replicated failover.Replicated `json:"replicated"`
}

type observedCall struct {
	Group    string            `json:"group"`
	Observed failover.Observed `json:"observed"`
}

// NotLeading says that the node asked does not lead. Leader is the internal address of the one that does, where it is known:
// "https://10.1.0.4:7443".
type NotLeading struct{ Leader string }

// Error implements error.
func (e *NotLeading) Error() string {
	return "this node does not lead; " + cmp.Or(e.Leader, "no other") + " does"
}

func notLeading(op, subject, leader string) error {
	return &tandem.Error{Op: op, Subject: subject, Kind: tandem.Unavailable, Err: &NotLeading{leader}, Remedy: "ask the leader"}
}

// ControlHandler serves a Control under ControlPath. Callers are authenticated in front of it, by their certificate.
func ControlHandler(c Control) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+renewPath, func(w http.ResponseWriter, r *http.Request) {
		serveControl(w, r, func(ctx context.Context, q renewCall) (any, error) {
			return c.Renew(ctx, q.Group, q.Service, q.Renewal)
		})
	})
	mux.HandleFunc("POST "+replicatedPath, func(w http.ResponseWriter, r *http.Request) {
		serveControl(w, r, func(ctx context.Context, q replicatedCall) (any, error) {
			return nil, c.Replicated(ctx, q.Group, q.Replicated)
		})
	})
	mux.HandleFunc("POST "+observedPath, func(w http.ResponseWriter, r *http.Request) {
		serveControl(w, r, func(ctx context.Context, q observedCall) (any, error) {
			return nil, c.Observed(ctx, q.Group, q.Observed)
		})
	})
	return mux
}

func serveControl[Q any](w http.ResponseWriter, r *http.Request, do func(context.Context, Q) (any, error)) {
	var q Q
	var out any
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlBody)).Decode(&q)
	if err != nil {
		err = &tandem.Error{Op: "read call", Subject: r.URL.Path, Kind: tandem.Invalid, Err: err, Remedy: "send one JSON object"}
	} else {
		out, err = do(r.Context(), q)
	}
	switch {
	case err != nil:
		writeWireError(w, err)
	case out == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out) // the caller went away; it asks again
	}
}

// wireError is an error between nodes.
type wireError struct {
	Kind   tandem.Kind `json:"kind"`
	Text   string      `json:"error"`
	Remedy string      `json:"remedy,omitempty"`
	Leader string      `json:"leader,omitempty"`
}

func writeWireError(w http.ResponseWriter, err error) {
	e := wireError{Kind: cmp.Or(tandem.KindOf(err), tandem.Unavailable), Text: err.Error()}
	status := map[tandem.Kind]int{tandem.Precondition: http.StatusPreconditionFailed, tandem.NotFound: http.StatusNotFound, tandem.Invalid: http.StatusBadRequest}[e.Kind]
	var elsewhere *NotLeading
	if errors.As(err, &elsewhere) {
		status, e.Leader = http.StatusMisdirectedRequest, elsewhere.Leader
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(cmp.Or(status, http.StatusServiceUnavailable))
	_ = json.NewEncoder(w).Encode(e) // the caller went away
}

// ControlClient is Control at one node. HTTP carries the node's certificate; its timeout, or the context's, bounds a call.
type ControlClient struct {
	Address string // "https://10.1.0.4:7443"
	HTTP    *http.Client
}

var _ Control = (*ControlClient)(nil)

// Renew implements Control.
func (c *ControlClient) Renew(ctx context.Context, group string, s failover.Service, r failover.Renewal) (failover.Grant, error) {
	var g failover.Grant
	return g, c.call(ctx, "renew the right to write", group, renewPath, renewCall{group, s, r}, &g)
}

// Replicated implements Control.
func (c *ControlClient) Replicated(ctx context.Context, group string, e failover.Replicated) error {
	return c.call(ctx, "report replication", group, replicatedPath, replicatedCall{group, e}, nil)
}

// Observed implements Control.
func (c *ControlClient) Observed(ctx context.Context, group string, e failover.Observed) error {
	return c.call(ctx, "report health", group, observedPath, observedCall{group, e}, nil)
}

func (c *ControlClient) call(ctx context.Context, op, group, path string, q, into any) error {
	fail := func(kind tandem.Kind, err error, remedy string) error {
		return &tandem.Error{Op: op, Subject: group, Kind: kind, Err: err, Remedy: remedy}
	}
	raw, err := json.Marshal(q)
	if err != nil {
		return fail(tandem.Invalid, err, "")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Address+path, bytes.NewReader(raw))
	if err != nil {
		return fail(tandem.Invalid, err, "check the node's address")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return fail(tandem.Unavailable, err, "it is tried again")
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxControlBody))
	switch {
	case err != nil:
		return fail(tandem.Unavailable, err, "it is tried again")
	case resp.StatusCode >= 300:
		var e wireError
		if json.Unmarshal(body, &e) != nil || e.Kind == "" {
			return fail(tandem.Unavailable, fmt.Errorf("%s answered %s", c.Address, resp.Status), "it is tried again")
		}
		if resp.StatusCode == http.StatusMisdirectedRequest {
			return fail(e.Kind, &NotLeading{e.Leader}, "ask the leader")
		}
		return fail(e.Kind, errors.New(e.Text), e.Remedy)
	case into != nil:
		if err := json.Unmarshal(body, into); err != nil {
			return fail(tandem.Unavailable, err, "it is tried again")
		}
	}
	return nil
}

package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"tandem"
	"tandem/internal/recovery"
	"tandem/internal/replica"
)

// Paths on a node's internal listener, which demands a certificate of the deployment's CA.
const (
	// Path is what the paths of an agent begin with, besides replica.StreamPath and replica.CountersPath.
	Path          = "/tandem/v1/site/"
	joinPath      = Path + "join"      // POST: a membership
	statePath     = Path + "state"     // GET ?service=
	doPath        = Path + "do"        // POST: a task; answers with its outcome, however long it takes
	releasePath   = Path + "release"   // POST: what the guard holds may pass
	documentsPath = Path + "documents" // GET ?service=: its documents, for a merge
	mergePath     = Path + "merge"     // POST: what a merge writes at the holder
)

// Handler serves other nodes: the site's calls, the streams of the services that are primaries, and counters.
func (a *Agent) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+joinPath, func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context, m recovery.Membership) (any, error) { return nil, a.Join(ctx, m) })
	})
	mux.HandleFunc("POST "+doPath, func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context, t recovery.Task) (any, error) { return a.Do(ctx, t) })
	})
	mux.HandleFunc("POST "+releasePath, func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context, in releaseRequest) (any, error) {
			return nil, a.Release(ctx, in.Service, in.Held)
		})
	})
	mux.HandleFunc("GET "+statePath, func(w http.ResponseWriter, r *http.Request) {
		s, err := a.State(r.Context(), r.URL.Query().Get("service"))
		reply(w, s, err)
	})
	mux.HandleFunc("GET "+documentsPath, a.serveDocuments)
	mux.HandleFunc("POST "+mergePath, a.serveMerge)
	a.serveWork(mux)
	mux.Handle(replica.StreamPath, a.server)
	mux.Handle(replica.CountersPath, replica.CounterHandler(a.counters))
	return mux
}

type releaseRequest struct {
	Service string `json:"service"`
	Held    string `json:"held"`
}

// counters takes what a primary counts, for a service of this node that is a standby.
func (a *Agent) counters(ctx context.Context, service string) (replica.Counters, error) {
	m, err := a.known(service)
	if err != nil {
		return nil, err
	}
	if a.Counters == nil || holds(m.membership()) {
		return nil, &tandem.Error{Op: "take counters", Subject: service, Kind: tandem.Denied, Err: errors.New("it is no standby")}
	}
	return a.Counters(ctx, service)
}

// wireError is an error on its way between nodes.
type wireError struct {
	Op      string      `json:"op"`
	Subject string      `json:"subject,omitempty"`
	Kind    tandem.Kind `json:"kind,omitempty"`
	Message string      `json:"message,omitempty"`
	Remedy  string      `json:"remedy,omitempty"`
}

func answer[T any](w http.ResponseWriter, r *http.Request, serve func(context.Context, T) (any, error)) {
	var in T
	if err := json.NewDecoder(io.LimitReader(r.Body, 16<<20)).Decode(&in); err != nil {
		fail(w, &tandem.Error{Op: "read call", Subject: r.URL.Path, Kind: tandem.Invalid, Err: err, Remedy: "use the same version of Tandem on all nodes"})
		return
	}
	out, err := serve(r.Context(), in)
	reply(w, out, err)
}

func reply(w http.ResponseWriter, out any, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	if out == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the caller went away; it asks again
}

func fail(w http.ResponseWriter, err error) {
	e := wireError{Op: "carry out call", Kind: tandem.KindOf(err), Message: err.Error()}
	var te *tandem.Error
	if errors.As(err, &te) {
		e = wireError{Op: te.Op, Subject: te.Subject, Kind: te.Kind, Remedy: te.Remedy}
		if te.Err != nil {
			e.Message = te.Err.Error()
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusConflict)
	_ = json.NewEncoder(w).Encode(e) // the caller went away
}

// call does a request to another node. What the node answers with an error is that error.
func (a *Agent) call(ctx context.Context, method, address string, body io.Reader) (*http.Response, error) {
	return call(ctx, a.Client, method, address, body)
}

func call(ctx context.Context, client *http.Client, method, address string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, &tandem.Error{Op: "call node", Subject: req.URL.Host, Kind: tandem.Unavailable, Err: err, Remedy: "see whether the node runs and can be reached; it is tried again"}
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close() //nolint:errcheck // nothing more is read
	var e wireError
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode != http.StatusConflict || json.Unmarshal(text, &e) != nil {
		return nil, &tandem.Error{Op: "call node", Subject: req.URL.Host, Kind: tandem.Unavailable, Err: fmt.Errorf("it answered %s", resp.Status), Remedy: "see whether it runs the same version of Tandem"}
	}
	out := &tandem.Error{Op: e.Op, Subject: e.Subject, Kind: e.Kind, Remedy: e.Remedy}
	if e.Message != "" {
		out.Err = errors.New(e.Message)
	}
	return nil, out
}

// Client is the site of another node at its internal address, "https://10.1.0.4:7443". The HTTP client presents this
// node's certificate, and has no Timeout: a task takes as long as it takes, and its context ends it.
func Client(address string, client *http.Client) recovery.Site { return &remote{address, client} }

type remote struct {
	address string
	client  *http.Client
}

func (r *remote) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return r.do(ctx, http.MethodPost, path, bytes.NewReader(body), out)
}

func (r *remote) do(ctx context.Context, method, path string, body io.Reader, out any) error {
	resp, err := call(ctx, r.client, method, r.address+path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read to its end
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return &tandem.Error{Op: "call node", Subject: r.address, Kind: tandem.Unavailable, Err: err, Remedy: "see whether it runs the same version of Tandem"}
	}
	return nil
}

// Join implements recovery.Site.
func (r *remote) Join(ctx context.Context, m recovery.Membership) error {
	return r.post(ctx, joinPath, m, nil)
}

// Do implements recovery.Site.
func (r *remote) Do(ctx context.Context, t recovery.Task) (out recovery.Outcome, err error) {
	err = r.post(ctx, doPath, t, &out)
	return out, err
}

// State implements recovery.Site.
func (r *remote) State(ctx context.Context, service string) (out recovery.SiteState, err error) {
	err = r.do(ctx, http.MethodGet, statePath+"?"+url.Values{"service": {service}}.Encode(), nil, &out)
	return out, err
}

// Release is Agent.Release at the node.
func (r *remote) Release(ctx context.Context, service, held string) error {
	return r.post(ctx, releasePath, releaseRequest{service, held}, nil)
}

package resources

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/arm/armclient"
	"tandem/internal/resources/template"
)

// plane calls the management plane in this process, with the rights of whoever asked for the deployment.
type plane struct {
	client *armclient.Client
}

// token is the caller's own. It is kept in memory alone, for as long as the deployment runs.
type token string

// Token implements armclient.TokenSource.
func (t token) Token(context.Context) (string, error) { return string(t), nil }

// Refresh implements armclient.TokenSource: the token cannot be renewed here.
func (token) Refresh() {}

// longestPause bounds the pause between polls of what a deployment waits for.
const longestPause = 5 * time.Second

func (r *Resources) planeOf(q *arm.Request) (*plane, error) {
	r.deployments.mu.Lock()
	handler := r.deployments.plane
	r.deployments.mu.Unlock()
	if handler == nil {
		return nil, &tandem.Error{Op: "deploy template", Kind: tandem.Unsupported, Remedy: "start a node: this server has no management plane to deploy through"}
	}
	_, bearer, _ := strings.Cut(q.HTTP.Header.Get("Authorization"), " ")
	c, err := armclient.New(armclient.Config{Endpoint: q.Base, Tokens: token(strings.TrimSpace(bearer)), HTTP: &http.Client{Transport: inProcess{handler}}, Clock: r.c.Clock, MaxWait: longestPause})
	return &plane{c}, err
}

// inProcess sends requests to a handler without a network between.
type inProcess struct{ http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(q *http.Request) (*http.Response, error) {
	in := q.Clone(q.Context())
	in.RequestURI, in.Host, in.RemoteAddr = q.URL.RequestURI(), q.URL.Host, "deployment"
	if q.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{}
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := &answerWriter{header: http.Header{}}
	t.ServeHTTP(w, in)
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if err := q.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: w.status, Status: http.StatusText(w.status), Header: w.header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: q}, nil
}

// answerWriter keeps an answer.
type answerWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *answerWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *answerWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

var _ template.Runtime = (*plane)(nil)

// Read implements template.Runtime.
func (p *plane) Read(ctx context.Context, id, version string) (map[string]any, error) {
	v, err := p.call(ctx, armclient.Request{Method: http.MethodGet, Path: versioned(id, version)})
	if err != nil {
		return nil, err
	}
	o, _ := v.(map[string]any)
	return o, nil
}

// Invoke implements template.Runtime.
func (p *plane) Invoke(ctx context.Context, action, id, version string, body any) (any, error) {
	return p.call(ctx, armclient.Request{Method: http.MethodPost, Path: versioned(id+"/"+action, version), Body: body})
}

func (p *plane) call(ctx context.Context, r armclient.Request) (any, error) {
	resp, err := p.client.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	return template.ReadJSON(resp.Body)
}

// put makes a resource and waits until it is there.
func (p *plane) put(ctx context.Context, id, version string, body map[string]any) (int, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	resp, err := p.client.Run(ctx, armclient.Request{Method: http.MethodPut, Path: versioned(id, version), Body: json.RawMessage(raw)})
	if err != nil {
		return arm.AsError(err).Status, err
	}
	return resp.Status, nil
}

func versioned(id, version string) string {
	return (&arm.Request{}).Link(id, "api-version="+version)
}

package node

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"

	"tandem/internal/arm"
)

// relayHeader marks a call that a region passed on to the control plane, with the region's name. A control member serves it as
// it would one that a client sent to it.
const relayHeader = "X-Tandem-Relayed"

// relay is the management plane of a node on which the control plane does not run, or not yet: calls for the region's own
// services are served here, all others go to a control member.
type relay struct {
	n     *Node
	local http.Handler
	home  http.Handler
}

func (n *Node) newRelay(local http.Handler) http.Handler {
	return &relay{n: n, local: local, home: &httputil.ReverseProxy{Transport: homesTransport{n}, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.Host = r.In.Host // links in answers name the endpoint that the client used
			r.Out.Header.Set(relayHeader, string(n.Region))
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			n.Log.Warn("no control member answers", "error", err)
			w.Header().Set("Retry-After", "5")
			writeError(w, arm.Errorf(http.StatusServiceUnavailable, "RegionUnavailable", "The control plane does not answer from this region. The services of this region are served on; try again."))
		}}}
}

// ServeHTTP implements http.Handler.
func (p *relay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(forwardedHeader) != "" {
		p.n.awaitDirectory(r)
		p.local.ServeHTTP(w, r)
		return
	}
	if id := serviceOf(r.URL.Path); id != "" && p.n.serves(r.Context(), id) {
		p.local.ServeHTTP(w, r)
		return
	}
	if r.Header.Get(relayHeader) != "" {
		w.Header().Set("Retry-After", "1")
		writeError(w, arm.Errorf(http.StatusServiceUnavailable, "ControlPlaneStarting", "The control plane has not started on this node yet; ask another member."))
		return
	}
	p.home.ServeHTTP(w, r)
}

// mostRelayed bounds the body of a call that may have to be sent twice; a greater one is sent to one member alone.
const mostRelayed = 8 << 20

// homesTransport sends a request to the control member that answered last, and to the others in turn where it does not or where
// it has no control plane yet.
type homesTransport struct{ n *Node }

// RoundTrip implements http.RoundTripper.
func (t homesTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	homes := t.n.homes()
	if len(homes) == 0 {
		return nil, errors.New("no other node serves the control plane")
	}
	again, err := replayable(r)
	if err != nil {
		return nil, err
	}
	var resp *http.Response
	for i := range homes {
		home := t.n.homeAt(i)
		target, e := url.Parse(home.ARM)
		if e != nil {
			return nil, e
		}
		one := again()
		one.URL.Scheme, one.URL.Host = target.Scheme, target.Host
		if resp, err = t.n.outbound.RoundTrip(one); err == nil && resp.StatusCode != http.StatusServiceUnavailable {
			return resp, nil
		}
		if r.Context().Err() != nil || i == len(homes)-1 {
			break
		}
		if err == nil {
			_ = resp.Body.Close() // another is asked
		}
	}
	return resp, err
}

// replayable gives copies of a request that can be sent one after the other.
func replayable(r *http.Request) (func() *http.Request, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return func() *http.Request { return r.Clone(r.Context()) }, nil
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, mostRelayed+1))
	if err != nil {
		return nil, err
	}
	rest := r.Body
	return func() *http.Request {
		one := r.Clone(r.Context())
		if one.Body = io.NopCloser(bytes.NewReader(raw)); len(raw) > mostRelayed {
			one.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(bytes.NewReader(raw), rest), rest}
		}
		return one
	}, nil
}

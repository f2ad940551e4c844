package node

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"tandem/internal/arm"
	"tandem/internal/recovery"
)

// leaderHeader marks a call that another control member passed on, taking this one for the leader.
const leaderHeader = "X-Tandem-Leader"

// toLeader passes calls for recovery groups on to the control member that leads, since what it decides and knows of the lag is
// there alone. All other calls are served here.
func (n *Node) toLeader(local http.Handler) http.Handler {
	if n.Control == nil {
		return local // a single home leads always
	}
	elsewhere := &httputil.ReverseProxy{Transport: leaderTransport{n}, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.Host = r.In.Host // links in answers name the endpoint that the client used
			r.Out.Header.Set(leaderHeader, string(n.Region))
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			n.Log.Warn("no control member leads recovery", "error", err)
			w.Header().Set("Retry-After", "1")
			writeError(w, arm.Errorf(http.StatusServiceUnavailable, "NoLeader", "No control member leads now, or it does not answer. Try again in a moment."))
		}}
	part := "/providers/" + strings.ToLower(recovery.Namespace) + "/"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case n.Leading() || !strings.Contains(strings.ToLower(r.URL.Path), part):
			local.ServeHTTP(w, r)
		case r.Header.Get(leaderHeader) != "":
			w.WriteHeader(http.StatusMisdirectedRequest)
		default:
			elsewhere.ServeHTTP(w, r)
		}
	})
}

// leaderTransport asks the control members in turn until one leads.
type leaderTransport struct{ n *Node }

// RoundTrip implements http.RoundTripper.
func (t leaderTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	again, err := replayable(r)
	if err != nil {
		return nil, err
	}
	homes := t.n.homes()
	first := int(t.n.recoveries.leaderAt.Load())
	last := errors.New("no other node serves the control plane")
	for i := range homes {
		at := (first + i) % len(homes)
		target, err := url.Parse(homes[at].ARM)
		if err != nil {
			return nil, err
		}
		out := again()
		out.URL.Scheme, out.URL.Host = target.Scheme, target.Host
		resp, err := t.n.outbound.RoundTrip(out)
		if err != nil {
			last = err
			continue
		}
		if resp.StatusCode != http.StatusMisdirectedRequest {
			t.n.recoveries.leaderAt.Store(int32(at))
			return resp, nil
		}
		last = errors.New("the members that answer do not lead")
		_ = resp.Body.Close() // it says no more
	}
	return nil, last
}

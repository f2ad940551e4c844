package node

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// forwardedHeader marks a call that another node passed on: it is served here or not at all.
const forwardedHeader = "X-Tandem-Forwarded"

// directoryHeader carries the revision of the directory that the caller may rely on, so that a role that was just assigned
// counts at once in other regions.
const directoryHeader = "X-Tandem-Directory"

// placement sends ARM calls to where they are served: what belongs to a service to the service's region, everything else
// to the home.
type placement struct {
	n     *Node
	local http.Handler
	to    map[tandem.Region]http.Handler
	home  tandem.Region
}

func (n *Node) newPlacement(local http.Handler, transport http.RoundTripper) *placement {
	p := &placement{n: n, local: local, to: map[tandem.Region]http.Handler{}, home: n.Region}
	for _, peer := range n.Peers {
		p.to[peer.Region] = n.proxy(peer, transport)
		if peer.Home {
			p.home = peer.Region
		}
	}
	if n.resources != nil {
		n.resources.Serve(p) // templates are deployed through the whole plane, into every region
	}
	return p
}

// proxy passes calls on to another node.
func (n *Node) proxy(peer Peer, transport http.RoundTripper) http.Handler {
	target, err := url.Parse(peer.ARM)
	return &httputil.ReverseProxy{Transport: transport, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // links in answers name the endpoint that the client used
			r.Out.Header.Set(forwardedHeader, string(n.Region))
			if n.directory != nil {
				r.Out.Header.Set(directoryHeader, formatRevision(n.directory.Snapshot().Revision))
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, e error) {
			n.Log.Warn("a region does not answer", "region", peer.Region, "error", e, "address", peer.ARM, "configuration", err)
			w.Header().Set("Retry-After", "5")
			writeError(w, arm.Errorf(http.StatusServiceUnavailable, "RegionUnavailable",
				"The management plane of %s does not answer: the region may be down. Its services' gateways may still serve; try again, or work on the standby.", peer.Region))
		}}
}

// ServeHTTP implements http.Handler.
func (p *placement) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(forwardedHeader) != "" {
		p.n.awaitDirectory(r)
		p.local.ServeHTTP(w, r)
		return
	}
	if p.n.Home != nil && isServiceList(r) {
		p.listServices(w, r)
		return
	}
	if what := anywhere(r.URL.Path); p.n.Home != nil && what != "" {
		p.askAll(what, w, r)
		return
	}
	region, record := p.region(r)
	if h := p.to[region]; h != nil {
		if err := p.n.checkGroup(r); err != nil {
			writeError(w, arm.AsError(err))
			return
		}
		if record != "" {
			w = &recorder{ResponseWriter: w, placed: func() { p.n.place(r.Context(), record, region) }}
		}
		h.ServeHTTP(w, r)
		return
	}
	p.local.ServeHTTP(w, r)
}

// region tells where a call is served; record is the id of a service that is being created there.
func (p *placement) region(r *http.Request) (tandem.Region, string) {
	id := serviceOf(r.URL.Path)
	if id == "" {
		return p.home, ""
	}
	if p.n.Home == nil { // not the home: own services here, others by way of the home
		if p.n.serves(r.Context(), id) {
			return p.n.Region, ""
		}
		return p.home, ""
	}
	if at, ok := p.n.placed(r.Context(), id); ok && !(r.Method == http.MethodPut && isService(r.URL.Path)) {
		return at, ""
	}
	if r.Method == http.MethodPut && isService(r.URL.Path) {
		at := locationOf(r)
		if placed, ok := p.n.placed(r.Context(), id); ok && at == "" {
			at = placed
		}
		if p.to[at] != nil {
			return at, id
		}
	}
	return p.n.Region, ""
}

// locationOf reads the location in the body of a PUT, and leaves the body to be read again.
func locationOf(r *http.Request) tandem.Region {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(raw), r.Body))
	if err != nil {
		return ""
	}
	var body struct{ Location string }
	if json.Unmarshal(raw, &body) != nil {
		return ""
	}
	return tandem.NormalRegion(body.Location)
}

// serviceOf gives the lower-case id of the API Management service that a path is about; empty where it is about none.
func serviceOf(path string) string {
	parts := strings.FieldsFunc(strings.ToLower(path), func(c rune) bool { return c == '/' })
	if len(parts) < 8 || parts[0] != "subscriptions" || parts[2] != "resourcegroups" || parts[4] != "providers" || parts[5] != "microsoft.apimanagement" || parts[6] != "service" {
		return ""
	}
	for _, p := range parts[8:] {
		if p == "providers" { // what extends a service, a role assignment say, is the home's
			return ""
		}
	}
	return "/" + strings.Join(parts[:8], "/")
}

func isService(path string) bool {
	return len(strings.FieldsFunc(path, func(c rune) bool { return c == '/' })) == 8
}

// recorder notes that a service was created in another region.
type recorder struct {
	http.ResponseWriter
	placed func()
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if status == http.StatusOK || status == http.StatusCreated || status == http.StatusAccepted {
		r.placed()
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func writeError(w http.ResponseWriter, e *arm.Error) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(e.Envelope()) // the client went away; there is nobody to tell
}

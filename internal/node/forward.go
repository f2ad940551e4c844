package node

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// forwardedHeader marks a call that another node passed on: it is served here or not at all.
const forwardedHeader = "X-Tandem-Forwarded"

// directoryHeader carries the revision of the directory that the caller may rely on, so that a role that was just assigned
// counts at once in other regions.
const directoryHeader = "X-Tandem-Directory"

// placement is the management plane of the home or of a control member: it sends what belongs to a service to the service's
// region, and serves everything else itself.
type placement struct {
	n     *Node
	local http.Handler
	to    map[tandem.Region]http.Handler // regions with services, but for this one
}

func (n *Node) newPlacement(local http.Handler, transport http.RoundTripper) *placement {
	p := &placement{n: n, local: local, to: map[tandem.Region]http.Handler{}}
	for _, peer := range n.Peers {
		if !peer.Witness {
			p.to[peer.Region] = n.proxy(peer, transport)
		}
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
			r.Out.Header.Del(relayHeader)
			if p := n.controlPlane(); p != nil {
				r.Out.Header.Set(directoryHeader, formatRevision(p.directory.Changed()))
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
	if isServiceList(r) {
		p.listServices(w, r)
		return
	}
	if what := anywhere(r.URL.Path); what != "" {
		p.askAll(what, w, r)
		return
	}
	id := serviceOf(r.URL.Path)
	if id == "" {
		p.local.ServeHTTP(w, r)
		return
	}
	region, err := p.region(r, id)
	if err == nil && p.to[region] != nil {
		err = p.n.checkGroup(r)
	}
	if err != nil {
		writeError(w, arm.AsError(err))
		return
	}
	if isService(r.URL.Path) && r.Method != http.MethodGet && r.Method != http.MethodHead {
		w = &recorder{ResponseWriter: w, placed: func() { p.changed(r, id, region) }}
	}
	if h := p.to[region]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	p.local.ServeHTTP(w, r)
}

// changed notes that a call changed a service: where it is, and that its description is another.
func (p *placement) changed(r *http.Request, id string, region tandem.Region) {
	if r.Method == http.MethodPut && (p.to[region] != nil || p.n.Control != nil) {
		p.n.place(r.Context(), id, region)
	}
	p.n.seen.ask(region)
}

// region tells where a call on a service is served, by the service's lower-case id.
func (p *placement) region(r *http.Request, id string) (tandem.Region, error) {
	placed, known := p.n.placed(r.Context(), id)
	if r.Method != http.MethodPut || !isService(r.URL.Path) {
		if known {
			return placed, nil
		}
		return p.n.Region, nil
	}
	at := locationOf(r)
	switch {
	case at == "" && known:
		return placed, nil
	case p.n.Control == nil && p.to[at] == nil: // what is nowhere else is the home's
		at = p.n.Region
	case p.to[at] == nil && (at != p.n.Region || p.n.Witness):
		return "", arm.Errorf(http.StatusBadRequest, "LocationNotAvailableForResourceType",
			"The provided location '%s' is not available for resource type 'Microsoft.ApiManagement/service': no node serves it. List of available regions for the resource type is '%s'.", at, p.regions())
	}
	if !known && p.n.serves(r.Context(), id) {
		placed, known = p.n.Region, true
	}
	if known && placed != at {
		return at, p.n.stillThere(r.Context(), id, placed, at)
	}
	return at, nil
}

// regions lists the regions that can have services.
func (p *placement) regions() string {
	var all []string
	if !p.n.Witness {
		all = append(all, string(p.n.Region))
	}
	for region := range p.to {
		all = append(all, string(region))
	}
	slices.Sort(all)
	return strings.Join(all, ",")
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

// recorder notes that a service was created or changed.
type recorder struct {
	http.ResponseWriter
	placed func()
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if status == http.StatusOK || status == http.StatusCreated || status == http.StatusAccepted {
		r.placed()
		r.placed = func() {}
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

package node

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// place is what the control plane knows of where a service is. A single home notes those of other regions alone.
type place struct {
	Region tandem.Region `json:"region"`
	// Seen is the service as its region last told it: what lists answer while the region is down.
	Seen json.RawMessage `json:"seen,omitempty"`
}

const placesPrefix = "places"

// placed tells where a service is, by its lower-case id.
func (n *Node) placed(ctx context.Context, id string) (tandem.Region, bool) {
	d, err := n.shared.Get(ctx, placesPrefix+id, 0)
	if err != nil {
		return "", false
	}
	var p place
	if json.Unmarshal(d.Value, &p) != nil {
		return "", false
	}
	return p.Region, true
}

// place notes where a service is, and keeps what is known of it there.
func (n *Node) place(ctx context.Context, id string, region tandem.Region) {
	if placed, ok := n.placed(ctx, id); !ok || placed != region {
		n.putPlace(ctx, id, place{Region: region})
	}
}

func (n *Node) putPlace(ctx context.Context, id string, p place) {
	value, err := json.Marshal(p)
	if err == nil {
		_, err = n.shared.Commit(ctx, store.Batch{Put: []store.Write{{Key: placesPrefix + strings.ToLower(id), Value: value}}})
	}
	if err != nil {
		n.Log.Error("where a service is cannot be noted; calls for it will not find it", "service", id, "region", p.Region, "error", err)
	}
}

// noteSeen keeps what a region tells of a service, where it is new.
func (n *Node) noteSeen(ctx context.Context, id string, region tandem.Region, raw json.RawMessage) {
	if d, err := n.shared.Get(ctx, placesPrefix+strings.ToLower(id), 0); err == nil {
		var p place
		if json.Unmarshal(d.Value, &p) == nil && p.Region == region && bytes.Equal(p.Seen, raw) {
			return
		}
	}
	n.putPlace(ctx, id, place{Region: region, Seen: raw})
}

// stillThere refuses to make a service in another region than the one that has it.
func (n *Node) stillThere(ctx context.Context, id string, placed, wanted tandem.Region) error {
	views, err := n.viewsOf(ctx, placed)
	if err != nil {
		return arm.Errorf(http.StatusServiceUnavailable, "RegionUnavailable", "The service is in %s, which does not answer; it cannot be made in %s as well.", placed, wanted)
	}
	for _, v := range views {
		if v.View != nil && strings.EqualFold(v.ID, id) {
			return arm.Errorf(http.StatusConflict, "InvalidResourceLocation", "The service is in %s; a service cannot be moved to %s. Create another one there.", placed, wanted)
		}
	}
	return nil
}

// serves tells whether a service is in this node's region.
func (n *Node) serves(ctx context.Context, id string) bool {
	parsed, err := tandem.ParseResourceID(id)
	if err != nil {
		return false
	}
	_, _, err = n.apim.Find(ctx, parsed)
	return err == nil
}

// checkGroup refuses a call on a service in another region when its resource group does not exist.
func (n *Node) checkGroup(r *http.Request) error {
	parts := strings.FieldsFunc(r.URL.Path, func(c rune) bool { return c == '/' })
	p := n.controlPlane()
	if p == nil || len(parts) < 4 {
		return nil
	}
	if err := p.resources.CheckSubscription(r.Context(), parts[1]); err != nil {
		return err
	}
	return p.resources.CheckResourceGroup(r.Context(), parts[1], parts[3], r.Method == http.MethodPut || r.Method == http.MethodPatch)
}

// isServiceList tells the calls that list services of all regions.
func isServiceList(r *http.Request) bool {
	path := strings.ToLower("/" + strings.Join(strings.FieldsFunc(r.URL.Path, func(c rune) bool { return c == '/' }), "/"))
	return r.Method == http.MethodGet && strings.HasPrefix(path, "/subscriptions/") && strings.HasSuffix(path, "/providers/microsoft.apimanagement/service")
}

// listServices answers the services of all regions: this one's, and the peers'. A region that does not answer is told by
// what it said last.
func (p *placement) listServices(w http.ResponseWriter, r *http.Request) {
	own := newCaptured()
	p.local.ServeHTTP(own, r)
	var list struct {
		Value []json.RawMessage `json:"value"`
	}
	if own.Code != http.StatusOK || json.Unmarshal(own.Body.Bytes(), &list) != nil {
		for name, v := range own.Header() {
			w.Header()[name] = v
		}
		w.WriteHeader(own.Code)
		_, _ = w.Write(own.Body.Bytes())
		return
	}
	for region := range p.to {
		list.Value = append(list.Value, p.n.servicesOf(r, region, p.to[region])...)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(list) // the client went away; there is nobody to tell
}

// servicesOf asks another region for its services, and remembers them.
func (n *Node) servicesOf(r *http.Request, region tandem.Region, to http.Handler) []json.RawMessage {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	answer := newCaptured()
	to.ServeHTTP(answer, r.Clone(ctx))
	var list struct {
		Value []json.RawMessage `json:"value"`
	}
	if answer.Code == http.StatusOK && json.Unmarshal(answer.Body.Bytes(), &list) == nil {
		for _, raw := range list.Value {
			var head arm.Resource
			if json.Unmarshal(raw, &head) == nil && head.ID != "" {
				n.noteSeen(r.Context(), head.ID, region, raw)
			}
		}
		return list.Value
	}
	n.Log.Warn("a region does not answer; its services are listed as it told them last", "region", region, "status", answer.Code)
	prefix, _, _ := strings.Cut(strings.ToLower(r.URL.Path), "/providers/")
	l, err := n.shared.List(r.Context(), placesPrefix+"/"+strings.Trim(prefix, "/")+"/", store.ListOptions{})
	if err != nil {
		return nil
	}
	var out []json.RawMessage
	for _, d := range l.Documents {
		var p place
		if json.Unmarshal(d.Value, &p) == nil && p.Region == region && p.Seen != nil {
			out = append(out, p.Seen)
		}
	}
	return out
}

func formatRevision(r tandem.Revision) string { return strconv.FormatInt(int64(r), 10) }

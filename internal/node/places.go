package node

import (
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

// place is what the home knows of a service in another region.
type place struct {
	Region tandem.Region `json:"region"`
	// Seen is the service as its region last told it: what lists answer while the region is down.
	Seen json.RawMessage `json:"seen,omitempty"`
}

const placesPrefix = "places"

// placed tells where a service is, by its lower-case id.
func (n *Node) placed(ctx context.Context, id string) (tandem.Region, bool) {
	d, err := n.store.Get(ctx, placesPrefix+id, 0)
	if err != nil {
		return "", false
	}
	var p place
	if json.Unmarshal(d.Value, &p) != nil {
		return "", false
	}
	return p.Region, true
}

// place notes where a service is.
func (n *Node) place(ctx context.Context, id string, region tandem.Region) {
	n.putPlace(ctx, id, place{Region: region})
}

func (n *Node) putPlace(ctx context.Context, id string, p place) {
	value, err := json.Marshal(p)
	if err == nil {
		_, err = n.store.Commit(ctx, store.Batch{Put: []store.Write{{Key: placesPrefix + strings.ToLower(id), Value: value}}})
	}
	if err != nil {
		n.Log.Error("where a service is cannot be noted; calls for it will not find it", "service", id, "region", p.Region, "error", err)
	}
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
	if n.resources == nil || len(parts) < 4 {
		return nil
	}
	if err := n.resources.CheckSubscription(r.Context(), parts[1]); err != nil {
		return err
	}
	return n.resources.CheckResourceGroup(r.Context(), parts[1], parts[3], r.Method == http.MethodPut || r.Method == http.MethodPatch)
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
				n.putPlace(r.Context(), head.ID, place{Region: region, Seen: raw})
			}
		}
		return list.Value
	}
	n.Log.Warn("a region does not answer; its services are listed as it told them last", "region", region, "status", answer.Code)
	prefix, _, _ := strings.Cut(strings.ToLower(r.URL.Path), "/providers/")
	l, err := n.store.List(r.Context(), placesPrefix+"/"+strings.Trim(prefix, "/")+"/", store.ListOptions{})
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

package node

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"tandem"
	"tandem/internal/store"
)

// poke asks for work that is done once, however often it was asked for meanwhile.
type poke struct{ c chan tandem.Region }

func newPoke() poke { return poke{make(chan tandem.Region, 16)} }

// ask never waits: where too many have asked, all is looked at soon anyway.
func (p poke) ask(r tandem.Region) {
	select {
	case p.c <- r:
	default:
	}
}

// lookAtRegions is how often the services of all regions are looked at: what a list shows of a region that died since is no
// older.
const lookAtRegions = 15 * time.Second

// refreshPlaces keeps what is known of the services of the regions: at once of a region in which a service was changed by way
// of this node, and of all from time to time. Of several control members the leader does the latter.
func (n *Node) refreshPlaces(ctx context.Context) {
	n.refreshAll(ctx)
	next := n.Clock.After(lookAtRegions)
	for {
		select {
		case <-ctx.Done():
			return
		case region := <-n.seen.c:
			n.refreshRegion(ctx, region)
		case <-next:
			n.refreshAll(ctx)
			next = n.Clock.After(lookAtRegions)
		}
	}
}

func (n *Node) refreshAll(ctx context.Context) {
	if !n.Leading() {
		return
	}
	for _, p := range n.Peers {
		if !p.Witness {
			n.refreshRegion(ctx, p.Region)
		}
	}
	if n.Control != nil && !n.Witness {
		n.refreshRegion(ctx, n.Region)
	}
}

// refreshRegion asks a region for its services and notes what is new. A region that does not answer stays as it is known.
func (n *Node) refreshRegion(ctx context.Context, region tandem.Region) {
	if region == n.Region && n.Control == nil {
		return // a single home knows its own
	}
	before, err := n.placesOf(ctx, region)
	if err != nil {
		return // the shared store does not answer; it is looked at again
	}
	views, err := n.viewsOf(ctx, region)
	if err != nil {
		return // the region does not answer; likewise
	}
	for _, v := range views {
		key := placesPrefix + strings.ToLower(v.ID)
		if known, ok := before[key]; !ok || !bytes.Equal(known.place.Seen, v.View) {
			n.putPlace(ctx, v.ID, place{Region: region, Seen: v.View})
		}
		delete(before, key)
	}
	for key, gone := range before { // unless it was made there meanwhile
		_, _ = n.shared.Commit(ctx, store.Batch{If: []store.Condition{{Key: key, Revision: gone.at}}, Delete: []string{key}}) // it is looked at again
	}
}

type knownPlace struct {
	place place
	at    tandem.Revision
}

// placesOf are the services that are noted for a region, by key.
func (n *Node) placesOf(ctx context.Context, region tandem.Region) (map[string]knownPlace, error) {
	out := map[string]knownPlace{}
	o := store.ListOptions{Limit: 500}
	for {
		l, err := n.shared.List(ctx, placesPrefix+"/", o)
		if err != nil {
			return nil, err
		}
		for _, d := range l.Documents {
			var p place
			if json.Unmarshal(d.Value, &p) == nil && p.Region == region {
				out[d.Key] = knownPlace{p, d.Revision}
			}
			o.After = d.Key
		}
		if o.At = l.Revision; !l.More {
			return out, nil
		}
	}
}

// serviceView is a service of a region.
type serviceView struct {
	ID   string          `json:"id"`
	View json.RawMessage `json:"view,omitempty"` // as lists show it; empty for one that was deleted and can be brought back
}

// viewsOf are the services of a region.
func (n *Node) viewsOf(ctx context.Context, region tandem.Region) ([]serviceView, error) {
	if region == n.Region {
		return n.ownViews(ctx)
	}
	for _, p := range n.Peers {
		if p.Region == region {
			var views []serviceView
			err := n.callPeer(ctx, http.MethodGet, p.Internal+viewsPath, nil, &views)
			return views, err
		}
	}
	return nil, &tandem.Error{Op: "ask region", Subject: string(region), Kind: tandem.NotFound}
}

func (n *Node) ownViews(ctx context.Context) ([]serviceView, error) {
	records, err := n.apim.Records(ctx)
	out := []serviceView{}
	for _, rec := range records {
		v := serviceView{ID: rec.ID}
		if rec.Deleted == "" {
			if v.View, err = json.Marshal(n.apim.ServiceView(rec)); err != nil {
				return nil, err
			}
		}
		out = append(out, v)
	}
	return out, err
}

func (n *Node) serveViews(w http.ResponseWriter, r *http.Request) {
	views, err := n.ownViews(r.Context())
	if err != nil {
		writeKind(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(views) // the peer went away; it asks again
}

package recovery

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tandem/internal/arm"
	"tandem/internal/failover"
	"tandem/internal/store"
)

// runView is a run as a child resource.
func runView(group string, rec Record) map[string]any {
	return map[string]any{"id": group + "/runs/" + rec.ID, "name": rec.ID, "type": Namespace + "/" + TypeName + "/runs", "properties": rec}
}

func (p *Provider) runs(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	g, _, err := p.load(ctx, r)
	if err != nil {
		return nil, err
	}
	all, err := p.c.runsOf(ctx, g.ID)
	if err != nil {
		return nil, err
	}
	views := make([]map[string]any, 0, len(all))
	for _, rec := range all {
		views = append(views, runView(g.ID, rec))
	}
	page, err := arm.Paginate(r, views, 50)
	return &arm.Response{Status: http.StatusOK, Body: page}, err
}

// runsOf lists a group's runs, the newest first.
func (c *Controller) runsOf(ctx context.Context, group string) ([]Record, error) {
	at, err := place(group)
	if err != nil {
		return nil, err
	}
	all, err := readAll[Record](ctx, c.Store, runPrefix+at+"/", store.ListOptions{})
	slices.SortFunc(all, func(a, b Record) int { return b.Started.Compare(a.Started) })
	return all, err
}

func (p *Provider) loadRun(ctx context.Context, r *arm.Request) (groupDoc, string, Record, error) {
	g, _, err := p.load(ctx, r)
	if err != nil {
		return g, "", Record{}, err
	}
	at, err := place(g.ID)
	if err != nil {
		return g, "", Record{}, err
	}
	rec, revision, err := read[Record](ctx, p.c.Store, runPrefix+at+"/"+strings.ToLower(r.Params["run"]))
	if err == nil && revision == 0 {
		err = arm.Errorf(http.StatusNotFound, "ResourceNotFound", "The recovery group '%s' has no run '%s'; see its runs.", g.Name, r.Params["run"])
	}
	return g, at, rec, err
}

func (p *Provider) run(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	g, _, rec, err := p.loadRun(ctx, r)
	return &arm.Response{Status: http.StatusOK, Body: runView(g.ID, rec)}, err
}

func (p *Provider) facts(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	g, _, err := p.load(ctx, r)
	if err != nil {
		return nil, err
	}
	at, err := place(g.ID)
	if err != nil {
		return nil, err
	}
	all, err := readAll[Entry](ctx, p.c.Store, factPrefix+at+"/", store.ListOptions{})
	if err != nil {
		return nil, err
	}
	slices.Reverse(all)
	page, err := arm.Paginate(r, all, 200)
	return &arm.Response{Status: http.StatusOK, Body: page}, err
}

// conflictView is a conflict as people decide it: ours is the holder's side, theirs the returning member's.
type conflictView struct {
	Key    string            `json:"key"`
	Base   failover.Document `json:"base"`
	Ours   failover.Document `json:"ours"`
	Theirs failover.Document `json:"theirs"`
	Chosen string            `json:"chosen,omitempty"`
}

func sideText(s failover.Side) string { return [...]string{"", "ours", "theirs"}[int(s)%3] }

func (p *Provider) conflicts(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	_, at, rec, err := p.loadRun(ctx, r)
	if err != nil {
		return nil, err
	}
	all, err := readAll[failover.Conflict](ctx, p.c.Store, conflictPrefix+at+"/"+rec.ID+"/", store.ListOptions{})
	if err != nil {
		return nil, err
	}
	decided, _, err := read[map[string]failover.Side](ctx, p.c.Store, decisionPrefix+at+"/"+rec.ID)
	if err != nil {
		return nil, err
	}
	views := make([]conflictView, 0, len(all))
	for _, c := range all {
		if d := decided[c.Key]; d != failover.Neither {
			c.Chosen = d
		}
		views = append(views, conflictView{c.Key, c.Base, c.Ours, c.Theirs, sideText(c.Chosen)})
	}
	page, err := arm.Paginate(r, views, 100)
	return &arm.Response{Status: http.StatusOK, Body: page}, err
}

// orphans tells where the writes lie that were acknowledged, or not, by the former holder and never replicated.
func (p *Provider) orphans(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	_, _, rec, err := p.loadRun(ctx, r)
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"run": rec.ID, "count": rec.Orphans, "snapshot": rec.Kept}}, nil
}

func (p *Provider) runEvidence(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	_, at, rec, err := p.loadRun(ctx, r)
	if err != nil {
		return nil, err
	}
	if rec.Evidence == 0 {
		return nil, arm.Errorf(http.StatusNotFound, "ResourceNotFound", "The run '%s' has no evidence yet: it is sealed when the run has ended.", rec.ID)
	}
	return p.evidenceAt(ctx, r, at, rec.Evidence)
}

func (p *Provider) showEvidence(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	at, err := place(idOf(r))
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(r.Params["number"], 10, 64)
	if err != nil {
		return nil, arm.Errorf(http.StatusNotFound, "ResourceNotFound", "Reports have numbers; see the list of evidence.")
	}
	return p.evidenceAt(ctx, r, at, n)
}

package recovery

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"tandem/internal/arm"
	"tandem/internal/failover"
	"tandem/internal/store"
)

// actions are the verbs of a group: POST …/recoveryGroups/{name}/{verb}.
func (p *Provider) actions() map[string]arm.Handler {
	return map[string]arm.Handler{
		"failover": p.request(failover.Failover), "switchover": p.request(failover.Switchover), "failback": p.request(failover.Failback),
		"rejoin": p.request(failover.Rejoin), "drill": p.drill, "approve": p.approve, "override": p.override, "hold": p.hold,
		"resolve": p.resolve, "cancel": p.cancelCurrent, "backup": p.job(jobBackup), "sync": p.job(jobSync),
	}
}

// person names who calls, each one differently.
func person(r *arm.Request) string {
	switch {
	case r.Principal.Name == "":
		return r.Principal.ObjectID
	case r.Principal.ObjectID == "" || r.Principal.ObjectID == r.Principal.Name:
		return r.Principal.Name
	default:
		return r.Principal.Name + " (" + r.Principal.ObjectID + ")"
	}
}

// wish hands a person's event to the leader. What the core turns down is an error: 409 with its reason and remedy.
func (p *Provider) wish(ctx context.Context, r *arm.Request, e failover.Event) (reply, *runner, error) {
	if _, _, err := p.load(ctx, r); err != nil {
		return reply{}, nil, err
	}
	run, err := p.c.runner("ask for "+strings.TrimPrefix(r.Path[strings.LastIndexByte(r.Path, '/'):], "/"), idOf(r))
	if err != nil {
		return reply{}, nil, err
	}
	a, err := run.ask(ctx, e, nil)
	if err != nil {
		return reply{}, nil, err
	}
	for _, x := range a.actions {
		if x.Kind == failover.Record && x.Fact.Kind == failover.Turned {
			return a, run, arm.Errorf(http.StatusConflict, "TurnedDown", "%s", strings.ToUpper(x.Fact.Note[:1])+x.Fact.Note[1:]+".")
		}
	}
	return a, run, nil
}

// accepted answers with the run that is on, and where to follow it.
func (p *Provider) accepted(r *arm.Request, a reply) *arm.Response {
	id := coreRunID(a.state.Run.Number)
	link := r.Link(idOf(r)+"/runs/"+id, "api-version="+APIVersion)
	return &arm.Response{Status: http.StatusAccepted, Header: http.Header{"Location": {link}}, Body: map[string]any{"run": id, "kind": a.state.Run.Kind.String(), "step": a.state.Run.Step.String()}}
}

func (p *Provider) request(kind failover.Kind) arm.Handler {
	return func(ctx context.Context, r *arm.Request) (*arm.Response, error) {
		if strings.EqualFold(r.Query["dryrun"], "true") {
			return p.dryRun(ctx, r, kind)
		}
		a, _, err := p.wish(ctx, r, failover.Requested{Kind: kind, By: person(r)})
		if err != nil {
			return nil, err
		}
		return p.accepted(r, a), nil
	}
}

func (p *Provider) drill(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		Kind string `json:"kind"`
	}
	if len(r.Body) > 0 {
		if err := r.Decode(&body); err != nil {
			return nil, err
		}
	}
	switch body.Kind {
	case "", "rehearsal":
		return p.request(failover.Drill)(ctx, r)
	case "full":
		return p.request(failover.FullDrill)(ctx, r)
	}
	return nil, refuse(Problems{{"kind", fmt.Sprintf("%q is not known", body.Kind), "write rehearsal or full"}})
}

// activeRun is the number of the run that a body names, or of the one that is on.
func (p *Provider) activeRun(ctx context.Context, r *arm.Request, named string) (uint32, error) {
	at, err := place(idOf(r))
	if err != nil {
		return 0, err
	}
	doc, _, err := read[stateDoc](ctx, p.c.Store, statePrefix+at)
	if err != nil {
		return 0, err
	}
	if !doc.State.Run.Active() || named != "" && !strings.EqualFold(named, coreRunID(doc.State.Run.Number)) {
		return 0, arm.Errorf(http.StatusConflict, "NoSuchRun", "No such run is active; see the group's runs.")
	}
	return doc.State.Run.Number, nil
}

type runBody struct {
	Run string `json:"run"`
}

func (b *runBody) read(r *arm.Request) error {
	if len(r.Body) == 0 {
		return nil
	}
	return r.Decode(b)
}

func (p *Provider) approve(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body runBody
	if err := body.read(r); err != nil {
		return nil, err
	}
	number, err := p.activeRun(ctx, r, body.Run)
	if err != nil {
		return nil, err
	}
	a, _, err := p.wish(ctx, r, failover.Approved{Run: number, By: person(r)})
	if err != nil {
		return nil, err
	}
	if len(a.actions) == 0 {
		return nil, arm.Errorf(http.StatusConflict, "NothingToApprove", "The run does not wait for this person's consent: it was given already, or is not needed any more. Another person may be needed.")
	}
	return p.accepted(r, a), nil
}

// override takes the gates and the loss that the person was shown; unknown as a loss accepts any.
func (p *Provider) override(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		Run   string   `json:"run"`
		Gates []string `json:"gates"`
		Loss  string   `json:"loss"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	e := failover.Overridden{By: person(r)}
	for _, name := range body.Gates {
		found := false
		for g := range failover.Gates {
			if g.String() == name {
				e.Gates, found = e.Gates|1<<g, true
			}
		}
		if !found {
			return nil, refuse(Problems{{"gates", fmt.Sprintf("%q is not known", name), "write lag, generation, keys, certificates, backends, as the refusal names them"}})
		}
	}
	if body.Loss != "unknown" {
		d, err := ParseDuration(body.Loss)
		if err != nil {
			return nil, refuse(Problems{{"loss", err.Error(), "repeat the loss that the refusal names, or write unknown to accept any"}})
		}
		e.Loss = failover.Bound{Known: true, Most: ticks(d)}
	}
	number, err := p.activeRun(ctx, r, body.Run)
	if err != nil {
		return nil, err
	}
	e.Run = number
	a, _, err := p.wish(ctx, r, e)
	if err != nil {
		return nil, err
	}
	return p.accepted(r, a), nil
}

func (p *Provider) hold(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct{ Roles, Traffic *bool }
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	at, err := place(idOf(r))
	if err != nil {
		return nil, err
	}
	doc, _, err := read[stateDoc](ctx, p.c.Store, statePrefix+at)
	if err != nil {
		return nil, err
	}
	h := doc.State.Hold
	if body.Roles != nil {
		h.Roles = *body.Roles
	}
	if body.Traffic != nil {
		h.Traffic = *body.Traffic
	}
	a, _, err := p.wish(ctx, r, failover.HoldSet{Hold: h, By: person(r)})
	if err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"roles": a.state.Hold.Roles, "traffic": a.state.Hold.Traffic}}, nil
}

// resolve takes decisions on conflicts, by key. When none is open any more, the merge goes on.
func (p *Provider) resolve(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body struct {
		Run       string            `json:"run"`
		All       string            `json:"all"`
		Decisions map[string]string `json:"decisions"`
	}
	if err := r.Decode(&body); err != nil {
		return nil, err
	}
	number, err := p.activeRun(ctx, r, body.Run)
	if err != nil {
		return nil, err
	}
	at, err := place(idOf(r))
	if err != nil {
		return nil, err
	}
	run := at + "/" + coreRunID(number)
	all, err := readAll[failover.Conflict](ctx, p.c.Store, conflictPrefix+run+"/", store.ListOptions{})
	if err != nil {
		return nil, err
	}
	decided, revision, err := read[map[string]failover.Side](ctx, p.c.Store, decisionPrefix+run)
	if err != nil {
		return nil, err
	}
	next, left, err := decide(all, maps.Clone(decided), body.All, body.Decisions)
	if err != nil {
		return nil, err
	}
	w, err := write(decisionPrefix+run, next)
	if err != nil {
		return nil, err
	}
	if _, err := p.c.Store.Commit(ctx, store.Batch{If: []store.Condition{{Key: decisionPrefix + run, Revision: revision}}, Put: []store.Write{w}}); err != nil {
		return nil, err
	}
	if left == 0 {
		if _, _, err := p.wish(ctx, r, failover.Resolved{Run: number, By: person(r)}); err != nil {
			return nil, err
		}
	}
	return &arm.Response{Status: http.StatusOK, Body: map[string]any{"run": coreRunID(number), "decided": len(next), "open": left}}, nil
}

// decide adds decisions and counts the conflicts that stay open.
func decide(all []failover.Conflict, decided map[string]failover.Side, rest string, by map[string]string) (map[string]failover.Side, int, error) {
	sides := map[string]failover.Side{"ours": failover.Ours, "theirs": failover.Theirs}
	if decided == nil {
		decided = map[string]failover.Side{}
	}
	known := map[string]bool{}
	for _, c := range all {
		known[c.Key] = true
	}
	for key, text := range by {
		side, ok := sides[text]
		if !ok || !known[key] {
			return nil, 0, refuse(Problems{{"decisions." + key, "there is no such conflict or side", "name a key from the run's conflicts, and ours or theirs"}})
		}
		decided[key] = side
	}
	if side, ok := sides[rest]; rest != "" && !ok {
		return nil, 0, refuse(Problems{{"all", fmt.Sprintf("%q is no side", rest), "write ours or theirs"}})
	} else if ok {
		for key := range known {
			if decided[key] == failover.Neither {
				decided[key] = side
			}
		}
	}
	left := 0
	for _, c := range all {
		if c.Chosen == failover.Neither && decided[c.Key] == failover.Neither {
			left++
		}
	}
	return decided, left, nil
}

func (p *Provider) cancelCurrent(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	var body runBody
	if err := body.read(r); err != nil {
		return nil, err
	}
	return p.cancelRun(ctx, r, body.Run)
}

func (p *Provider) cancel(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	return p.cancelRun(ctx, r, r.Params["run"])
}

// cancelRun gives a run up where that is possible. A run that moves roles also puts roles on hold, so that it does not begin anew.
func (p *Provider) cancelRun(ctx context.Context, r *arm.Request, id string) (*arm.Response, error) {
	if id != "" && !strings.HasPrefix(strings.ToLower(id), "run-") {
		return p.cancelJob(ctx, r, strings.ToLower(id))
	}
	number, err := p.activeRun(ctx, r, id)
	if err != nil {
		return nil, err
	}
	a, _, err := p.wish(ctx, r, failover.Cancelled{Run: number, By: person(r)})
	if err != nil {
		return nil, err
	}
	return p.accepted(r, a), nil
}

// dryRun tries the gates and tells what would happen, without doing it.
func (p *Provider) dryRun(ctx context.Context, r *arm.Request, kind failover.Kind) (*arm.Response, error) {
	g, _, err := p.load(ctx, r)
	if err != nil {
		return nil, err
	}
	run, err := p.c.runner("try "+kind.String(), g.ID)
	if err != nil {
		return nil, err
	}
	look := run.look()
	st, now := look.doc.State, look.now
	to := st.Holder.Other()
	out := map[string]any{"kind": kind.String(), "from": run.member(st.Holder), "to": run.member(to), "dryRun": true}
	next, actions := failover.Step(st, failover.Requested{Kind: kind, By: person(r)}, now)
	for _, a := range actions {
		if a.Kind == failover.Record && a.Fact.Kind == failover.Turned {
			out["refused"] = a.Fact.Note
		}
	}
	ctx, done := context.WithTimeout(ctx, limit(failover.Prove))
	defer done()
	var unmet []string
	loss := look.lag
	if kind != failover.Failover {
		loss = failover.Bound{Known: true}
	}
	site, err := p.c.Sites(run.member(to))
	if err == nil {
		var o Outcome
		o, err = site.Do(ctx, Task{Group: g.ID, Service: run.member(to), ID: failover.ActionID{Round: uint16(now), Step: failover.Prove}, Epoch: st.Epoch, TrafficName: g.Properties.TrafficName()})
		out["findings"] = findingTexts(o.Findings)
		for gate, result := range o.Gates {
			if failover.Gate(gate) != failover.LagGate && result != failover.Pass {
				unmet = append(unmet, failover.Gate(gate).String())
			}
		}
	}
	if err != nil {
		out["gatesError"] = err.Error()
		unmet = append(unmet, "generation", "keys", "certificates", "backends")
	}
	if kind == failover.Failover && (!loss.Known || loss.Most > st.Config.Objective) {
		unmet = append([]string{"lag"}, unmet...)
	}
	out["gates"], out["loss"], out["consequences"] = unmet, lossText(loss), consequences(kind, next, run, loss, unmet)
	return &arm.Response{Status: http.StatusOK, Body: out}, nil
}

func lossText(b failover.Bound) string {
	if !b.Known {
		return "unknown"
	}
	return plainDuration(time.Duration(b.Most) * time.Millisecond)
}

// consequences says in plain words what a run would bring.
func consequences(kind failover.Kind, st failover.State, run *runner, loss failover.Bound, unmet []string) []string {
	from, to := lastSegment(run.member(st.Holder)), lastSegment(run.member(st.Holder.Other()))
	var out []string
	switch kind {
	case failover.Failover:
		out = append(out, fmt.Sprintf("%s stops accepting management writes; %s accepts them from then on", from, to))
		if loss.Known {
			out = append(out, fmt.Sprintf("at most %s of acknowledged configuration changes may be missing in %s; they are kept as orphans in %s until it comes back", lossText(loss), to, from))
		} else {
			out = append(out, "nobody knows how much configuration would be missing: the standby's lag is not known")
		}
		out = append(out, "afterwards the two have gone apart: run rejoin or failback when "+from+" is back")
	default:
		out = append(out, fmt.Sprintf("%s finishes its writes, %s catches up, and takes over; nothing is lost", from, to),
			"management writes are refused with 503 for the few moments between; requests to the gateways go on")
	}
	if st.Hold.Traffic {
		out = append(out, "traffic is on hold and does not move")
	}
	if len(unmet) > 0 {
		out = append(out, "the run would stop at the gates "+strings.Join(unmet, ", ")+" until they pass or a person overrides them")
	}
	if st.Config.Approval != failover.Automatic {
		out = append(out, fmt.Sprintf("%d people must approve, counting who asks", int(st.Config.Approval)))
	}
	return out
}

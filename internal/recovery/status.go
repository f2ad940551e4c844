package recovery

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/failover"
)

// StatusView is what one screen says of a group: who serves, how far the standby is, what is proven, what is wrong and what to do.
type StatusView struct {
	Group    string         `json:"group"`
	Name     string         `json:"name"`
	Epoch    tandem.Epoch   `json:"epoch"`
	Holder   string         `json:"holder"`  // who may accept management writes
	Traffic  string         `json:"traffic"` // where clients are sent
	Mode     Mode           `json:"mode"`
	Members  []MemberStatus `json:"members"`
	Loss     string         `json:"lossBound"` // what a failover now could lose: "1.2s", or "unknown"
	RPO      Objective      `json:"rpo"`
	RTO      Objective      `json:"rto"`
	Hold     string         `json:"hold,omitempty"`
	Run      *Record        `json:"run,omitempty"` // that is on
	Backup   *Record        `json:"lastProvenBackup,omitempty"`
	Drill    *Record        `json:"lastDrill,omitempty"`
	Next     []NextRun      `json:"next,omitempty"`
	Problems []Trouble      `json:"problems"`
	Time     time.Time      `json:"time"`
}

// MemberStatus is one member.
type MemberStatus struct {
	Service string     `json:"service"`
	Role    string     `json:"role"`   // primary, standby
	Health  string     `json:"health"` // up, down, unclear: by a quorum of the witnesses
	State   *SiteState `json:"state,omitempty"`
	Error   string     `json:"error,omitempty"`
}

// Objective is a promise and whether it is kept now: met, missed, or unproven.
type Objective struct {
	Objective string `json:"objective"`
	Actual    string `json:"actual,omitempty"`
	Result    string `json:"result"`
}

// NextRun is what a schedule does next.
type NextRun struct {
	What string    `json:"what"`
	At   time.Time `json:"at"`
}

// Trouble is what is wrong and what to do, in plain words.
type Trouble struct {
	What   string `json:"what"`
	Remedy string `json:"remedy"`
}

// statusTimeout bounds how long a status waits for a member.
const statusTimeout = 3 * time.Second

func (p *Provider) status(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	g, _, err := p.load(ctx, r)
	if err != nil {
		return nil, err
	}
	v, err := p.c.Status(ctx, g.ID)
	return &arm.Response{Status: http.StatusOK, Body: v}, err
}

// Status tells how a group is.
func (c *Controller) Status(ctx context.Context, group string) (*StatusView, error) {
	run, err := c.runner("tell status", group)
	if err != nil {
		return nil, err
	}
	look := run.look()
	if !look.loaded {
		return nil, &tandem.Error{Op: "tell status", Subject: group, Kind: tandem.Unavailable, Remedy: "the leader is taking over; ask again"}
	}
	st, g := look.doc.State, look.group
	members := g.Properties.Members()
	v := &StatusView{Group: g.ID, Name: g.Name, Epoch: st.Epoch, Holder: members[st.Holder], Traffic: members[st.Traffic], Mode: g.Properties.Mode,
		Loss: lossText(look.lag), Problems: []Trouble{}, Time: c.Clock.Now().UTC()}
	if st.Hold != (failover.Hold{}) {
		v.Hold = st.Hold.String()
	}
	v.Members = c.members(ctx, st, members)
	v.RPO = Objective{plainDuration(g.Properties.RPO()), v.Loss, "unproven"}
	if look.lag.Known {
		v.RPO.Result = "missed"
		if look.lag.Most <= st.Config.Objective {
			v.RPO.Result = "met"
		}
	}
	v.RTO = Objective{Objective: plainDuration(g.Properties.RTO()), Result: "unproven"}
	runs, err := c.runsOf(ctx, group)
	if err != nil {
		return nil, err
	}
	for i, rec := range runs {
		switch {
		case rec.Ended.IsZero() && v.Run == nil:
			v.Run = &runs[i]
		case v.Backup == nil && rec.Status == Succeeded && (rec.Kind == jobBackup || rec.Kind == jobSync):
			v.Backup = &runs[i]
		case v.Drill == nil && rec.Status == Succeeded && (rec.Kind == failover.Drill.String() || rec.Kind == failover.FullDrill.String()):
			v.Drill = &runs[i]
		}
	}
	v.Next = plans(g.Properties, c.Clock.Now())
	v.troubles(st, g, runs, run.notify.troubles())
	if now := ticks(tandem.Boottime(c.Clock)); st.Health[st.Holder].Verdict == failover.Down && !st.Run.Active() && !st.HoldDown.Over(now) {
		v.trouble("a person may act before: 'tandem failover "+g.Name+"'", "the roles moved a short while ago, so the group moves them by itself only in %s", plainDuration(time.Duration(st.HoldDown.Until-now)*time.Millisecond))
	}
	return v, nil
}

// members asks both sites at once.
func (c *Controller) members(ctx context.Context, st failover.State, ids [2]string) []MemberStatus {
	ctx, done := context.WithTimeout(ctx, statusTimeout)
	defer done()
	out := make([]MemberStatus, len(ids))
	wait := make(chan int, len(ids))
	for i, id := range ids {
		out[i] = MemberStatus{Service: id, Role: "standby", Health: st.Health[i].Verdict.String()}
		if st.Holder == failover.Service(i) {
			out[i].Role = "primary"
		}
		go func() {
			site, err := c.Sites(id)
			if err == nil {
				var s SiteState
				if s, err = site.State(ctx, id); err == nil {
					out[i].State = &s
				}
			}
			if err != nil {
				out[i].Error = err.Error()
			}
			wait <- i
		}()
	}
	for range ids {
		<-wait
	}
	return out
}

// plans are what the schedules do next.
func plans(p Properties, now time.Time) []NextRun {
	var out []NextRun
	add := func(what string, s Schedule) {
		if at, err := s.next(now); err == nil {
			out = append(out, NextRun{what, at})
		}
	}
	if p.Schedule != nil {
		add(scheduled(p.Mode), *p.Schedule)
	}
	for _, d := range p.Drills {
		what := "drill"
		if d.Kind == "full" {
			what = "full drill"
		}
		add(what, d.Schedule)
	}
	slices.SortFunc(out, func(a, b NextRun) int { return a.At.Compare(b.At) })
	return out
}

func (v *StatusView) trouble(remedy, format string, args ...any) {
	v.Problems = append(v.Problems, Trouble{fmt.Sprintf(format, args...), remedy})
}

// troubles finds what is wrong and says what to do.
func (v *StatusView) troubles(st failover.State, g groupDoc, runs []Record, notices []string) {
	name := g.Name
	if st.Lost {
		v.trouble("bring the other sites back; until then only 'tandem failover "+name+"' is possible, unfenced", "two of three sites are lost: decisions are made on one site's copy")
	}
	for i, m := range v.Members {
		id := lastSegment(m.Service)
		switch {
		case st.Health[i].Verdict == failover.Down && m.Role == "primary":
			v.trouble("if it does not come back: 'tandem failover "+name+" --dry-run', then without --dry-run", "the primary %s is down", id)
		case st.Health[i].Verdict == failover.Down:
			v.trouble("bring it back; until then nothing can take over", "the standby %s is down", id)
		case st.Health[i].Verdict == failover.Inconclusive:
			v.trouble("check that the witnesses run and reach both services", "no quorum of witnesses sees %s clearly", id)
		}
		if m.State != nil && m.State.Held != "" {
			v.trouble("look at 'tandem diff', then release or drop it", "%s holds changes back: %s", id, m.State.Held)
		}
		if m.Error != "" {
			v.trouble("check its node and the network between", "%s does not tell its state: %s", id, m.Error)
		}
	}
	switch v.RPO.Result {
	case "missed":
		v.trouble("look at what slows the replication; a failover would stop at the lag gate", "a failover now could lose %s, the objective is %s", v.Loss, v.RPO.Objective)
	case "unproven":
		v.trouble("wait for the replication or the next run; a failover would stop at the lag gate", "nobody knows how much a failover now would lose")
	}
	if st.Apart {
		v.trouble("when it is back: 'tandem failback "+name+"', or rejoin it as the standby", "%s and %s went apart at the last failover", lastSegment(v.Members[0].Service), lastSegment(v.Members[1].Service))
	}
	for i, n := range st.Late {
		if n > 0 {
			v.trouble("compare the two with 'tandem diff' and decide what stays", "%s, which cannot be fenced, took %d writes after its epoch", lastSegment(v.Members[i].Service), n)
		}
	}
	if r := st.Run; r.Active() {
		id := coreRunID(r.Number)
		switch r.Step {
		case failover.Stopped:
			v.trouble("mend what fails, or accept it: POST "+v.Group+"/override with the gates and the loss that 'tandem runs "+name+" --json' shows", "%s waits: %s", id, orText(v.Run))
		case failover.Approve:
			v.trouble("'tandem approve "+name+"'", "%s waits for approval", id)
		case failover.Resolve:
			v.trouble("GET "+v.Group+"/runs/"+id+"/conflicts lists them; decide them with POST "+v.Group+"/resolve", "%s waits for conflicts to be decided", id)
		}
	}
	if v.Hold != "" {
		v.trouble("POST "+v.Group+"/hold with both holds off lets them move again", "%s on hold", v.Hold)
	}
	if i := slices.IndexFunc(runs, func(r Record) bool { return r.Kind == jobBackup || r.Kind == jobSync }); i >= 0 && runs[i].Status == Failed {
		v.trouble("'tandem runs show "+name+" "+runs[i].ID+"' tells the steps", "the last %s failed: %s", runs[i].Kind, runs[i].Reason)
	}
	for _, n := range notices {
		v.trouble("check the address and the service that takes it", "%s", n)
	}
}

func orText(r *Record) string {
	if r == nil || r.Reason == "" {
		return "gates do not pass"
	}
	return r.Reason
}

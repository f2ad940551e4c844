package recovery

import (
	"cmp"
	"time"

	"tandem/internal/failover"
)

// Namespace and TypeName name the resource of a recovery group; APIVersion is its only version.
const (
	Namespace  = "Tandem.Recovery"
	TypeName   = "recoveryGroups"
	APIVersion = "2026-01-01"
)

// Group is a recovery group as people write it, in YAML or JSON, in a file or to the API: one schema
// (docs/recovery-group.schema.json, docs/recovery.md).
type Group struct {
	ID         string            `json:"id,omitempty"` // of the ARM resource; in a file it may be left out where the command names the place
	Name       string            `json:"name,omitempty"`
	Type       string            `json:"type,omitempty"`
	Location   string            `json:"location,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Properties Properties        `json:"properties"`
}

// Properties are what the group asks for.
type Properties struct {
	Primary        Member         `json:"primary"`
	Standby        Member         `json:"standby"`
	Vault          *Vault         `json:"vault,omitempty"`
	TrafficProfile string         `json:"trafficProfile,omitempty"` // resource id of a Traffic Manager profile
	TrafficNames   []string       `json:"trafficNames,omitempty"`   // host names that clients use; certificates must be valid for each
	Mode           Mode           `json:"mode"`
	Schedule       *Schedule      `json:"schedule,omitempty"`
	Retention      *Retention     `json:"retention,omitempty"`
	Overlay        []OverlayRule  `json:"overlay,omitempty"`
	Probes         Probes         `json:"probes,omitzero"`
	Objectives     Objectives     `json:"objectives,omitzero"`
	Approval       string         `json:"approval,omitempty"` // automatic (the default), one, two
	OnLag          string         `json:"onLag,omitempty"`    // report (the default), refuse
	Failback       string         `json:"failback,omitempty"` // manual (the default), automatic
	Rejoin         string         `json:"rejoin,omitempty"`   // manual (the default), automatic
	HoldTraffic    bool           `json:"holdTraffic,omitempty"`
	Conflicts      string         `json:"conflicts,omitempty"` // person (the default), holder, returning, newest
	Notifications  []Notification `json:"notifications,omitempty"`
	Heartbeat      *Heartbeat     `json:"heartbeat,omitempty"`
	Drills         []DrillPlan    `json:"drills,omitempty"`
}

// Member is one of the two services.
type Member struct {
	ResourceID string `json:"resourceId"`
	// Fencing is lease (the default), or none for services that Tandem cannot fence, such as Azure's own: writes after the
	// epoch are then detected and reported (law 4).
	Fencing string `json:"fencing,omitempty"`
}

// Vault is where backups and the journal lie: a blob container, by id or by address.
type Vault struct {
	ResourceID string `json:"resourceId,omitempty"`
	URL        string `json:"url,omitempty"`
}

// Place is the vault's id or address; empty where there is none.
func (v *Vault) Place() string {
	if v == nil {
		return ""
	}
	return cmp.Or(v.ResourceID, v.URL)
}

// Schedule says when: five cron fields, and a zone by its IANA or Windows name.
type Schedule struct {
	Cron     string `json:"cron"`
	TimeZone string `json:"timeZone,omitempty"` // empty: UTC
}

// Retention says how much is kept.
type Retention struct {
	Backups int `json:"backups,omitempty"` // how many backups stay in the vault; 0: all
	Runs    int `json:"runs,omitempty"`    // how many runs stay in the history; 0: 200
}

// OverlayRule replaces text in what differs in the standby's region (docs/backup.md). One of Set and Replace is given.
type OverlayRule struct {
	Paths    []string `json:"paths"`
	Property string   `json:"property,omitempty"`
	Set      *string  `json:"set,omitempty"`
	Replace  string   `json:"replace,omitempty"`
	With     string   `json:"with,omitempty"`
}

// Probes are the measures of watching and of leases. Zero means the default in brackets.
type Probes struct {
	Witnesses int      `json:"witnesses,omitempty"` // how many places watch [3]
	Quorum    int      `json:"quorum,omitempty"`    // how many must agree [more than half]
	Lease     Duration `json:"lease,omitempty"`     // how long the primary may write without asking again [3s]
	Renew     Duration `json:"renew,omitempty"`     // how often it asks [a third of the lease]
	Margin    Duration `json:"margin,omitempty"`    // how far two clocks may drift apart during a lease [a tenth of it]
	Fresh     Duration `json:"fresh,omitempty"`     // a witness silent for longer does not count [2s]
	FailAfter Duration `json:"failAfter,omitempty"` // how long the primary is down before roles move [2s]
	Steady    Duration `json:"steady,omitempty"`    // how long a service is up before it is trusted again [1m]
	Retry     Duration `json:"retry,omitempty"`     // how long until a task that failed is tried again [1s]
	Attempts  int      `json:"attempts,omitempty"`  // how often, before a run is given up [8]
	Reprove   Duration `json:"reprove,omitempty"`   // how long until refused gates are tried again [30s]
	HoldDown  Duration `json:"holdDown,omitempty"`  // no automatic move of roles so soon after the last one [10m]
}

// Objectives are what the group promises.
type Objectives struct {
	RPO Duration `json:"rpo,omitempty"` // how much may be lost [continuous: a second more than the lease, 1s where onLag is refuse; 26h in the other modes]
	RTO Duration `json:"rto,omitempty"` // how long clients may be without service [2s]
}

// Notification is where to tell what happens. URL and Password are secrets: they are sealed at rest and never read back.
type Notification struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"` // webhook, slack, teams, mail
	URL      string   `json:"url,omitempty"`
	Server   string   `json:"server,omitempty"` // mail: host:port
	User     string   `json:"user,omitempty"`
	Password string   `json:"password,omitempty"`
	From     string   `json:"from,omitempty"`
	To       []string `json:"to,omitempty"`
	TLS      string   `json:"tls,omitempty"` // mail: required (the default), opportunistic, none
}

// Heartbeat is a dead man's switch: URL is called so often as long as recovery works, so that its silence tells. URL is a
// secret.
type Heartbeat struct {
	URL   string   `json:"url,omitempty"`
	Every Duration `json:"every,omitempty"` // [1m]
}

// DrillPlan is a drill by schedule.
type DrillPlan struct {
	Schedule Schedule `json:"schedule"`
	Kind     string   `json:"kind,omitempty"` // rehearsal (the default), full
}

// Config is what the group asks of its decisions. The group is valid.
func (p *Properties) Config() failover.Config {
	pr := p.Probes
	witnesses := cmp.Or(pr.Witnesses, 3)
	lease := pr.Lease.or(3 * time.Second)
	holdDown := pr.HoldDown.or(10 * time.Minute)
	c := failover.Config{
		Home: failover.First, Witnesses: uint8(witnesses), Quorum: uint8(cmp.Or(pr.Quorum, witnesses/2+1)),
		Lease: ticks(lease), Margin: ticks(pr.Margin.or(max(lease/10, 50*time.Millisecond))), Fresh: ticks(pr.Fresh.or(2 * time.Second)),
		FailAfter: ticks(pr.FailAfter.or(2 * time.Second)), Steady: ticks(pr.Steady.or(time.Minute)),
		Objective: ticks(p.RPO()), Refuse: p.OnLag == "refuse",
		HoldTraffic: p.HoldTraffic, FailBack: p.Failback == "automatic", Rejoin: p.Rejoin == "automatic",
		Unfenceable: [2]bool{p.Primary.Fencing == "none", p.Standby.Fencing == "none"},
		Retry:       ticks(pr.Retry.or(time.Second)), Attempts: uint8(cmp.Or(pr.Attempts, 8)), Reprove: ticks(pr.Reprove.or(30 * time.Second)),
		HoldDown: failover.HoldDownConfig{Base: ticks(holdDown), Most: ticks(8 * holdDown), Quiet: ticks(6 * holdDown)},
	}
	switch p.Approval {
	case "one":
		c.Approval = failover.OneHuman
	case "two":
		c.Approval = failover.TwoHumans
	}
	return c
}

// RPO is the objective, or its default. A primary that dies may have acknowledged until its lease ends, so an objective below the
// lease is only kept where the primary stops by itself (onLag: refuse).
func (p *Properties) RPO() time.Duration {
	switch {
	case p.Mode != Continuous:
	case p.OnLag == "refuse":
		return p.Objectives.RPO.or(time.Second)
	default:
		return p.Objectives.RPO.or(p.Probes.Lease.or(3*time.Second) + time.Second)
	}
	return p.Objectives.RPO.or(26 * time.Hour)
}

// RTO is the objective, or its default.
func (p *Properties) RTO() time.Duration { return p.Objectives.RTO.or(2 * time.Second) }

// Renew is how often the holder asks for the right.
func (p *Properties) Renew() time.Duration {
	return p.Probes.Renew.or(p.Probes.Lease.or(3*time.Second) / 3)
}

// Rule is how conflicts are decided. At a merge "ours" is the holder, "theirs" the member that comes back.
func (p *Properties) Rule() failover.Rule {
	switch p.Conflicts {
	case "holder":
		return failover.PreferOurs
	case "returning":
		return failover.PreferTheirs
	case "newest":
		return failover.Newest
	default:
		return failover.Person
	}
}

// Members are the two services' ids in the order of failover.Service.
func (p *Properties) Members() [2]string {
	return [2]string{p.Primary.ResourceID, p.Standby.ResourceID}
}

// TrafficName is the name whose certificate is proven first.
func (p *Properties) TrafficName() string {
	if len(p.TrafficNames) == 0 {
		return ""
	}
	return p.TrafficNames[0]
}

func ticks(d time.Duration) failover.Tick { return failover.Tick(d.Milliseconds()) }

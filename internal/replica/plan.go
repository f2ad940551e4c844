package replica

import (
	"fmt"
	"path"
	"sort"
	"strings"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/snapshot"
)

// PlanOptions say what of a snapshot goes to a target, and how.
type PlanOptions struct {
	Tier    string   // of the target, "Consumption"; empty: not known, everything is taken for supported
	Overlay *Overlay // what differs in the target's region; nil: nothing
	Only    []string // globs on paths; empty: all
	Exclude []string
	// MaxDeletions is the share of the target's resources, from 0 to 1, that may be deleted; zero: a fifth. AllowDeletions
	// lifts the guard.
	MaxDeletions   float64
	AllowDeletions bool

	native bool // written as documents: every secret can be set
}

// Refused is a resource that is not written, and why.
type Refused struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Unresolved is a reference that will lead nowhere in the target.
type Unresolved struct {
	Path   string `json:"path"`
	Refers string `json:"refers"` // to which path
	As     string `json:"as"`     // by what
}

// Plan is what a restore would do to a target (Difference: from the target to what it is to be), and what it could not.
type Plan struct {
	Difference
	Unsupported []Refused    `json:"unsupported"` // not offered in the target's tier: the loss
	Unresolved  []Unresolved `json:"unresolved"`
	Kept        []Refused    `json:"kept"`            // would be deleted, but cannot be or must not be
	Guard       string       `json:"guard,omitempty"` // why the plan is refused; empty: it is not

	want, have *index
}

// defaultMaxDeletions is the share of a target that a restore deletes without being asked twice.
const defaultMaxDeletions = 0.2

// fewDeletions are never a mass deletion, however small the target.
const fewDeletions = 10

// NewPlan compares a target with what it is to be.
func NewPlan(want, target []snapshot.Resource, o PlanOptions) (*Plan, error) {
	table := apim.NewTable()
	for _, glob := range append(append([]string(nil), o.Only...), o.Exclude...) {
		if _, err := path.Match(glob, ""); err != nil {
			return nil, &tandem.Error{Op: "plan", Subject: glob, Kind: tandem.Invalid, Err: err, Remedy: "write a pattern such as apis/echo* or subscriptions/**"}
		}
	}
	laid, err := o.Overlay.apply(want)
	if err != nil {
		return nil, err
	}
	after, err := normalise(table, laid)
	if err != nil {
		return nil, err
	}
	before, err := normalise(table, target)
	if err != nil {
		return nil, err
	}
	p := &Plan{Unsupported: []Refused{}, Unresolved: []Unresolved{}, Kept: []Refused{}}
	o.choose(after, before)
	p.lose(o.Tier, after)
	p.keep(before, after)
	if !o.native {
		p.unsettable(before, after)
	}
	p.Difference = difference(before, after)
	p.want, p.have = newIndex(after), newIndex(before)
	p.resolve(table)
	p.guard(o, len(before))
	return p, nil
}

// choose leaves on both sides what the patterns choose, and on the wanted side as it is in the target what they do not.
func (o PlanOptions) choose(after, before items) {
	if len(o.Only) == 0 && len(o.Exclude) == 0 {
		return
	}
	for _, key := range after.keys() {
		if i := after[key]; !o.chosen(i) {
			delete(after, key)
		}
	}
	for key, i := range before {
		if !o.chosen(i) {
			after[key] = i
		}
	}
}

// chosen tells whether a path is meant. A pattern covers what lies below what it names; an API's revision counts as the API.
func (o PlanOptions) chosen(i *item) bool {
	if i.path == "" {
		return len(o.Only) == 0 && !covers(o.Exclude, []string{"service"}) || covers(o.Only, []string{"service"})
	}
	names := []string{i.res.Path, i.path}
	return (len(o.Only) == 0 || covers(o.Only, names)) && !covers(o.Exclude, names)
}

func covers(globs, names []string) bool {
	for _, glob := range globs {
		glob = strings.TrimSuffix(strings.ToLower(strings.Trim(glob, "/")), "/**")
		depth := strings.Count(glob, "/") + 1
		for _, name := range names {
			parts := strings.Split(strings.ToLower(name), "/")
			if len(parts) < depth {
				continue
			}
			if ok, err := path.Match(glob, strings.Join(parts[:depth], "/")); err == nil && ok {
				return true
			}
		}
	}
	return false
}

// lose takes out what the target's tier does not offer, with what lies below it.
func (p *Plan) lose(tier string, after items) {
	for _, key := range after.keys() {
		if i := after[key]; i.kind != nil {
			if why := unsupported(tier, i); why != "" {
				p.Unsupported = append(p.Unsupported, Refused{i.shown(), why})
				delete(after, key)
			}
		}
	}
}

// keep makes what a service always has survive: built-in groups, the master subscription, settings. They are in the target
// because it is a service, not because somebody made them.
func (p *Plan) keep(before, after items) {
	for _, key := range before.keys() {
		i := before[key]
		if after[key] != nil {
			continue
		}
		why := ""
		switch {
		case i.path == "":
			why = "it is the service itself"
		case !i.kind.Has('D'):
			why = "resources of its kind cannot be deleted; it stays as it is"
		case i.kind.Type() == "groups" && i.props["type"] == "system":
			why = "it is built in"
		case i.kind.Type() == "subscriptions" && strings.EqualFold(i.path, "subscriptions/"+apim.MasterSubscription):
			why = "it is built in"
		case i.kind.Type() == "users" && strings.EqualFold(i.path, "users/1"):
			why = "it is the service's administrator"
		}
		if why != "" {
			if i.path != "" {
				p.Kept = append(p.Kept, Refused{i.shown(), why})
			}
			after[key] = i
		}
	}
}

// unsettable takes secrets out of the comparison that no management API lets a client set: each service makes its own.
func (p *Plan) unsettable(before, after items) {
	for _, key := range after.keys() {
		i := after[key]
		if i.kind == nil || i.kind.Type() != "gateways" || len(i.secrets) == 0 {
			continue
		}
		bare := *i
		bare.secrets, bare.res.Secrets = nil, nil
		after[key] = &bare
		if old := before[key]; old != nil {
			bare := *old
			bare.secrets = nil
			before[key] = &bare
		}
		p.Kept = append(p.Kept, Refused{i.shown(), "its keys are made by the service and cannot be set; give the self-hosted gateway those of the target"})
	}
}

// resolve looks for references that lead nowhere once the plan is carried out.
func (p *Plan) resolve(table *apim.Table) {
	for _, key := range p.want.keys() {
		i := p.want.items[key]
		for _, ref := range i.references(table, p.want) {
			if p.want.find(ref.path) != nil || builtInPath(table, ref.path) {
				continue
			}
			// Policies of a workspace may use what the whole service has.
			if parts := strings.SplitN(ref.path, "/", 3); len(parts) == 3 && parts[0] == "workspaces" && (p.want.find(parts[2]) != nil || p.want.names[strings.Trim(ref.how, "{}")] != "") {
				continue
			}
			p.Unresolved = append(p.Unresolved, Unresolved{i.shown(), ref.path, ref.how})
		}
	}
	sort.SliceStable(p.Unresolved, func(i, j int) bool { return p.Unresolved[i].Path < p.Unresolved[j].Path })
}

// builtInPath tells a resource that exists without having been written.
func builtInPath(table *apim.Table, path string) bool {
	k, ids := table.ByPath(path)
	return k != nil && k.BuiltIn(ids) != nil
}

// guard refuses a plan that deletes more of the target than the caller said it may.
func (p *Plan) guard(o PlanOptions, size int) {
	most := o.MaxDeletions
	if most <= 0 {
		most = defaultMaxDeletions
	}
	if n := len(p.Deleted); !o.AllowDeletions && n > fewDeletions && float64(n) > most*float64(size) {
		p.Guard = fmt.Sprintf("%d of the target's %d resources would be deleted, which is more than %.0f%%, %s among them", n, size, 100*most, p.Deleted[0].Path)
	}
}

// Allowed is nil where the plan may be carried out.
func (p *Plan) Allowed() error {
	if p.Guard == "" {
		return nil
	}
	return &tandem.Error{Op: "restore", Kind: tandem.Precondition, Err: fmt.Errorf("the guard against mass deletion stops it: %s", p.Guard), Remedy: "check that the backup and the target are the ones you mean, then allow it with --allow-deletions"}
}

package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"sync"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/arm"
	"tandem/internal/snapshot"
)

// Failure is one resource that could not be made as it is to be.
type Failure struct {
	Path   string `json:"path"`
	Action string `json:"action"` // write, delete, make current
	Cause  string `json:"cause"`
	Remedy string `json:"remedy"`
}

// Applied is the outcome of a restore over the management API.
type Applied struct {
	Plan     *Plan     `json:"plan"`
	Written  int       `json:"written"`
	Deleted  int       `json:"deleted"`
	Failures []Failure `json:"failures"`
	// Proven: the target was read again and is as it was to be. Remaining is what still differs where it is not.
	Proven    bool        `json:"proven"`
	Remaining *Difference `json:"remaining,omitempty"`
}

// rounds bounds how often a restore reads the target again and writes what still differs: the service's own side effects
// (a release that makes its revision current, links that go with their target) settle in the second.
const rounds = 3

// ApplyRemote makes a service have exactly the resources that are chosen, over its management API: it reads the target, writes
// what differs in the order of real references, deletes what is too much, and reads the target again to prove it. What is
// equal already is not written, so that a restore that was cut off goes on where it stopped when it is repeated. A
// resource that fails does not stop the others, but those that need it; the failures tell of each with its cause.
// The error is of what prevented the restore as a whole; Applied tells how far it came.
func ApplyRemote(ctx context.Context, r *Remote, want []snapshot.Resource, o PlanOptions) (*Applied, error) {
	out := &Applied{Failures: []Failure{}}
	for round := 1; ; round++ {
		have, err := r.Read(ctx)
		if err != nil {
			return out, err
		}
		if o.Tier == "" {
			o.Tier = have.Meta.Source.SKU
		}
		p, err := NewPlan(want, have.Resources, o)
		if err != nil {
			return out, err
		}
		if out.Plan == nil {
			out.Plan = p
			if err := p.Allowed(); err != nil {
				return out, err
			}
		}
		switch {
		case p.Empty():
			out.Proven = len(out.Failures) == 0
			return out, nil
		case round > rounds || len(out.Failures) > 0:
			out.Remaining = &p.Difference
			return out, nil
		}
		a := &applying{Remote: r, plan: p, failed: map[string]bool{}, out: out}
		if err := a.run(ctx); err != nil {
			return out, err
		}
	}
}

// applying is one round.
type applying struct {
	*Remote
	plan   *Plan
	mu     sync.Mutex
	failed map[string]bool // keys
	out    *Applied
}

func (a *applying) run(ctx context.Context) error {
	writes := map[string]*item{}
	for _, c := range slices.Concat(a.plan.Added, a.plan.Changed) {
		if i := a.byShown(a.plan.want, c.Path); i != nil {
			writes[i.key()] = i
		}
	}
	for _, wave := range a.waves(a.plan.want, writes) {
		if err := a.each(ctx, len(wave), func(ctx context.Context, n int) error { return a.write(ctx, wave[n]) }); err != nil {
			return err
		}
	}
	if err := a.makeCurrent(ctx, writes); err != nil {
		return err
	}
	deletes := map[string]*item{}
	for _, c := range a.plan.Deleted {
		if i := a.byShown(a.plan.have, c.Path); i != nil {
			deletes[i.key()] = i
		}
	}
	for key, i := range deletes { // what goes with its parent needs no call of its own
		for up := parent(i.path); up != ""; up = parent(up) {
			if deletes[strings.ToLower(up)] != nil {
				delete(deletes, key)
				break
			}
		}
	}
	waves := a.waves(a.plan.have, deletes)
	slices.Reverse(waves)
	for _, wave := range waves {
		if err := a.each(ctx, len(wave), func(ctx context.Context, n int) error { return a.delete(ctx, wave[n]) }); err != nil {
			return err
		}
	}
	sort.Slice(a.out.Failures, func(i, j int) bool { return a.out.Failures[i].Path < a.out.Failures[j].Path })
	return nil
}

// byShown finds the item of a change.
func (a *applying) byShown(x *index, shown string) *item {
	if shown == "service" {
		return x.items[""]
	}
	if i := x.items[strings.ToLower(shown)]; i != nil {
		return i
	}
	return x.find(shown)
}

// parent is the path of the resource above; empty for the service.
func parent(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) < 4 {
		return ""
	}
	return strings.Join(parts[:len(parts)-2], "/")
}

// waves sorts items so that each stands in a later wave than what it needs; those of one wave may be done at once.
func (a *applying) waves(x *index, chosen map[string]*item) [][]*item {
	rank := map[string]int{}
	for n, k := range a.Table.Kinds {
		if _, ok := rank[k.Type()]; !ok {
			rank[k.Type()] = n
		}
	}
	level, busy := map[string]int{}, map[string]bool{}
	var depth func(i *item) int
	depth = func(i *item) int {
		if n, ok := level[i.key()]; ok {
			return n
		}
		if busy[i.key()] {
			return 0 // a circle: backends of a pool that name each other; the service takes either first
		}
		busy[i.key()] = true
		n := 0
		for _, other := range a.needs(x, i) {
			if chosen[other.key()] != nil && other != i {
				n = max(n, depth(other)+1)
			}
		}
		level[i.key()] = n
		return n
	}
	var out [][]*item
	for _, key := range sortedKeys(chosen) {
		n := depth(chosen[key])
		for len(out) <= n {
			out = append(out, nil)
		}
		out[n] = append(out[n], chosen[key])
	}
	for _, wave := range out {
		slices.SortStableFunc(wave, func(i, j *item) int { return a.order(rank, i) - a.order(rank, j) })
	}
	return out
}

func (a *applying) order(rank map[string]int, i *item) int {
	if i.kind == nil {
		return -1
	}
	return rank[i.kind.Type()]
}

// needs are the items that must be there before i.
func (a *applying) needs(x *index, i *item) (out []*item) {
	if i.kind == nil {
		return nil
	}
	if up := parent(i.path); up != "" {
		if other := x.find(up); other != nil {
			out = append(out, other)
		}
	}
	for _, ref := range i.references(a.Table, x) {
		if other := x.find(ref.path); other != nil {
			out = append(out, other)
		}
	}
	if isAPI(i) && !i.current { // an API begins with its current revision
		name, _ := apim.SplitRevision(i.path)
		if other := x.find(name); other != nil {
			out = append(out, other)
		}
	}
	return out
}

func isAPI(i *item) bool {
	return i.kind != nil && (i.kind.Type() == "apis" || i.kind.Type() == "workspaces.apis")
}

func (a *applying) fail(i *item, action string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed[i.key()] = true
	a.out.Failures = append(a.out.Failures, Failure{i.shown(), action, err.Error(), remedy(err)})
}

// remedy says what a person can do about a refusal.
func remedy(err error) string {
	var e *arm.Error
	var own *tandem.Error
	switch {
	case errors.As(err, &own) && own.Remedy != "":
		return own.Remedy
	case !errors.As(err, &e):
		return "repeat the restore; it goes on where it stopped"
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "give the caller the role API Management Service Contributor on the target"
	case http.StatusBadRequest:
		return "mend the resource at the source, add a rule to the overlay, or leave it out with --exclude"
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return "the target does not offer this; leave it out with --exclude"
	case http.StatusConflict, http.StatusPreconditionFailed:
		return "somebody else changes the target; stop that and repeat the restore"
	}
	return "repeat the restore; it goes on where it stopped"
}

// stops tells the errors that end a restore at once: every further call would fail the same.
func stops(ctx context.Context, err error) bool {
	return ctx.Err() != nil || tandem.KindOf(err) == tandem.Locked || tandem.KindOf(err) == tandem.Unavailable || status(err) == http.StatusUnauthorized
}

// blocked tells of something that i needs and that failed.
func (a *applying) blocked(x *index, i *item) *item {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.failed) == 0 {
		return nil
	}
	for _, other := range a.needs(x, i) {
		if a.failed[other.key()] {
			return other
		}
	}
	return nil
}

var anyVersion = http.Header{"If-Match": {"*"}}

// write makes one resource as it is to be.
func (a *applying) write(ctx context.Context, i *item) error {
	if other := a.blocked(a.plan.want, i); other != nil {
		a.fail(i, "write", &tandem.Error{Op: "write", Subject: i.shown(), Err: fmt.Errorf("it needs %s, which failed", other.shown()), Remedy: "mend that first and repeat the restore"})
		return nil
	}
	method, body, err := http.MethodPut, any(nil), error(nil)
	path := i.path
	switch {
	case i.path == "":
		method, body = http.MethodPatch, map[string]any{"properties": serviceSettings(i.props)}
	case i.kind.Link():
		body = json.RawMessage("{}")
	default:
		body, err = a.body(i)
	}
	if isAPI(i) && i.current && a.plan.have.items[i.key()] == nil && !a.hasAPI(i) {
		path, _ = apim.SplitRevision(i.path) // its first revision: the service makes it the current one
	}
	var match http.Header
	if a.plan.have.items[i.key()] != nil {
		match = anyVersion
	}
	if err == nil {
		_, err = a.do(ctx, method, path, nil, match, body)
	}
	if status(err) == http.StatusPreconditionFailed && match == nil { // settings exist without being listed, and ask for If-Match
		_, err = a.do(ctx, method, path, nil, anyVersion, body)
	}
	if err != nil {
		if stops(ctx, err) {
			return &tandem.Error{Op: "restore", Subject: i.shown(), Kind: tandem.KindOf(err), Err: err, Remedy: remedy(err)}
		}
		a.fail(i, "write", err)
		return nil
	}
	a.mu.Lock()
	a.out.Written++
	a.mu.Unlock()
	return nil
}

// hasAPI tells whether the target has any revision of an API.
func (a *applying) hasAPI(i *item) bool {
	parts := strings.Split(i.path, "/")
	return a.plan.have.current[rootOf(parts, len(parts)-1)] != ""
}

// body is what a PUT sends: the properties with their secrets, references as full ids.
func (a *applying) body(i *item) (any, error) {
	var props map[string]any
	if len(i.res.Properties) > 0 {
		d := json.NewDecoder(strings.NewReader(string(i.res.Properties)))
		d.UseNumber()
		if err := d.Decode(&props); err != nil {
			return nil, notAResource(i.shown(), err)
		}
	}
	props, _ = tidy(props, relative).(map[string]any)
	if props == nil {
		props = map[string]any{}
	}
	for _, name := range i.kind.ReadOnly {
		drop(props, name)
	}
	if isAPI(i) {
		for _, name := range []string{"isCurrent", "apiVersionSet"} {
			delete(props, name)
		}
	}
	for name, text := range i.res.Secrets {
		var v any = text
		if inner, ok := strings.CutPrefix(name, jsonSecret); ok {
			name = inner
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				return nil, notAResource(i.shown(), fmt.Errorf("its secret %s is not JSON", name))
			}
		}
		place(props, strings.Split(name, "."), v)
	}
	full := func(name string) {
		if v, ok := props[name].(string); ok && strings.HasPrefix(v, "/") {
			props[name] = a.ID.String() + strings.TrimSuffix(v, "/")
		}
	}
	for _, ref := range i.kind.References {
		full(ref.Property)
	}
	if strings.HasSuffix(i.kind.Type(), "releases") {
		full("apiId")
	}
	if i.kind.Type() == "subscriptions" && i.props["scope"] == "/" {
		props["scope"] = a.ID.String() + "/"
	}
	return map[string]any{"properties": props}, nil
}

// place sets a member by its names, and copies the objects on the way, which others may hold.
func place(m map[string]any, names []string, v any) {
	for len(names) > 1 {
		inner, ok := m[names[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
		} else {
			inner = maps.Clone(inner)
		}
		m[names[0]] = inner
		m, names = inner, names[1:]
	}
	m[names[0]] = v
}

// currentRelease is the release that makes a revision current where nothing else does; it is deleted again.
const currentRelease = "tandem-current"

// makeCurrent releases the revisions that are to be current and are not, after releases of the source may have moved it.
func (a *applying) makeCurrent(ctx context.Context, writes map[string]*item) error {
	var apis []*item
	touched := map[string]bool{}
	for _, i := range writes {
		if parts := strings.Split(i.path, "/"); apiAt(parts) > 0 {
			touched[rootOf(parts, apiAt(parts))] = true
		}
	}
	revisions := map[string]map[string]bool{} // keys by API, of both sides: one revision alone is the current one
	for _, x := range []*index{a.plan.want, a.plan.have} {
		for key, i := range x.items {
			if isAPI(i) {
				name, _ := apim.SplitRevision(key)
				if revisions[name] == nil {
					revisions[name] = map[string]bool{}
				}
				revisions[name][key] = true
			}
		}
	}
	for _, key := range a.plan.want.keys() {
		i := a.plan.want.items[key]
		parts := strings.Split(i.path, "/")
		if isAPI(i) && i.current && touched[rootOf(parts, len(parts)-1)] && len(revisions[nameOf(i)]) > 1 {
			apis = append(apis, i)
		}
	}
	return a.each(ctx, len(apis), func(ctx context.Context, n int) error {
		i := apis[n]
		if a.blocked(a.plan.want, i) != nil || a.failed[i.key()] {
			return nil
		}
		e, err := a.get(ctx, i.path, nil)
		if err == nil && e.Properties["isCurrent"] == true {
			return nil
		}
		name, _ := apim.SplitRevision(i.path)
		path := name + "/releases/" + currentRelease
		if err == nil {
			_, err = a.do(ctx, http.MethodPut, path, nil, anyVersion, map[string]any{"properties": map[string]any{"apiId": a.ID.String() + "/" + i.path, "notes": "made current by a restore"}})
		}
		if err == nil {
			_, err = a.do(ctx, http.MethodDelete, path, nil, anyVersion, nil)
		}
		if err != nil {
			if stops(ctx, err) {
				return err
			}
			a.fail(i, "make current", err)
		}
		return nil
	})
}

// nameOf is an API's path without its revision, in lower case.
func nameOf(i *item) string { name, _ := apim.SplitRevision(i.key()); return name }

// delete removes one resource, and what goes with it.
func (a *applying) delete(ctx context.Context, i *item) error {
	path, query := i.path, url.Values{}
	switch strings.TrimPrefix(i.kind.Type(), "workspaces.") {
	case "apis":
		if i.current && a.whole(i) {
			path, _ = apim.SplitRevision(i.path)
			query.Set("deleteRevisions", "true")
		}
	case "products", "users":
		query.Set("deleteSubscriptions", "true")
	}
	if _, err := a.do(ctx, http.MethodDelete, path, query, anyVersion, nil); err != nil && status(err) != http.StatusNotFound {
		if stops(ctx, err) {
			return &tandem.Error{Op: "delete", Subject: i.shown(), Kind: tandem.KindOf(err), Err: err, Remedy: remedy(err)}
		}
		a.fail(i, "delete", err)
		return nil
	}
	a.mu.Lock()
	a.out.Deleted++
	a.mu.Unlock()
	return nil
}

// whole tells whether nothing of an API is wanted any more.
func (a *applying) whole(i *item) bool {
	parts := strings.Split(i.path, "/")
	return a.plan.want.current[rootOf(parts, len(parts)-1)] == ""
}

package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"sync"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/arm"
	"tandem/internal/snapshot"
)

// Captured is what was read of a remote service.
type Captured struct {
	Meta      snapshot.Meta
	Resources []snapshot.Resource
}

// CaptureRemote reads a service over its management API and writes a snapshot of it.
func CaptureRemote(ctx context.Context, r *Remote, w io.Writer, to []age.Recipient) (snapshot.Manifest, error) {
	c, err := r.Read(ctx)
	if err != nil {
		return snapshot.Manifest{}, err
	}
	return snapshot.Write(ctx, w, c.Meta, func(yield func(snapshot.Resource, error) bool) {
		for _, res := range c.Resources {
			if !yield(res, nil) {
				return
			}
		}
	}, snapshot.Recipients(to))
}

// reading is a capture under way.
type reading struct {
	*Remote
	mu        sync.Mutex
	found     map[string]snapshot.Resource // by lower-case path
	omissions []snapshot.Omission
}

// collection is one list to read: a kind's, below a resource.
type collection struct {
	kind   *apim.Kind
	parent string // its path, "" for the service
}

// Read reads the whole service: every kind of the table, page by page, level by level, secrets by the authorised list…
// calls. What is not given out is named in the omissions with its reason (law 6). The service has no revisions to read
// at, so that Window tells in which time it was read.
func (r *Remote) Read(ctx context.Context) (*Captured, error) {
	c := &reading{Remote: r, found: map[string]snapshot.Resource{}, omissions: remoteOmissions()}
	from := r.Clock.Now()
	meta, err := c.service(ctx)
	if err != nil {
		return nil, err
	}
	for level := c.collections([]snapshot.Resource{{}}); len(level) > 0; {
		below := make([][]snapshot.Resource, len(level))
		if err := r.each(ctx, len(level), func(ctx context.Context, i int) (err error) {
			below[i], err = c.read(ctx, level[i])
			return err
		}); err != nil {
			return nil, err
		}
		level = c.collections(slices.Concat(below...))
	}
	out := &Captured{Meta: meta}
	for _, res := range c.found {
		out.Resources = append(out.Resources, res)
	}
	sort.Slice(out.Resources, func(i, j int) bool { return out.Resources[i].Path < out.Resources[j].Path })
	sort.SliceStable(c.omissions, func(i, j int) bool { return c.omissions[i].What < c.omissions[j].What })
	to := r.Clock.Now()
	out.Meta.Created, out.Meta.Window, out.Meta.Omissions = to, &snapshot.Window{From: from, To: to}, c.omissions
	return out, nil
}

// remoteOmissions is what no capture over the management API contains.
func remoteOmissions() []snapshot.Omission {
	return []snapshot.Omission{
		{What: "analytics and usage reports", Reason: "they are not configuration", Consequence: "reports begin anew after a restore"},
		{What: "rate-limit and quota counters, cached responses", Reason: "they are state of the running gateways", Consequence: "callers begin with unused limits and an empty cache after a restore"},
		{What: "private keys of custom hostnames and CA certificates", Reason: "the management API never gives them back", Consequence: "keep them in a key vault, and set hostnames on the target once"},
		{What: "managed identities, virtual network and private endpoints", Reason: "they belong to the place where the service runs", Consequence: "set them on the target once"},
		{What: "diagnostic settings of Azure Monitor", Reason: "they belong to another resource provider", Consequence: "set them on the target once"},
		{What: "users' passwords", Reason: "the management API never gives them back", Consequence: "users of user name and password set a new one after a restore into another service"},
		{What: "times of creation", Reason: "the service sets them itself", Consequence: "releases, users and subscriptions show the time of the restore"},
	}
}

// service reads the service itself.
func (c *reading) service(ctx context.Context) (snapshot.Meta, error) {
	resp, err := c.do(ctx, http.MethodGet, "", nil, nil, nil)
	if err != nil {
		return snapshot.Meta{}, &tandem.Error{Op: "read service", Subject: c.ID.String(), Kind: tandem.KindOf(err), Err: err, Remedy: "check the id, and that the caller may read the service"}
	}
	whole := map[string]json.RawMessage{}
	if err := resp.Decode(&whole); err != nil {
		return snapshot.Meta{}, err
	}
	var head struct {
		Name, Location string
		Sku            struct{ Name string }
		Properties     map[string]any
	}
	if err := resp.Decode(&head); err != nil {
		return snapshot.Meta{}, err
	}
	for _, name := range []string{"provisioningState", "targetProvisioningState", "createdAtUtc", "gatewayUrl", "gatewayRegionalUrl", "managementApiUrl", "portalUrl", "developerPortalUrl", "scmUrl",
		"platformVersion", "publicIPAddresses", "privateIPAddresses", "outboundPublicIPAddresses", "privateEndpointConnections"} {
		delete(head.Properties, name)
	}
	props, err := json.Marshal(head.Properties)
	if err != nil {
		return snapshot.Meta{}, err
	}
	kept := map[string]json.RawMessage{}
	for _, name := range []string{"sku", "identity", "tags", "zones"} {
		if v, ok := whole[name]; ok && string(v) != "null" {
			kept[name] = v
		}
	}
	env, err := json.Marshal(kept)
	if err != nil {
		return snapshot.Meta{}, err
	}
	c.found[""] = snapshot.Resource{Properties: props, Envelope: env}
	return snapshot.Meta{Region: tandem.NormalRegion(head.Location), Source: snapshot.Source{ID: c.ID.String(), Name: head.Name, Location: head.Location, SKU: head.Sku.Name}}, nil
}

// collections are the lists to read below resources.
func (c *reading) collections(above []snapshot.Resource) (out []collection) {
	seen := map[string]bool{}
	add := func(k *apim.Kind, parent string) {
		if at := parent + "|" + k.Collection(); !seen[at] {
			seen[at] = true
			out = append(out, collection{k, parent})
		}
	}
	below := map[string][]*apim.Kind{}
	for _, k := range c.Table.Kinds {
		above := "service"
		if at := strings.LastIndexByte(k.Type(), '.'); at > 0 {
			above = strings.ToLower(k.Type()[:at])
		}
		below[above] = append(below[above], k)
	}
	for _, res := range above {
		for _, k := range below[strings.ToLower(strings.ReplaceAll(res.Kind(), "/", "."))] {
			own := k.Type()[strings.LastIndexByte(k.Type(), '.')+1:]
			_, rev := apim.SplitRevision(res.Path)
			if rev != "" && !strings.Contains(rev, "/") && own == "releases" {
				continue // they belong to the API as a whole
			}
			add(k, res.Path)
		}
	}
	return out
}

// wholeLists are not trusted to show everything of a resource: each is read by itself.
var wholeLists = map[string]bool{"apis": true, "operations": true, "schemas": true, "policyFragments": true, "documentations": true, "contentItems": true, "templates": true, "attachments": true, "wikis": true}

// read reads one collection with the secrets of its resources, and gives the resources.
func (c *reading) read(ctx context.Context, at collection) ([]snapshot.Resource, error) {
	k := at.kind
	own := k.Type()[strings.LastIndexByte(k.Type(), '.')+1:]
	path := own
	if at.parent != "" {
		path = at.parent + "/" + own
	}
	raw := url.Values{}
	if textual(k) {
		raw.Set("format", "rawxml")
	}
	var got []envelope
	var err error
	if own == "policies" { // one, of a known name: no list is needed
		var one envelope
		if one, err = c.get(ctx, path+"/policy", raw); err == nil {
			got = []envelope{one}
		}
	} else {
		got, err = c.list(ctx, path, nil)
	}
	if err != nil {
		if status(err) != http.StatusNotFound && absent(err) {
			c.omit(snapshot.Omission{What: path, Reason: "the service does not offer it: " + short(err), Consequence: "nothing of it is there to restore"})
		}
		if absent(err) {
			return nil, nil
		}
		return nil, captureError(path, err)
	}
	var out []snapshot.Resource
	for _, e := range got {
		revisions := []string{e.Name}
		if own == "apis" && !k.Link() {
			if revisions, err = c.revisions(ctx, path, e.Name, got); err != nil {
				return nil, err
			}
		}
		for _, name := range revisions {
			one := e
			if name != e.Name || wholeLists[own] && !k.Link() {
				if one, err = c.get(ctx, path+"/"+name, raw); status(err) == http.StatusNotFound {
					continue // it went away while it was read
				} else if err != nil {
					return nil, captureError(path+"/"+name, err)
				}
			}
			res, keep, err := c.resource(ctx, path+"/"+name, one)
			if err != nil {
				return nil, err
			}
			if !keep {
				continue
			}
			c.mu.Lock()
			c.found[strings.ToLower(res.Path)] = res
			c.mu.Unlock()
			out = append(out, res)
		}
	}
	return out, nil
}

// revisions are the names of all revisions of an API: its own, and those that the list does not show.
func (c *reading) revisions(ctx context.Context, path, name string, listed []envelope) ([]string, error) {
	out := []string{name}
	if _, rev := apim.SplitRevision(name); rev != "" {
		return out, nil
	}
	shown := map[string]bool{}
	for _, e := range listed {
		shown[strings.ToLower(e.Name)] = true
	}
	for raw, err := range c.Client.List(ctx, c.url(path+"/"+name+"/revisions"), nil) {
		if status(err) == http.StatusNotFound {
			return out, nil
		}
		if err != nil {
			return nil, captureError(path+"/"+name+"/revisions", err)
		}
		var one struct {
			Revision string `json:"apiRevision"`
			Current  bool   `json:"isCurrent"`
		}
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, captureError(path+"/"+name+"/revisions", err)
		}
		if full := name + ";rev=" + one.Revision; !one.Current && !shown[strings.ToLower(full)] {
			out = append(out, full)
		}
	}
	return out, nil
}

// resource makes the resource of an envelope; keep is false where it is not the service's own content.
func (c *reading) resource(ctx context.Context, path string, e envelope) (res snapshot.Resource, keep bool, err error) {
	k, ids := c.Table.ByPath(path)
	if k == nil {
		c.omit(snapshot.Omission{What: path, Reason: "this version of Tandem does not know it", Consequence: "it is not restored; use a newer version"})
		return res, false, nil
	}
	res.Path = path
	if k.Link() {
		return res, true, nil
	}
	if e.Properties["isDefault"] == true { // a template that nobody wrote
		return res, false, nil
	}
	props, _ := tidy(e.Properties, c.relative).(map[string]any)
	if res.Secrets, err = c.secrets(ctx, k, ids, path, props); err != nil {
		return res, false, err
	}
	for _, name := range k.Secrets {
		drop(props, name)
	}
	if k.Type() == "namedValues" || k.Type() == "workspaces.namedValues" {
		if v, ok := e.Properties["value"]; ok && e.Properties["secret"] != true {
			props["value"] = v
		}
	}
	drop(props, "apiVersionSet")
	res.Properties, err = json.Marshal(props)
	return res, true, err
}

// relative makes the full id of one of this service's resources "/apis/echo", so that it means the same elsewhere.
func (c *reading) relative(s string) string {
	own := c.ID.String()
	if len(s) >= len(own) && strings.EqualFold(s[:len(own)], own) && (len(s) == len(own) || s[len(own)] == '/') {
		return "/" + strings.TrimPrefix(s[len(own):], "/")
	}
	return s
}

// secrets reads a resource's secrets: those that it shows, and those of its list… call.
func (c *reading) secrets(ctx context.Context, k *apim.Kind, ids []string, path string, props map[string]any) (map[string]string, error) {
	if len(k.Secrets) == 0 {
		return nil, nil
	}
	isValue := strings.HasSuffix(k.Type(), "namedValues")
	if isValue && (props["secret"] != true || props["keyVault"] != nil) {
		return nil, nil
	}
	from := maps.Clone(props)
	if k.Reveal != "" {
		resp, err := c.do(ctx, http.MethodPost, path+"/"+k.Reveal, nil, nil, nil)
		switch {
		case err == nil:
			var shown map[string]any
			if err := resp.Decode(&shown); err != nil {
				return nil, captureError(path, err)
			}
			maps.Copy(from, shown)
		case status(err) == http.StatusForbidden || absent(err):
			c.omit(snapshot.Omission{What: path, Reason: "its secrets were refused by " + k.Reveal + ": " + short(err), Consequence: "they come back empty, or new ones are made; allow the caller " + k.ARMType() + "/" + k.Reveal + "/action"})
		default:
			return nil, captureError(path+"/"+k.Reveal, err)
		}
	}
	out := map[string]string{}
	var missing []string
	for _, name := range k.Secrets {
		v := at(from, name)
		switch v := v.(type) {
		case nil:
			missing = append(missing, name)
		case string:
			if v != "" {
				out[name] = v
			}
		default:
			raw, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			out[jsonSecret+name] = string(raw)
		}
	}
	if k.Reveal == "" && len(missing) > 0 && needs(k, props) {
		c.omit(snapshot.Omission{What: path, Reason: "the management API never gives back its " + strings.Join(missing, ", "), Consequence: consequence(k)})
	}
	return out, nil
}

// needs tells whether a resource that shows no secret has one that a restore elsewhere would miss.
func needs(k *apim.Kind, props map[string]any) bool {
	switch strings.TrimPrefix(k.Type(), "workspaces.") {
	case "users":
		return false // told once for all
	case "backends":
		return at(props, "proxy.username") != nil
	case "certificates":
		return props["keyVault"] == nil
	case "authorizationProviders":
		return true
	}
	return true
}

func consequence(k *apim.Kind) string {
	if strings.HasSuffix(k.Type(), "certificates") {
		return "it can be restored only where it is still; keep certificates in a key vault, or add it to the target by hand"
	}
	return "set it on the target by hand, where the target does not hold it"
}

// at reads a member by dotted name.
func at(m map[string]any, name string) any {
	head, rest, more := strings.Cut(name, ".")
	v := m[head]
	if !more || v == nil {
		return v
	}
	inner, _ := v.(map[string]any)
	return at(inner, rest)
}

func (c *reading) omit(o snapshot.Omission) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.omissions = append(c.omissions, o)
}

// short is an error for a sentence in a manifest.
func short(err error) string {
	var e *arm.Error
	if errors.As(err, &e) {
		return fmt.Sprintf("%d %s", e.Status, e.Code)
	}
	return err.Error()
}

func captureError(path string, err error) error {
	remedy := "repeat the command"
	switch status(err) {
	case http.StatusUnauthorized, http.StatusForbidden:
		remedy = "give the caller a role that may read the service, such as API Management Service Reader Role"
	}
	kind := tandem.KindOf(err)
	if kind == "" && status(err) == http.StatusForbidden {
		kind = tandem.Denied
	}
	return &tandem.Error{Op: "capture", Subject: path, Kind: kind, Err: err, Remedy: remedy}
}

package workflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
	"tandem/internal/workflow/value"
)

// MaxDefinition is how many bytes a saved definition may have.
const MaxDefinition = 512 << 10

// body reads a request body that must be an object.
func body(r *arm.Request) (*value.Object, error) {
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return value.New(), nil
	}
	v, err := value.Decode(r.Body)
	o, isObject := v.(*value.Object)
	if err == nil && !isObject {
		err = errors.New("the body must be a JSON object")
	}
	if err != nil {
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidRequestContent", "The request content was invalid and could not be deserialized: '%v'.", err)
	}
	return o, nil
}

// invalid words what is wrong with a definition, every problem with its place.
func invalid(err error) error {
	var d *DefinitionError
	if !errors.As(err, &d) {
		if errors.Is(err, tandem.Invalid) {
			return arm.Errorf(http.StatusBadRequest, "InvalidTemplate", "%v", err)
		}
		return err
	}
	out := arm.Errorf(http.StatusBadRequest, "InvalidTemplate", "The template validation failed: '%s'.", strings.ReplaceAll(d.Error(), "\n", "; "))
	if len(d.Problems) > 0 && strings.HasPrefix(d.Problems[0].Path, "$.parameters") {
		out.Code = "WorkflowParametersInvalid"
	}
	for _, q := range d.Problems {
		message := q.Message
		if q.Remedy != "" {
			message += "; " + q.Remedy
		}
		out.Details = append(out.Details, arm.ErrorDetail{Code: "InvalidTemplate", Target: q.Path, Message: message})
	}
	return out
}

// checked is a workflow that was read out of a request body and is fit to be saved.
type checked struct {
	def    *Definition
	values map[string]any
}

// check reads and validates the properties of a workflow; old are the values of secure parameters, which a client that
// read the workflow does not know and may leave out.
func (p *Provider) check(in *value.Object, old map[string]any) (*checked, error) {
	props := in.Object("properties")
	if props == nil {
		return nil, arm.Errorf(http.StatusBadRequest, "WorkflowPropertiesNotSpecified", "The workflow's properties are missing; give properties.definition.")
	}
	for _, name := range []string{"integrationAccount", "integrationServiceEnvironment", "accessControl"} {
		if v, given := props.Get(name); given && v != nil && string(value.Encode(v)) != "{}" {
			return nil, arm.Errorf(http.StatusBadRequest, "PropertyNotSupported", "The property 'properties.%s' is not supported here; remove it.", name)
		}
	}
	def, values, err := ParseValue(value.New("definition", props.Object("definition"), "parameters", props.Object("parameters")))
	if err != nil {
		return nil, invalid(err)
	}
	if n := len(value.Encode(def.Source)); n > MaxDefinition {
		return nil, arm.Errorf(http.StatusRequestEntityTooLarge, "WorkflowDefinitionTooLarge", "The definition has %d bytes; %d is the most. Split the workflow.", n, MaxDefinition)
	}
	for _, q := range def.Parameters {
		if v, kept := old[q.Name]; kept && q.Secret() {
			if _, given := values[q.Name]; !given {
				values[q.Name] = v
			}
		}
	}
	if _, err := def.Bind(values); err != nil {
		return nil, invalid(err)
	}
	if p.c.Tokens == nil {
		if err := noIdentity(def); err != nil {
			return nil, invalid(err)
		}
	}
	return &checked{def: def, values: values}, nil
}

// noIdentity refuses actions that use a managed identity where none is configured.
func noIdentity(def *Definition) error {
	p := &parser{}
	for _, name := range def.names {
		a := def.actions[name]
		if a.kind != "Http" {
			continue
		}
		if strings.EqualFold(a.source.Object("inputs").Object("authentication").String("type"), "ManagedServiceIdentity") {
			p.add(property(a.path, "inputs")+".authentication", "configure a token source for workflows, or use another kind of authentication", "no managed identity is configured here")
		}
	}
	return p.err()
}

func (p *Provider) validate(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	in, err := body(r)
	if err != nil {
		return nil, err
	}
	if in.Object("properties") == nil { // older clients send the properties alone
		in = value.New("properties", in)
	}
	if _, err := p.check(in, nil); err != nil {
		return nil, err
	}
	return &arm.Response{Status: http.StatusOK}, nil
}

func (p *Provider) put(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	in, err := body(r)
	if err != nil {
		return nil, err
	}
	return p.save(ctx, r, in)
}

// patch changes the tags, and with a definition all that put does.
func (p *Provider) patch(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	in, err := body(r)
	if err != nil {
		return nil, err
	}
	w, _, err := p.workflow(ctx, r)
	if err != nil {
		return nil, err
	}
	now, err := p.envelope(ctx, placeOf(r), w)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"tags", "identity"} {
		if v, given := in.Get(name); given {
			now = now.With(name, v)
		}
	}
	if props := in.Object("properties"); props != nil {
		merged := now.Object("properties")
		props.Walk(func(k string, v any) { merged = merged.With(k, v) })
		now = now.With("properties", merged)
	}
	return p.save(ctx, r, now)
}

// save validates and keeps a workflow: a new version where the definition or its values are others.
func (p *Provider) save(ctx context.Context, r *arm.Request, in *value.Object) (*arm.Response, error) {
	place := placeOf(r)
	w, rev, exists, err := get[workflowDoc](ctx, p.c.Store, workflowKey(place))
	if err != nil {
		return nil, err
	}
	old := map[string]any{}
	if exists {
		if l, err := p.c.load(ctx, place, w.Version); err == nil {
			old = l.parameters
		}
	}
	c, err := p.check(in, old)
	if err != nil {
		return nil, err
	}
	now := p.c.Clock.Now().UTC()
	if !exists {
		w = workflowDoc{ID: idOf(r), Name: r.Params["workflow"], Created: now, Flow: strings.ReplaceAll(newGUID(), "-", "")}
		if w.Key, err = p.c.seal(flowKey(w.Flow), newGUID()+newGUID()); err != nil {
			return nil, err
		}
	}
	if l := in.String("location"); l != "" {
		w.Location = string(tandem.NormalRegion(l))
	} else if w.Location == "" {
		w.Location = p.c.Location
	}
	if err := w.describe(in); err != nil {
		return nil, err
	}
	enabled := true
	switch s := in.Object("properties").String("state"); {
	case s == "" || strings.EqualFold(s, "Enabled"):
	case strings.EqualFold(s, "Disabled"):
		enabled = false
	default:
		return nil, arm.Errorf(http.StatusBadRequest, "InvalidState", "The state '%s' is not known; use Enabled or Disabled.", s)
	}
	w.Changed, w.Version, w.Enabled = now, strings.TrimSuffix(runID(now), "CU00"), enabled
	// A recurrence counts from when it was saved: an unchanged one that is saved again starts anew too, as in Azure.
	w.EnabledAt = now
	key := versionKey(place, w.Version)
	values := value.New()
	for _, q := range c.def.Parameters {
		if v, given := c.values[q.Name]; given {
			values.Set(q.Name, v)
		}
	}
	sealed, err := p.c.seal(key, values)
	if err != nil {
		return nil, err
	}
	definition, err := p.c.seal(key, c.def.Source)
	if err != nil {
		return nil, err
	}
	v := versionDoc{Version: w.Version, Created: now, State: state(enabled), Definition: definition, Parameters: sealed}
	b := store.Batch{
		If:  []store.Condition{{Key: workflowKey(place), Revision: rev}},
		Put: []store.Write{write(workflowKey(place), w), write(key, v), {Key: flowKey(w.Flow), Value: []byte(`"` + place + `"`)}},
	}
	if _, err := p.c.Store.Commit(ctx, b); err != nil {
		if errors.Is(err, tandem.TooLarge) {
			return nil, arm.Errorf(http.StatusRequestEntityTooLarge, "WorkflowDefinitionTooLarge", "The definition and its parameters are too large together. Split the workflow.")
		}
		return nil, conflict(err)
	}
	status := http.StatusOK
	if !exists {
		status = http.StatusCreated
	}
	return p.shown(ctx, r, w, status)
}

// describe takes over tags and identity.
func (w *workflowDoc) describe(in *value.Object) error {
	if tags := in.Object("tags"); tags != nil {
		w.Tags = map[string]string{}
		tags.Walk(func(k string, v any) { w.Tags[k] = value.Text(v) })
	}
	identity := in.Object("identity")
	if identity == nil {
		return nil
	}
	switch t := identity.String("type"); {
	case strings.EqualFold(t, "SystemAssigned"), strings.EqualFold(t, "UserAssigned"), strings.EqualFold(t, "None"):
		w.Identity = json.RawMessage(value.Encode(identity))
		return nil
	default:
		return arm.Errorf(http.StatusBadRequest, "InvalidIdentity", "The identity type '%s' is not known; use SystemAssigned, UserAssigned or None.", t)
	}
}

func (p *Provider) listVersions(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	if _, _, err := p.workflow(ctx, r); err != nil {
		return nil, err
	}
	l, err := p.c.Store.List(ctx, versionKey(placeOf(r), ""), store.ListOptions{})
	if err != nil {
		return nil, err
	}
	all := []any{}
	for _, d := range l.Documents {
		var v versionDoc
		if err := json.Unmarshal(d.Value, &v); err != nil {
			return nil, fmt.Errorf("read %s: %w", d.Key, err)
		}
		o, err := p.version(r, v)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return page(r, all)
}

func (p *Provider) version(r *arm.Request, v versionDoc) (*value.Object, error) {
	props := value.New("createdTime", timestamp(v.Created), "changedTime", timestamp(v.Created), "state", v.State, "version", v.Version)
	if err := p.statement(props, placeOf(r), v); err != nil {
		return nil, err
	}
	return value.New("properties", props, "id", idOf(r)+"/versions/"+v.Version, "name", v.Version, "type", "Microsoft.Logic/workflows/versions"), nil
}

func (p *Provider) showVersion(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	v, _, found, err := get[versionDoc](ctx, p.c.Store, versionKey(placeOf(r), r.Params["version"]))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("WorkflowVersion", r.Params["version"])
	}
	o, err := p.version(r, v)
	return &arm.Response{Status: http.StatusOK, Body: o}, err
}

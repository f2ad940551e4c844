package resources

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/resources/template"
)

const (
	deployCode      = "Deployment"
	evaluateOutputs = "EvaluateDeploymentOutput"
	// together is how many resources of one deployment are made at one time.
	together = 8
)

// errCancelled ends a deployment that a client cancelled.
var errCancelled = errors.New("the deployment was cancelled")

// templateHash names a template's text, as a decimal number like Azure's.
func templateHash(v any) string {
	raw, _ := json.Marshal(v) // it was read from JSON
	sum := sha256.Sum256(raw)
	return strconv.FormatUint(binary.BigEndian.Uint64(sum[:]), 10)
}

func (p provider) putDeployment(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	o, err := p.order(ctx, r)
	if err != nil {
		return nil, err
	}
	through, err := p.planeOf(r)
	if err != nil {
		return nil, err
	}
	old, at, exists, err := get[deployment](ctx, p.Resources, o.key())
	if err != nil {
		return nil, err
	}
	if exists && !old.ended() {
		return nil, arm.Errorf(http.StatusConflict, "DeploymentActive", "The deployment with resource id '%s' cannot be saved, because this would overwrite an existing deployment which is still active.", old.id())
	}
	d := &o.deployment
	d.State, d.Started, d.Hash = "Running", p.c.Clock.Now().UTC(), templateHash(o.template)
	for _, one := range o.plan.Resources {
		if one.Skipped || one.Existing {
			continue
		}
		rec := deployedResource{ID: one.ID, Type: one.Type}
		for _, on := range one.DependsOn {
			rec.DependsOn = append(rec.DependsOn, on.ID)
		}
		d.Resources = append(d.Resources, rec)
	}
	text := deploymentText{Template: o.template, Parameters: o.plan.Values()}
	if err := p.seal(d, text); err != nil {
		return nil, err
	}
	if err := p.put(ctx, d.key(), d, at); err != nil {
		return nil, conflict(err, d.id())
	}
	status := http.StatusCreated
	if exists {
		status = http.StatusOK
	}
	reply, err := p.deploymentAnswer(status, *d)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(d.key())
	if err != nil {
		return nil, err
	}
	x := &execution{r: p.Resources, d: d, plan: o.plan, text: text, through: through}
	return p.c.Operations.Start(ctx, r, arm.Start{Code: deployCode, Resource: d.id(), Async: true, Reply: reply, Data: data, Run: x.run})
}

// resumeDeployment settles a deployment whose process died: the rights of its caller died with it.
func (r *Resources) resumeDeployment(ctx context.Context, op arm.Operation) (json.RawMessage, error) {
	var key string
	if err := json.Unmarshal(op.Data, &key); err != nil {
		return nil, err
	}
	e := arm.Errorf(http.StatusConflict, "DeploymentInterrupted", "The deployment was interrupted because its process ended. Deploy the template again: what it made already is left as it is.")
	d, at, ok, err := get[deployment](ctx, r, key)
	if err != nil || !ok || d.ended() {
		return nil, cmp.Or[error](err, e)
	}
	d.State, d.Error, d.Ended = "Failed", e, r.c.Clock.Now().UTC()
	if err := r.put(ctx, key, d, at); err != nil {
		return nil, err
	}
	return nil, e
}

// execution is a deployment that runs.
type execution struct {
	r       *Resources
	plan    *template.Plan
	text    deploymentText
	through *plane

	mu     sync.Mutex
	d      *deployment
	failed []arm.ErrorDetail
}

func (x *execution) run(ctx context.Context) (json.RawMessage, error) {
	stopped := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	key := x.d.key()
	x.r.deployments.mu.Lock()
	x.r.deployments.running[key] = cancel
	x.r.deployments.mu.Unlock()
	defer func() {
		x.r.deployments.mu.Lock()
		defer x.r.deployments.mu.Unlock()
		delete(x.r.deployments.running, key)
	}()
	x.resources(ctx)
	if stopped.Err() != nil {
		return nil, stopped.Err() // the process ends; the next one settles it
	}
	var end *arm.Error
	switch {
	case errors.Is(context.Cause(ctx), errCancelled):
		x.d.State, end = "Canceled", arm.Errorf(http.StatusConflict, "DeploymentCancelled", "The deployment '%s' was cancelled; what it made before is left as it is.", x.d.Name)
	case len(x.failed) == 0:
		x.outputs(ctx)
	}
	if end == nil && len(x.failed) > 0 {
		x.d.State, end = "Failed", arm.Errorf(http.StatusConflict, "DeploymentFailed", "At least one resource deployment operation failed. Please list deployment operations for details.")
		end.Details = x.failed
	}
	if end == nil {
		x.d.State = "Succeeded"
	}
	x.d.Error, x.d.Ended = end, x.r.c.Clock.Now().UTC()
	if err := x.r.seal(x.d, x.text); err != nil {
		return nil, err
	}
	if err := x.r.overwrite(stopped, key, x.d); err != nil {
		return nil, err
	}
	if end != nil {
		return nil, end
	}
	return nil, nil
}

// overwrite writes a document whatever it holds: while a deployment runs its record is its own.
func (r *Resources) overwrite(ctx context.Context, key string, v any) error {
	for {
		_, at, _, err := get[json.RawMessage](ctx, r, key)
		if err != nil {
			return err
		}
		if err := r.put(ctx, key, v, at); tandem.KindOf(err) != tandem.Precondition {
			return err
		}
	}
}

// resources makes all resources, each as soon as those it depends on are there.
func (x *execution) resources(ctx context.Context) {
	done := map[*template.Resource]chan struct{}{}
	good := map[*template.Resource]bool{}
	for _, one := range x.plan.Resources {
		done[one] = make(chan struct{})
	}
	slots := make(chan struct{}, together)
	var all sync.WaitGroup
	for _, one := range x.plan.Resources {
		all.Go(func() {
			defer close(done[one])
			ready := true
			for _, on := range one.DependsOn {
				<-done[on] // there are no circles, and each ends with ctx
				x.mu.Lock()
				ready = ready && good[on]
				x.mu.Unlock()
			}
			if !ready || ctx.Err() != nil {
				return
			}
			if !one.Skipped && !one.Existing {
				slots <- struct{}{}
				ready = x.resource(ctx, one)
				<-slots
			}
			x.mu.Lock()
			good[one] = ready
			x.mu.Unlock()
		})
	}
	all.Wait()
}

// resource makes one resource and notes how it went.
func (x *execution) resource(ctx context.Context, one *template.Resource) bool {
	op := deploymentOperation{ID: strings.ToUpper(strings.ReplaceAll(uuid.NewString(), "-", "")[:16]), Resource: one.ID, Type: one.Type, State: "Running", Started: x.r.c.Clock.Now().UTC()}
	body, err := x.plan.Body(ctx, one, x.through)
	if err == nil {
		x.noteLocation(one.ID, body)
		if outer := x.plan.Outer(one); outer != nil {
			ctx = context.WithValue(ctx, outerKey{}, outer)
		}
		op.Status, err = x.through.put(ctx, one.ID, one.APIVersion, body)
	}
	x.note(op, err)
	return err == nil
}

func (x *execution) noteLocation(id string, body map[string]any) {
	location, _ := body["location"].(string)
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.d.Resources {
		if x.d.Resources[i].ID == id {
			x.d.Resources[i].Location = location
		}
	}
}

func (x *execution) note(op deploymentOperation, err error) {
	op.State, op.Ended = "Succeeded", x.r.c.Clock.Now().UTC()
	x.mu.Lock()
	defer x.mu.Unlock()
	if err != nil {
		e := deploymentError(err)
		op.State, op.Error, op.Status = "Failed", e, e.Status
		x.failed = append(x.failed, arm.ErrorDetail{Code: e.Code, Target: op.Resource, Message: e.Message})
		for _, d := range e.Details {
			x.failed = append(x.failed, arm.ErrorDetail{Code: d.Code, Target: cmp.Or(d.Target, op.Resource), Message: d.Message})
		}
	}
	x.d.Operations = append(x.d.Operations, op)
}

// deploymentError words what made a resource fail: a provider's answer as it is, an expression's error with its place.
func deploymentError(err error) *arm.Error {
	var e *arm.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, tandem.Invalid) {
		return arm.Errorf(http.StatusBadRequest, "DeploymentFailed", "Unable to process template language expressions: '%v'.", err)
	}
	return arm.AsError(err)
}

func (x *execution) outputs(ctx context.Context) {
	started := x.r.c.Clock.Now().UTC()
	out, err := x.plan.Outputs(ctx, x.through)
	if err == nil && len(out) > 0 {
		x.text.Outputs = out
	}
	if err != nil || len(out) > 0 {
		x.note(deploymentOperation{ID: "outputs", Resource: x.d.id(), Type: evaluateOutputs, Status: http.StatusOK, Started: started}, err)
	}
}

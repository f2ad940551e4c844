package apim

import (
	"context"
	"net/http"
	"strings"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// Rules are what a kind does beyond the table. Embed noRules and override what differs.
type Rules interface {
	// Write validates and completes a document that is about to be written, and may add to the batch.
	Write(ctx context.Context, w *Write) error
	// View completes what a GET shows; props is a copy.
	View(ctx context.Context, v *View) error
	// Delete may refuse, or add further deletions.
	Delete(ctx context.Context, w *Write) error
}

type noRules struct{}

func (noRules) Write(context.Context, *Write) error  { return nil }
func (noRules) View(context.Context, *View) error    { return nil }
func (noRules) Delete(context.Context, *Write) error { return nil }

// Write is one change on its way to the store.
type Write struct {
	Service *Service
	Kind    *Kind
	Request *arm.Request
	IDs     []string // storage ids
	Doc     *Document
	Old     *Document // nil when the resource is new
	Sent    map[string]any
	Batch   store.Batch
	Before  []store.Write // documents that are written with it: children of the resource
	Stale   []string      // keys that are deleted with it
	// Secret tells which secret properties are secret this time (a named value may be plain).
	Secret func(property string) bool

	held func() // lets go of what the write holds until it is committed; nil: nothing
}

// done ends the write, committed or not.
func (w *Write) done() {
	if w.held != nil {
		w.held()
		w.held = nil
	}
}

// New tells whether the resource is being created.
func (w *Write) New() bool { return w.Old == nil }

// Require adds the condition that another resource exists, or answers what Azure does.
func (w *Write) Require(ctx context.Context, path, property string) error {
	key, err := w.Service.keyOf(ctx, path)
	if err == nil {
		_, err = w.Service.Space.Get(ctx, key, 0)
	}
	if tandem.KindOf(err) == tandem.NotFound {
		return invalid(property, "the resource %s does not exist in this service; create it first", path)
	}
	if err != nil {
		return err
	}
	w.Batch.If = append(w.Batch.If, store.Condition{Key: key, Revision: store.Any})
	return nil
}

// Default sets a property that was not sent.
func (w *Write) Default(property string, value any) {
	if lookup(w.Doc.Properties, property) == nil {
		place(w.Doc.Properties, property, value)
	}
}

// OneOf checks an enumeration, without regard to case, and puts Azure's case in place.
func (w *Write) OneOf(property string, values ...string) error {
	v := lookup(w.Doc.Properties, property)
	if v == nil {
		return nil
	}
	s, ok := v.(string)
	if ok {
		for _, allowed := range values {
			if strings.EqualFold(allowed, s) {
				place(w.Doc.Properties, property, allowed)
				return nil
			}
		}
	}
	return invalid(property, "%v is not one of %s", v, strings.Join(values, ", "))
}

// View is one resource on its way to a client.
type View struct {
	Service    *Service
	Kind       *Kind
	Request    *arm.Request
	Doc        *Document
	Properties map[string]any

	viewer *viewer
}

// invalid is Azure's 400 ValidationError about one property.
func invalid(target, format string, args ...any) *arm.Error {
	detail := arm.Errorf(http.StatusBadRequest, "ValidationError", format, args...)
	return &arm.Error{Status: http.StatusBadRequest, Code: "ValidationError", Message: "One or more fields contain incorrect values:",
		Details: []arm.ErrorDetail{{Code: "ValidationError", Target: target, Message: detail.Message}}}
}

func notFound(k *Kind, name string) *arm.Error {
	what := strings.TrimSuffix(k.typ[strings.LastIndexByte(k.typ, '.')+1:], "s")
	return arm.Errorf(http.StatusNotFound, "ResourceNotFound", "%s not found: there is no %s in this service.", strings.ToUpper(what[:1])+what[1:], name)
}

package arm

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"tandem"
)

// Routes gives the poll routes below a pattern, for example of a service: {pattern}/operationresults/{operationId} for
// Location and {pattern}/operationStatuses/{operationId} for Azure-AsyncOperation. Both need the action
// {type}/operationresults/read, which Azure checks apart from the action that started the operation.
func (o *Operations) Routes(pattern string) []Route {
	kinds, _ := patternTypes(strings.Split(strings.TrimPrefix(pattern, "/"), "/"))
	action := strings.Join(kinds, "/") + "/operationresults/read"
	return []Route{
		{Method: http.MethodGet, Pattern: pattern + "/operationresults/{operationId}", Action: action, Handler: o.pollResult},
		{Method: http.MethodGet, Pattern: pattern + "/operationStatuses/{operationId}", Action: action, Handler: o.pollStatus},
	}
}

// OwnRoutes are poll routes that only the principal who started the operation may read: for operations that outlive the
// scope on which the principal has its role.
func (o *Operations) OwnRoutes(pattern string) []Route {
	routes := o.Routes(pattern)
	for i := range routes {
		handler := routes[i].Handler
		routes[i].Action, routes[i].AnyPrincipal = "", true
		routes[i].Handler = func(ctx context.Context, r *Request) (*Response, error) {
			op, err := o.find(ctx, r)
			if err != nil {
				return nil, err
			}
			if op.Principal != r.Principal.ObjectID {
				return nil, unknownOperation(r)
			}
			return handler(ctx, r)
		}
	}
	return routes
}

// find gives the operation of a poll; one of another resource is unknown here, so that a role on one resource does not
// open the operations of another.
func (o *Operations) find(ctx context.Context, r *Request) (Operation, error) {
	op, err := o.Store.GetOperation(ctx, r.Params["operationId"])
	if tandem.KindOf(err) == tandem.NotFound {
		return op, unknownOperation(r)
	}
	if err == nil && !within(op.Resource, pollScope(r)) {
		return op, unknownOperation(r)
	}
	return op, err
}

func unknownOperation(r *Request) error {
	return Errorf(http.StatusNotFound, "ResourceNotFound", "The operation '%s' is not known here; it may have ended too long ago.", r.Params["operationId"])
}

// pollBase is what stands before /operationresults/{id} in the path.
func pollBase(r *Request) string {
	segments := strings.Split(r.Path, "/")
	return strings.Join(segments[:len(segments)-2], "/")
}

// pollScope is where the operations of a poll must lie: at what stands before operationresults or below it. The form
// /subscriptions/{s}/providers/{namespace}/locations/{l}/operationresults/{id} is for the whole subscription.
func pollScope(r *Request) string {
	segments := strings.Split(pollBase(r), "/")
	if n := len(segments); n >= 4 && strings.EqualFold(segments[n-4], "providers") && strings.EqualFold(segments[n-2], "locations") {
		segments = segments[:n-4]
	}
	return strings.Join(segments, "/")
}

// within says whether an id is base or lies below it.
func within(id, base string) bool {
	id, base = lower(id)+"/", lower(base)+"/"
	return strings.HasPrefix(id, base)
}

func (o *Operations) pollResult(ctx context.Context, r *Request) (*Response, error) {
	op, err := o.find(ctx, r)
	if err != nil {
		return nil, err
	}
	switch op.Status {
	case InProgress:
		resp := &Response{Status: http.StatusAccepted, Header: http.Header{}}
		o.pollHeaders(resp.Header, r, pollBase(r), op.ID, false)
		return resp, nil
	case Succeeded:
		if done := o.kind(op.Code).Done; done != nil {
			return done(ctx, r, op)
		}
		if op.Result == nil {
			return &Response{Status: http.StatusOK}, nil
		}
		return &Response{Status: http.StatusOK, Body: op.Result}, nil
	default:
		e := *op.Failure.Error
		if e.Status = op.Failure.Status; e.Status >= 500 || e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout {
			// Clients poll on after these, for ever: the end of an operation must read as an end.
			e.Status = http.StatusConflict
		}
		return nil, &e
	}
}

// operationState is the body of an Azure-AsyncOperation poll.
type operationState struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Status     OperationStatus `json:"status"`
	StartTime  string          `json:"startTime"`
	EndTime    string          `json:"endTime,omitempty"`
	ResourceID string          `json:"resourceId"`
	Error      *Error          `json:"error,omitempty"`
	Properties json.RawMessage `json:"properties,omitempty"` // what the operation gave
}

func (o *Operations) pollStatus(ctx context.Context, r *Request) (*Response, error) {
	op, err := o.find(ctx, r)
	if err != nil {
		return nil, err
	}
	state := operationState{ID: r.Path, Name: op.ID, Status: op.Status, StartTime: FormatTime(op.Started), ResourceID: op.Resource}
	resp := &Response{Status: http.StatusOK, Header: http.Header{}}
	if op.Status == InProgress {
		o.pollHeaders(resp.Header, r, pollBase(r), op.ID, true)
	} else {
		state.EndTime, state.Properties = FormatTime(op.Ended), op.Result
	}
	if op.Failure != nil {
		state.Error = op.Failure.Error
	}
	resp.Body = state
	return resp, nil
}

package arm

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// OperationStatus is where a long-running operation stands.
type OperationStatus string

// The states of an operation; the last three are final.
const (
	InProgress OperationStatus = "InProgress"
	Succeeded  OperationStatus = "Succeeded"
	Failed     OperationStatus = "Failed"
	Canceled   OperationStatus = "Canceled"
)

// Operation is the record of a long-running operation, as it is stored. It holds no secrets.
type Operation struct {
	ID        string          `json:"id"`       // base64, see newOperationID; unique
	Resource  string          `json:"resource"` // id of what it works on
	Code      string          `json:"code"`     // names the OperationKind: "Backup"
	Status    OperationStatus `json:"status"`
	Started   time.Time       `json:"started"`
	Ended     time.Time       `json:"ended,omitzero"`
	Runner    string          `json:"runner"`           // the process that runs it
	Principal string          `json:"principal"`        // object id of who started it
	Data      json.RawMessage `json:"data,omitempty"`   // what Resume needs
	Result    json.RawMessage `json:"result,omitempty"` // what Run gave
	Failure   *Failure        `json:"failure,omitempty"`
}

// Failure is an *Error in a form to store.
type Failure struct {
	Status int    `json:"status"`
	Error  *Error `json:"error"`
}

// OperationStore keeps operations. Put creates or replaces; a Put that returned is durable. Get gives tandem.NotFound for
// an id that is not there.
type OperationStore interface {
	PutOperation(ctx context.Context, op Operation) error
	GetOperation(ctx context.Context, id string) (Operation, error)
	ListOperations(ctx context.Context) ([]Operation, error)
	DeleteOperation(ctx context.Context, id string) error
}

// OperationKind says what happens with operations of one code beside their running.
type OperationKind struct {
	Code string
	// Done answers the final poll of Location; nil: 200 with the operation's Result, or with no body where there is none.
	Done func(ctx context.Context, r *Request, op Operation) (*Response, error)
	// Resume goes on with an operation whose process died; nil: it is reported as failed, OperationInterrupted.
	Resume func(ctx context.Context, op Operation) (json.RawMessage, error)
}

// Start says what to run.
type Start struct {
	Code     string
	Resource string // id of what it works on
	// PollBase is the path below which the operation is polled; empty: Resource. A resource that is gone at the end may
	// need another: the delete of a resource group is polled below its subscription.
	PollBase string
	// Async adds Azure-AsyncOperation to Location.
	Async bool
	// Reply is the first answer; nil: 202 without a body. The polling headers are added to it.
	Reply *Response
	// Data is stored for Resume. No secrets.
	Data json.RawMessage
	// Run does the work; its context ends when the process stops. A returned *Error is what the poll answers, other errors
	// are mapped as a handler's are.
	Run func(ctx context.Context) (json.RawMessage, error)
}

// interrupted is the failure of an operation whose process died and that nothing resumes.
func interrupted(op Operation) *Error {
	return Errorf(http.StatusConflict, "OperationInterrupted",
		"The operation %s on %s was interrupted because its process ended; its outcome is not known. Look at the resource and start the operation again.",
		op.Code, op.Resource)
}

package arm

import (
	"context"
	"time"
)

// AuditRecord says who did what to which resource, from where, with which result.
type AuditRecord struct {
	Time          time.Time
	Principal     Principal // zero where the caller was not authenticated
	Action        string    // empty where no route was found
	Scope         string
	Method        string
	Path          string
	APIVersion    string
	Remote        string // address of the caller
	RequestID     string
	CorrelationID string
	Status        int
	Code          string // of the error, else empty
	Duration      time.Duration
}

// Write says whether the call could change something.
func (a *AuditRecord) Write() bool { return a.Method != "GET" && a.Method != "HEAD" }

// Auditor is told every call once, after its answer is decided and before it is sent. It must not block for long.
type Auditor interface {
	Audit(ctx context.Context, record AuditRecord)
}

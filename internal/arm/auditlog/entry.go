// Package auditlog keeps who did what to which resource, when, from where and with which result: the management calls that
// could change something or took a secret out, refused ones included. It is a folder of segments of JSON lines, one call a
// line, append only, bounded in size and age. Bodies are never in it, so no secrets are (law 7).
package auditlog

import (
	"strings"
	"time"

	"tandem/internal/arm"
)

// Entry is one line of the log. Its names are the format of the export; only additions are made to it.
type Entry struct {
	// Sequence numbers the entries of one log from 1 without gaps.
	Sequence uint64 `json:"sequence"`
	// Node is the log's own name: region, and process where a region has several.
	Node string `json:"node"`
	// Time is when the call arrived, by the clock of this node.
	Time time.Time `json:"time"`

	Caller   string `json:"caller,omitempty"`   // what the directory calls the principal
	ObjectID string `json:"objectId,omitempty"` // of the principal; empty where the caller was not authenticated
	AppID    string `json:"appId,omitempty"`
	TenantID string `json:"tenantId,omitempty"`

	Action     string `json:"action,omitempty"` // as roles name it; empty where nothing serves the path
	Scope      string `json:"scope,omitempty"`
	Method     string `json:"method"`
	Path       string `json:"path"`
	APIVersion string `json:"apiVersion,omitempty"`

	Remote        string `json:"remote"` // address and port of the caller
	RequestID     string `json:"requestId"`
	CorrelationID string `json:"correlationId,omitempty"`

	Status   int     `json:"status"` // of HTTP
	Code     string  `json:"code,omitempty"`
	Duration float64 `json:"seconds"`
}

// Keeps tells whether a call belongs into the log: calls that only read do not, nor do POSTs whose action is to read.
func Keeps(r arm.AuditRecord) bool {
	return r.Write() && !strings.HasSuffix(strings.ToLower(r.Action), "/read")
}

func entryOf(r arm.AuditRecord) Entry {
	return Entry{Time: r.Time.UTC(), Caller: r.Principal.Name, ObjectID: r.Principal.ObjectID, AppID: r.Principal.AppID, TenantID: r.Principal.TenantID,
		Action: r.Action, Scope: r.Scope, Method: r.Method, Path: r.Path, APIVersion: r.APIVersion, Remote: r.Remote, RequestID: r.RequestID,
		CorrelationID: r.CorrelationID, Status: r.Status, Code: r.Code, Duration: r.Duration.Seconds()}
}

// Record is the entry as the server told it.
func (e Entry) Record() arm.AuditRecord {
	return arm.AuditRecord{Time: e.Time, Principal: arm.Principal{TenantID: e.TenantID, ObjectID: e.ObjectID, AppID: e.AppID, Name: e.Caller},
		Action: e.Action, Scope: e.Scope, Method: e.Method, Path: e.Path, APIVersion: e.APIVersion, Remote: e.Remote, RequestID: e.RequestID,
		CorrelationID: e.CorrelationID, Status: e.Status, Code: e.Code, Duration: time.Duration(e.Duration * float64(time.Second))}
}

// newer orders entries of several logs for reading, the newest first. It compares clocks of several machines: for people's
// eyes alone (law 11).
func (e Entry) newer(than Entry) int {
	if c := than.Time.Compare(e.Time); c != 0 {
		return c
	}
	if c := strings.Compare(e.Node, than.Node); c != 0 {
		return c
	}
	switch {
	case e.Sequence > than.Sequence:
		return -1
	case e.Sequence < than.Sequence:
		return 1
	}
	return 0
}

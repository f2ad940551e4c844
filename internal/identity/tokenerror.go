package identity

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// tokenError is an answer of the token endpoint, in Entra ID's form (RFC 6749, section 5.2, and AADSTS codes).
type tokenError struct {
	status int
	code   string // OAuth's
	number int    // AADSTS
	text   string
}

func (e *tokenError) Error() string { return fmt.Sprintf("AADSTS%d: %s", e.number, e.text) }

func tokenErrorf(status int, code string, number int, format string, args ...any) *tokenError {
	return &tokenError{status, code, number, fmt.Sprintf(format, args...)}
}

type tokenErrorBody struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri"`
}

func (e *tokenError) write(w http.ResponseWriter, r *http.Request, now time.Time) {
	stamp := now.UTC().Format("2006-01-02 15:04:05Z")
	trace, correlation := uuid.NewString(), uuid.NewString()
	if id, err := uuid.Parse(r.Header.Get("Client-Request-Id")); err == nil {
		correlation = id.String()
	}
	writeJSON(w, e.status, tokenErrorBody{Error: e.code, Codes: []int{e.number}, Timestamp: stamp, TraceID: trace, CorrelationID: correlation,
		Description: fmt.Sprintf("AADSTS%d: %s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s", e.number, e.text, trace, correlation, stamp),
		URI:         fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", e.number)})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Ms-Request-Id", uuid.NewString())
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that went away cannot be told so
}

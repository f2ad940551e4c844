package arm

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// setCommonHeaders puts on what every answer of Azure Resource Manager carries, and gives the request's id.
func (s *Server) setCommonHeaders(h http.Header, r *http.Request) string {
	id := uuid.NewString()
	correlation := r.Header.Get("X-Ms-Correlation-Request-Id")
	if !plainToken(correlation) {
		correlation = id
	}
	h.Set("X-Ms-Request-Id", id)
	h.Set("X-Ms-Correlation-Request-Id", correlation)
	h.Set("X-Ms-Routing-Request-Id", strings.ToUpper(s.region)+":"+s.clock.Now().UTC().Format("20060102T150405Z")+":"+id)
	if client := r.Header.Get("X-Ms-Client-Request-Id"); plainToken(client) {
		h.Set("X-Ms-Client-Request-Id", client)
	}
	h.Set("Cache-Control", "no-cache")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	return id
}

// plainToken says whether a client's id may be repeated in headers and logs.
func plainToken(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// write sends an answer. It gives the status sent and what failed: the body that cannot be marshalled becomes a 500.
func writeResponse(w http.ResponseWriter, method string, resp *Response) error {
	for name, values := range resp.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	var body []byte
	switch b := resp.Body.(type) {
	case nil:
	case []byte:
		body = b
	case json.RawMessage:
		body = b
	default:
		var err error
		if body, err = marshal(b); err != nil {
			return err
		}
	}
	if body != nil && w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	status := resp.Status
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	if method != http.MethodHead && status != http.StatusNoContent && status != http.StatusNotModified {
		// A client that went away cannot be told so.
		_, _ = w.Write(body)
	}
	return nil
}

func marshal(v any) ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

// FormatTime writes a time as ARM bodies do.
func FormatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

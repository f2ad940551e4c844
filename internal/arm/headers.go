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

// encodeBody gives the bytes of an answer's body; nil: none.
func encodeBody(body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return b, nil
	case json.RawMessage:
		return b, nil
	default:
		return marshal(b)
	}
}

// writeResponse sends an answer whose body is encoded.
func writeResponse(w http.ResponseWriter, method string, resp *Response, body []byte) {
	for name, values := range resp.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	if body != nil && w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(resp.Status)
	if method != http.MethodHead && resp.Status != http.StatusNoContent && resp.Status != http.StatusNotModified {
		_, _ = w.Write(body) // a client that went away cannot be told so
	}
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

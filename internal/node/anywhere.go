package node

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Calls on a subscription that are about services of all regions, by the last of their names.
const (
	deletedServices = "deletedservices"
	checkName       = "checknameavailability"
)

// anywhere tells the calls on a subscription whose answer may lie in any region: deleted services and names that are taken.
func anywhere(path string) string {
	parts := strings.FieldsFunc(strings.ToLower(path), func(c rune) bool { return c == '/' })
	if len(parts) < 5 || parts[0] != "subscriptions" || parts[2] != "providers" || parts[3] != "microsoft.apimanagement" {
		return ""
	}
	switch {
	case len(parts) == 5 && (parts[4] == deletedServices || parts[4] == checkName):
		return parts[4]
	case len(parts) == 8 && parts[4] == "locations" && parts[6] == deletedServices:
		return parts[6] + "/"
	}
	return ""
}

// askAll asks this region and the others, and answers the first that has something to tell: a deleted service by name, a name
// that is taken. Lists of deleted services are joined.
func (p *placement) askAll(what string, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // the client went away
	}
	handlers := []http.Handler{p.local}
	for _, h := range p.to {
		handlers = append(handlers, h)
	}
	var answer *captured
	joined := []json.RawMessage{}
	for _, h := range handlers {
		one := r.Clone(r.Context())
		one.Body = io.NopCloser(bytes.NewReader(body))
		got := newCaptured()
		h.ServeHTTP(got, one)
		if answer == nil {
			answer = got
		}
		var told struct {
			Value         []json.RawMessage
			NameAvailable *bool
		}
		if got.Code >= http.StatusInternalServerError && answer.Code < http.StatusInternalServerError {
			answer = got // a region that does not answer may know better: nothing is told without it
		}
		if got.Code != http.StatusOK && got.Code != http.StatusAccepted {
			continue
		}
		_ = json.Unmarshal(got.Body.Bytes(), &told) // an answer without a body tells by its status
		joined = append(joined, told.Value...)
		if what == deletedServices+"/" || told.NameAvailable != nil && !*told.NameAvailable {
			answer = got
			break
		}
	}
	if what == deletedServices && answer.Code == http.StatusOK {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_ = json.NewEncoder(w).Encode(map[string]any{"value": joined, "count": len(joined)}) // the client went away; there is nobody to tell
		return
	}
	for name, v := range answer.Header() {
		w.Header()[name] = v
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

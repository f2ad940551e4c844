package node

import (
	"net/http"
	"sync/atomic"

	"tandem/internal/arm"
)

// swap is a handler that is put in place after its listener is open.
type swap struct{ current atomic.Pointer[http.Handler] }

func (s *swap) set(h http.Handler) { s.current.Store(&h) }

// ServeHTTP implements http.Handler.
func (s *swap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := s.current.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Retry-After", "1")
	writeError(w, arm.Errorf(http.StatusServiceUnavailable, "ControlPlaneStarting", "The control plane has not started on this node yet: most of its members must be up. Try again in a moment, or ask another member."))
}

package nameserver

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/netip"
)

const dnsMessage = "application/dns-message"

// ServeHTTP answers DNS over HTTPS (RFC 8484), by GET and POST, at whatever path it is mounted. The answer is not to be
// cached by HTTP: a failover must not wait for a proxy.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var question []byte
	var err error
	switch {
	case r.Method == http.MethodGet:
		question, err = base64.RawURLEncoding.DecodeString(r.URL.Query().Get("dns"))
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "send GET or POST", http.StatusMethodNotAllowed)
		return
	case r.Header.Get("Content-Type") != dnsMessage:
		http.Error(w, "send "+dnsMessage, http.StatusUnsupportedMediaType)
		return
	default:
		question, err = io.ReadAll(http.MaxBytesReader(w, r.Body, packetSize))
	}
	from, addrErr := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || addrErr != nil || len(question) < headerLen {
		http.Error(w, "this is no DNS message", http.StatusBadRequest)
		return
	}
	q := query{private: r.TLS != nil}
	out := make([]byte, packetSize)
	n := s.respond(&q, question, s.moment(), from.Addr().Unmap(), true, out)
	if n == 0 {
		http.Error(w, "this is no question", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", dnsMessage)
	w.Header().Set("Cache-Control", "no-store")
	w.Write(out[:n])
}

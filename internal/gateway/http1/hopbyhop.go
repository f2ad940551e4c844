package http1

import "tandem/internal/exchange"

// hopByHop tells whether a field is about one connection alone, or is framing that each sender writes anew
// (RFC 9110, section 7.6.1). Such fields are never written from an exchange's header list.
func hopByHop(name string) bool {
	switch len(name) {
	case 2:
		return sameName(name, "TE")
	case 7:
		return sameName(name, "Upgrade")
	case 10:
		return sameName(name, "Connection") || sameName(name, "Keep-Alive")
	case 14:
		return sameName(name, "Content-Length") || sameName(name, "HTTP2-Settings")
	case 16:
		return sameName(name, "Proxy-Connection")
	case 17:
		return sameName(name, "Transfer-Encoding")
	case 18:
		return sameName(name, "Proxy-Authenticate")
	case 19:
		return sameName(name, "Proxy-Authorization")
	}
	return false
}

// RemoveHopByHop takes the fields out of h that belong to the connection it came over, and those that its Connection
// field names. Server and Pool do this themselves; it is for headers that come from elsewhere.
func RemoveHopByHop(h *exchange.Header) {
	removeNamed(h)
	kept := (*h)[:0]
	for _, f := range *h {
		if !hopByHop(f.Name) {
			kept = append(kept, f)
		}
	}
	*h = kept
}

// removeNamed removes the fields that Connection names. It runs when a head is received and not when it is sent on:
// otherwise a client could have the gateway's own fields removed by naming them.
func removeNamed(h *exchange.Header) {
	var names []string
	for _, f := range *h {
		if !sameName(f.Name, "Connection") {
			continue
		}
		for list := f.Value; list != ""; {
			var token string
			if token, list = nextToken(list); token != "" && !hopByHop(token) && !sameName(token, "Host") {
				names = append(names, token)
			}
		}
	}
	for _, name := range names {
		h.Del(name)
	}
}

// forbiddenTrailer tells whether a field may not stand in a trailer section: framing, routing and what a recipient must
// know before the body (RFC 9110, section 6.5.1).
func forbiddenTrailer(name string) bool {
	return hopByHop(name) || sameName(name, "Host") || sameName(name, "Trailer") || sameName(name, "Expect") ||
		sameName(name, "Authorization") || sameName(name, "Content-Encoding") || sameName(name, "Content-Type") ||
		sameName(name, "Content-Range") || sameName(name, "Cookie") || sameName(name, "Set-Cookie")
}

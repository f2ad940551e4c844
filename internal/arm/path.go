package arm

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSegments bounds a path: the deepest id of API Management has 20 segments; an extension doubles that.
const maxSegments = 64

// splitPath parts an escaped path into segments, each percent-decoded once. Empty segments are dropped, so that doubled
// slashes and a slash at the end do no harm (JavaScript clients send //subscriptions/...).
func splitPath(escaped string) ([]string, error) {
	segments := make([]string, 0, 16)
	for raw := range strings.SplitSeq(escaped, "/") {
		if raw == "" {
			continue
		}
		s, err := url.PathUnescape(raw)
		if err != nil || !validSegment(s) {
			return nil, Errorf(http.StatusBadRequest, "InvalidRequestUri",
				"The request URI has the segment %q, which is not a valid name; percent-encode it once, in UTF-8.", raw)
		}
		if segments = append(segments, s); len(segments) > maxSegments {
			return nil, Errorf(http.StatusBadRequest, "InvalidRequestUri", "The request URI has more than %d segments.", maxSegments)
		}
	}
	return segments, nil
}

// validSegment refuses what could mean another resource once it stands in an id: a slash, dots alone, control characters.
func validSegment(s string) bool {
	if s == "." || s == ".." || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c == '/' || c == '\\' || unicode.IsControl(c) {
			return false
		}
	}
	return true
}

// escapePath writes a path for a link: every segment percent-encoded where it must be.
func escapePath(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// Link is the absolute address of a path on this server, with a query ("api-version=2024-05-01", or empty).
func (r *Request) Link(path, query string) string {
	link := r.Base + escapePath(path)
	if query != "" {
		link += "?" + query
	}
	return link
}

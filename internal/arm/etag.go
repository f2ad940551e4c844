package arm

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"

	"tandem"
)

// RevisionETag is the entity tag of a document at a revision: eight bytes in base64, in quotes, as Azure writes them.
func RevisionETag(r tandem.Revision) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(r)) //nolint:gosec // a revision is never negative
	return `"` + base64.StdEncoding.EncodeToString(b[:]) + `"`
}

// IfMatch says whether the request has an If-Match header. An empty one is none: azurerm sends it when it creates.
func (r *Request) IfMatch() bool { return r.HTTP.Header.Get("If-Match") != "" }

// CheckETag holds a write to its If-Match and If-None-Match headers (RFC 9110, section 13.1); current is the resource's
// entity tag, empty where there is no resource. "If-Match: *" holds even then, because clients send it when they create.
// The error is 412 PreconditionFailed.
func (r *Request) CheckETag(current string) error {
	if match := r.HTTP.Header.Values("If-Match"); r.IfMatch() && !hasETag(match, current, true) {
		return Errorf(http.StatusPreconditionFailed, "PreconditionFailed",
			"The resource was modified since it was read: its ETag is %s and If-Match asks for %s. Read it again and repeat the change.",
			orNone(current), strings.Join(match, ", "))
	}
	if none := r.HTTP.Header.Values("If-None-Match"); current != "" && len(none) > 0 && hasETag(none, current, true) {
		return Errorf(http.StatusPreconditionFailed, "PreconditionFailed",
			"The resource exists with ETag %s, which If-None-Match excludes.", current)
	}
	return nil
}

// NotModified says whether a read may be answered 304, for its If-None-Match header.
func (r *Request) NotModified(current string) bool {
	none := r.HTTP.Header.Values("If-None-Match")
	return current != "" && len(none) > 0 && hasETag(none, current, false)
}

func hasETag(header []string, current string, star bool) bool {
	for _, line := range header {
		for tag := range strings.SplitSeq(line, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" {
				return star || current != ""
			}
			if current != "" && bareETag(tag) == bareETag(current) {
				return true
			}
		}
	}
	return false
}

// bareETag takes off the mark of a weak tag and the quotes, which some clients leave out.
func bareETag(tag string) string { return strings.Trim(strings.TrimPrefix(tag, "W/"), `"`) }

func orNone(tag string) string {
	if tag == "" {
		return "none, since it does not exist,"
	}
	return tag
}

package blobserver

import (
	"net/http"
	"strings"
	"time"
)

// conditions checks If-Match and its three sisters against a blob (nil: absent), as Azure answers them. For a write, an
// If-None-Match that fails because of "*" is 409.
func (c *call) conditions(r *record, write bool) error {
	h := c.r.Header
	unmet := &wireError{http.StatusPreconditionFailed, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."}
	unchanged := unmet
	if !write {
		unchanged = &wireError{http.StatusNotModified, "ConditionNotMet", unmet.message}
	}
	if v := h.Get("If-Match"); v != "" && (r == nil || v != "*" && !hasTag(v, r.ETag)) {
		return unmet
	}
	if v := h.Get("If-None-Match"); v != "" && r != nil {
		if v == "*" && write {
			return &wireError{http.StatusConflict, "BlobAlreadyExists", "The specified blob already exists."}
		}
		if v == "*" || hasTag(v, r.ETag) {
			return unchanged
		}
	}
	for _, name := range []string{"If-Unmodified-Since", "If-Modified-Since"} {
		v := h.Get(name)
		if v == "" {
			continue
		}
		at, err := http.ParseTime(v)
		if err != nil {
			return errHeader(name)
		}
		later := r != nil && second(r.Modified).After(second(at))
		if name == "If-Unmodified-Since" && later {
			return unmet
		}
		if name == "If-Modified-Since" && r != nil && !later && h.Get("If-None-Match") == "" {
			return unchanged
		}
	}
	return nil
}

func hasTag(list, tag string) bool {
	for t := range strings.SplitSeq(list, ",") {
		if strings.Trim(strings.TrimPrefix(strings.TrimSpace(t), "W/"), `"`) == strings.Trim(tag, `"`) {
			return true
		}
	}
	return false
}

// readMetadata takes the x-ms-meta- headers.
func (c *call) readMetadata() (map[string]string, error) {
	var out map[string]string
	size := 0
	for name, v := range c.r.Header {
		key, ok := strings.CutPrefix(strings.ToLower(name), "x-ms-meta-")
		if !ok {
			continue
		}
		if key == "" || strings.ContainsAny(key, "-.") { // names are C# identifiers in Azure
			return nil, &wireError{http.StatusBadRequest, "InvalidMetadata", "The metadata name " + name + " is not an identifier."}
		}
		if out == nil {
			out = map[string]string{}
		}
		out[key] = strings.Join(v, ",")
		size += len(key) + len(out[key])
	}
	if size > 8<<10 {
		return nil, &wireError{http.StatusBadRequest, "MetadataTooLarge", "The size of the specified metadata exceeds the maximum size permitted."}
	}
	return out, nil
}

func writeMetadata(h http.Header, meta map[string]string) {
	for k, v := range meta {
		h.Set("x-ms-meta-"+k, v)
	}
}

// readHeaders takes the standard headers that a blob keeps, from x-ms-blob-... or, for a whole upload, the plain ones.
func (c *call) readHeaders(plain bool) map[string]string {
	out := map[string]string{"Content-Type": "application/octet-stream"}
	for _, name := range keptHeaders() {
		own := "x-ms-blob-" + strings.ToLower(name)
		if v := c.r.Header.Get(own); v != "" {
			out[name] = v
		} else if v := c.r.Header.Get(name); v != "" && plain {
			out[name] = v
		}
	}
	return out
}

func keptHeaders() []string {
	return []string{"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control"}
}

func httpDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

package expr

import (
	"encoding/base64"
	"strings"

	"tandem/internal/workflow/value"
)

// OctetStream is the media type of content that has no other.
const OctetStream = "application/octet-stream"

// NewContent makes the object that stands for bytes which are no JSON: {"$content-type", "$content"}.
func NewContent(data []byte, mediaType string) *value.Object {
	return value.New("$content-type", mediaType, "$content", base64.StdEncoding.EncodeToString(data))
}

// Content reads such an object.
func Content(v any) (data []byte, mediaType string, ok bool) {
	o, isObject := v.(*value.Object)
	if !isObject || !o.Has("$content") || !o.Has("$content-type") {
		return nil, "", false
	}
	data, err := base64.StdEncoding.DecodeString(o.String("$content"))
	if err != nil {
		return nil, "", false
	}
	return data, o.String("$content-type"), true
}

// textual tells whether content of a media type is text.
func textual(mediaType string) bool {
	t := strings.ToLower(mediaType)
	t, _, _ = strings.Cut(t, ";")
	t = strings.TrimSpace(t)
	return strings.HasPrefix(t, "text/") || strings.HasSuffix(t, "/xml") || strings.HasSuffix(t, "+xml") ||
		strings.HasSuffix(t, "/json") || strings.HasSuffix(t, "+json") || t == "application/x-www-form-urlencoded"
}

// bytesOf gives what a value is as bytes: content decoded, strings as UTF-8, everything else as JSON.
func bytesOf(v any) []byte {
	if data, _, ok := Content(v); ok {
		return data
	}
	if s, ok := v.(string); ok {
		return []byte(s)
	}
	return value.Encode(v)
}

package workflow

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

func sortedKeys(h http.Header) []string { return slices.Sorted(maps.Keys(h)) }

// readBody makes a value of what came over the wire: JSON is parsed, text is a string, form data and parts can be taken
// apart, and all else is content in base64.
func readBody(body []byte, contentType string) any {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		mediaType, _, _ = strings.Cut(strings.ToLower(contentType), ";")
	}
	switch {
	case mediaType == "application/json" || strings.HasSuffix(mediaType, "+json") || mediaType == "text/json":
		if v, err := value.Decode(body); err == nil {
			return v
		}
		return string(bytes.ToValidUTF8(body, []byte("\ufffd")))
	case mediaType == "" || strings.HasPrefix(mediaType, "text/") && mediaType != "text/xml":
		if utf8.Valid(body) {
			return string(body)
		}
	case mediaType == "application/x-www-form-urlencoded":
		out := expr.NewContent(body, contentType)
		list := []any{}
		for _, pair := range strings.Split(string(body), "&") {
			k, v, _ := strings.Cut(pair, "=")
			key, err1 := url.QueryUnescape(k)
			val, err2 := url.QueryUnescape(v)
			if err1 == nil && err2 == nil && pair != "" {
				list = append(list, value.New("key", key, "value", val))
			}
		}
		out.Set("$formdata", list)
		return out
	case strings.HasPrefix(mediaType, "multipart/") && params["boundary"] != "":
		out := expr.NewContent(body, contentType)
		out.Set("$multipart", readParts(body, params["boundary"]))
		return out
	}
	if contentType == "" {
		contentType = expr.OctetStream
	}
	return expr.NewContent(body, contentType)
}

func readParts(body []byte, boundary string) []any {
	list := []any{}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for len(list) < 1000 {
		part, err := r.NextRawPart()
		if err != nil {
			break
		}
		data, err := io.ReadAll(part)
		if err != nil {
			break
		}
		headers := value.New()
		for _, name := range sortedKeys(http.Header(part.Header)) {
			headers.Set(name, strings.Join(part.Header[name], ","))
		}
		var v any = expr.NewContent(data, expr.OctetStream)
		if t := part.Header.Get("Content-Type"); t != "" && !strings.HasPrefix(strings.ToLower(t), "multipart/") {
			v = readBody(data, t)
		} else if utf8.Valid(data) {
			v = expr.NewContent(data, "text/plain")
		}
		list = append(list, value.New("headers", headers, "body", v))
	}
	return list
}

// writeBody makes bytes of a value, and the content type that goes with them where the sender names none.
func writeBody(v any) (body []byte, contentType string) {
	if v == nil {
		return nil, ""
	}
	if data, mediaType, is := expr.Content(v); is {
		return data, mediaType
	}
	if s, isText := v.(string); isText {
		return []byte(s), ""
	}
	return value.Encode(v), "application/json"
}

// newRequest reads the evaluated inputs of an Http action.
func newRequest(in *value.Object) (*request, error) {
	uri, _ := in.Get("uri")
	text, isText := uri.(string)
	u, err := url.Parse(strings.TrimSpace(text))
	if !isText || err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the uri is no absolute http or https address")
	}
	req := &request{method: strings.ToUpper(in.String("method")), url: u, headers: http.Header{}, auth: in.Object("authentication")}
	if queries := in.Object("queries"); queries != nil {
		var add []string
		queries.Walk(func(k string, v any) {
			if v != nil {
				add = append(add, url.QueryEscape(k)+"="+strings.ReplaceAll(url.QueryEscape(expr.ContentText(v)), "+", "%20"))
			}
		})
		if u.RawQuery != "" && len(add) > 0 {
			u.RawQuery += "&"
		}
		u.RawQuery += strings.Join(add, "&")
	}
	body, _ := in.Get("body")
	data, contentType := writeBody(body)
	req.body = data
	in.Object("headers").Walk(func(k string, v any) {
		if v != nil {
			req.headers.Set(k, strings.NewReplacer("\r", "", "\n", "").Replace(expr.ContentText(v)))
		}
	})
	if c := in.String("cookie"); c != "" {
		req.headers.Set("Cookie", c)
	}
	if contentType != "" {
		setDefault(req.headers, "Content-Type", contentType)
	}
	return req, nil
}

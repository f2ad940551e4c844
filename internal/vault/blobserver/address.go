package blobserver

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// address finds account, container and blob in the request. Two styles are served:
//
//	https://{account}.blob.{suffix}/{container}/{blob}   host style, Azure's own
//	https://{host}/{account}/{container}/{blob}          path style, for a bare address
//
// Blob names may hold slashes, doubled ones and dots too; they are names and never paths on disk.
func (c *call) address() error {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return &wireError{http.StatusBadRequest, "InvalidQueryParameterValue", "The query string cannot be read."}
	}
	c.query = make(map[string][]string, len(values))
	for name, v := range values {
		name = strings.ToLower(name)
		c.query[name] = append(c.query[name], v...)
	}
	host := c.r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	rest := strings.TrimPrefix(c.r.URL.EscapedPath(), "/")
	labels := strings.Split(host, ".")
	if len(labels) > 2 && labels[1] == "blob" && net.ParseIP(host) == nil {
		c.account = strings.ToLower(labels[0])
	} else {
		c.pathStyle = true
		c.account, rest, _ = strings.Cut(rest, "/")
	}
	container, blob, _ := strings.Cut(rest, "/")
	for _, part := range []*string{&c.account, &container, &blob} {
		if *part, err = url.PathUnescape(*part); err != nil {
			return &wireError{http.StatusBadRequest, "InvalidUri", "The requested URI does not represent any resource on the server."}
		}
	}
	c.container, c.blob = container, blob
	if !accountName(c.account) {
		return &wireError{http.StatusBadRequest, "InvalidUri", "The URI names no storage account."}
	}
	if c.container != "" && !containerName(c.container) {
		return &wireError{http.StatusBadRequest, "InvalidResourceName", "The specified resource name contains invalid characters."}
	}
	if c.blob != "" && !blobName(c.blob) {
		return &wireError{http.StatusBadRequest, "InvalidResourceName", "The specified resource name contains invalid characters."}
	}
	return nil
}

// accountName: 3 to 24 lower-case letters and digits.
func accountName(s string) bool {
	return len(s) >= 3 && len(s) <= 24 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// containerName: 3 to 63 lower-case letters, digits and single hyphens inside.
func containerName(s string) bool {
	return len(s) >= 3 && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" &&
		s[0] != '-' && s[len(s)-1] != '-' && !strings.Contains(s, "--")
}

// blobName: 1 to 1,024 characters. Control characters are refused, since the XML of a listing cannot carry them.
func blobName(s string) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > 1024 {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r == 0x7f || r == 0xfffe || r == 0xffff {
			return false
		}
	}
	return true
}

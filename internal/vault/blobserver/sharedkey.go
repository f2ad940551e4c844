package blobserver

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// stringToSign builds what a SharedKey signature covers (Azure: "Authorize with Shared Key"): the verb, eleven standard
// headers, the x-ms- headers in the order of compare, and the resource with its query.
func stringToSign(r *http.Request, account string, compare func(a, b string) int) string {
	var b strings.Builder
	line := func(s string) { b.WriteString(s + "\n") }
	line(r.Method)
	length := ""
	if r.ContentLength > 0 {
		length = strconv.FormatInt(r.ContentLength, 10)
	}
	date := r.Header.Get("Date")
	if r.Header.Get("x-ms-date") != "" {
		date = ""
	}
	line(r.Header.Get("Content-Encoding"))
	line(r.Header.Get("Content-Language"))
	line(length)
	line(r.Header.Get("Content-MD5"))
	line(r.Header.Get("Content-Type"))
	line(date)
	for _, name := range []string{"If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"} {
		line(r.Header.Get(name))
	}
	var names []string
	values := map[string]string{}
	for name, v := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-ms-") {
			names = append(names, name)
			values[name] = strings.TrimSpace(strings.Join(v, ","))
		}
	}
	slices.SortFunc(names, compare)
	for _, name := range names {
		line(name + ":" + values[name])
	}
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b.WriteString("/" + account + path)
	b.WriteString(canonicalQuery(r.URL.RawQuery))
	return b.String()
}

func canonicalQuery(raw string) string {
	parsed, err := url.ParseQuery(raw)
	if err != nil {
		return "" // address has refused such a query already
	}
	byName := map[string][]string{}
	for name, v := range parsed {
		name = strings.ToLower(name)
		byName[name] = append(byName[name], v...)
	}
	names := make([]string, 0, len(byName))
	for name := range byName {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		slices.Sort(byName[name])
		b.WriteString("\n" + name + ":" + strings.Join(byName[name], ","))
	}
	return b.String()
}

// headerAlphabet lists the characters of header names from light to heavy, as Azure's collation weighs them. The hyphen
// and the apostrophe are missing: they count only between names that are equal without them.
const headerAlphabet = "!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz"

// compareWeighted orders lower-case header names as Azure does when it checks a signature. It differs from the order of
// bytes: "x-ms-blob-type" stands before "x-ms-blobz", since hyphens weigh nothing at first.
func compareWeighted(a, b string) int {
	i, j := 0, 0
	for {
		for i < len(a) && light(a[i]) {
			i++
		}
		for j < len(b) && light(b[j]) {
			j++
		}
		if i == len(a) || j == len(b) {
			if i != len(a) {
				return 1
			}
			if j != len(b) {
				return -1
			}
			return compareHyphens(a, b)
		}
		if d := strings.IndexByte(headerAlphabet, a[i]) - strings.IndexByte(headerAlphabet, b[j]); d != 0 {
			return d
		}
		i++
		j++
	}
}

func light(c byte) bool { return c == '-' || c == '\'' }

// compareHyphens orders two names that are equal but for hyphens and apostrophes: the one whose first own mark comes
// earlier is the heavier, and a hyphen outweighs an apostrophe.
func compareHyphens(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		la, lb := light(a[i]), light(b[i])
		switch {
		case la && !lb:
			return 1
		case lb && !la:
			return -1
		case la && lb && a[i] != b[i]:
			return strings.Compare(a[i:i+1], b[i:i+1]) // the apostrophe's byte is the smaller one too
		}
	}
	return len(a) - len(b)
}

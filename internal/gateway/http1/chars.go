package http1

import "strings"

// tokenChar tells which bytes may stand in a token (RFC 9110, section 5.6.2).
var tokenChar = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "!#$%&'*+-.^_`|~" {
		t[c] = true
	}
	return t
}()

// hostChar tells which bytes may stand in an authority without userinfo (RFC 3986, section 3.2.2). Brackets are checked
// by validHost.
var hostChar = func() (t [256]bool) {
	t = tokenChar
	for _, c := range "#^`|" {
		t[c] = false
	}
	for _, c := range "()*;=:[],@" {
		t[c] = c != '@' && c != ','
	}
	return t
}()

func validToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !tokenChar[s[i]] {
			return false
		}
	}
	return s != ""
}

// validHost checks the value of Host: a name or an address, with or without a port.
func validHost(s string) bool {
	for i := 0; i < len(s); i++ {
		if !hostChar[s[i]] {
			return false
		}
	}
	name, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 3 {
			return false
		}
		for _, c := range s[1:end] {
			if !(hexValue(byte(c)) >= 0 || c == ':' || c == '.') {
				return false
			}
		}
		name, port = s[:end], s[end+1:]
		if port != "" && port[0] != ':' {
			return false
		}
		port = strings.TrimPrefix(port, ":")
	} else if colon := strings.IndexByte(s, ':'); colon >= 0 {
		name, port = s[:colon], s[colon+1:]
	}
	if strings.ContainsAny(name[min(1, len(name)):], "[]") || len(port) > 5 {
		return false
	}
	for i := 0; i < len(port); i++ {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
	}
	return name != ""
}

// cleanText tells that s has no control characters but tabs: what a field value may hold (RFC 9110, section 5.5). It
// looks at eight bytes at a time.
func cleanText(s string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		low := (x - ones*0x20) &^ x & highs
		del := x ^ ones*0x7f
		if low|((del-ones)&^del&highs) != 0 && !cleanBytes(s[i:i+8]) {
			return false
		}
	}
	return cleanBytes(s[i:])
}

func cleanBytes(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// validTarget tells that s is visible ASCII without a fragment. RFC 3986 wants other characters percent-encoded.
func validTarget(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return s != ""
}

// hexValue is the value of a hexadecimal digit, -1 for another byte.
func hexValue(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// sameName compares field names and tokens without regard to case.
func sameName(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// trimOWS cuts spaces and tabs off both ends.
func trimOWS(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// nextToken takes the first element off a comma-separated list; it skips empty elements (RFC 9110, section 5.6.1).
func nextToken(list string) (token, rest string) {
	for list != "" && token == "" {
		token, list, _ = strings.Cut(list, ",")
		token = trimOWS(token)
	}
	return token, list
}

package http1

import (
	"strings"

	"tandem/internal/exchange"
)

// parseRequest reads a request's head, whole and ending with the empty line, into r. The strings in r are parts of s.
func parseRequest(s string, r *exchange.Request, limits *Limits, f *facts) (minor int, err error) {
	eol := strings.IndexByte(s, '\n')
	minor, err = parseRequestLine(s[:eol-1], r, limits)
	if err != nil {
		return minor, err
	}
	*f = facts{length: -1}
	if r.Header, err = parseFields(s[eol+1:], r.Header[:0], limits.HeadFields, f); err != nil {
		return minor, err
	}
	if err := f.framing(minor); err != nil {
		return minor, err
	}
	if f.expectOther {
		return minor, errExpect
	}
	if f.hosts > 1 || f.hosts == 1 && !validHost(f.host) {
		return minor, errHost
	}
	if f.hosts == 0 && minor == 1 {
		return minor, errNoHost
	}
	if r.URL.Host == "" {
		r.URL.Host = f.host
	} else if f.hosts == 1 && !strings.EqualFold(f.host, r.URL.Host) {
		return minor, errHostDiffers
	}
	if f.named {
		removeNamed(&r.Header)
	}
	return minor, nil
}

// parseRequestLine reads "method SP target SP version" (RFC 9112, section 3).
func parseRequestLine(line string, r *exchange.Request, limits *Limits) (minor int, err error) {
	sp := strings.IndexByte(line, ' ')
	last := strings.LastIndexByte(line, ' ')
	if sp <= 0 || last == sp {
		return 0, errRequestLine
	}
	method, target, version := line[:sp], line[sp+1:last], line[last+1:]
	if !validToken(method) {
		return 0, errMethod
	}
	switch version {
	case "HTTP/1.1":
		minor = 1
	case "HTTP/1.0":
	default:
		if len(version) == 8 && version[:5] == "HTTP/" && version[6] == '.' && isDigit(version[5]) && isDigit(version[7]) {
			return 0, errVersionOther
		}
		return 0, errVersion
	}
	if !validTarget(target) {
		return minor, errTarget
	}
	if len(target) > limits.Target {
		return minor, errTargetLong
	}
	r.Method, r.Proto = method, version
	return minor, parseTarget(target, method, &r.URL)
}

// parseTarget takes the origin form and the absolute form of a target (RFC 9112, section 3.2). The asterisk form is
// refused: there is no resource behind a gateway that it could ask about.
func parseTarget(target, method string, u *exchange.URL) error {
	if method == "CONNECT" {
		return errConnect
	}
	u.Host = ""
	if target[0] != '/' {
		rest, ok := cutScheme(target)
		if !ok {
			return errTarget
		}
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		u.Host, target = rest[:end], rest[end:]
		if !validHost(u.Host) {
			return errTarget
		}
	}
	u.Path, u.Query = target, ""
	if q := strings.IndexByte(target, '?'); q >= 0 {
		u.Path, u.Query = target[:q], target[q+1:]
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return nil
}

func cutScheme(target string) (rest string, ok bool) {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(target) > len(scheme) && strings.EqualFold(target[:len(scheme)], scheme) {
			return target[len(scheme):], true
		}
	}
	return "", false
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

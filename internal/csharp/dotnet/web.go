package dotnet

import (
	"html"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"tandem/internal/csharp"
)

// uri is a Uri.
type uri struct {
	original string
	u        *url.URL
	absolute bool
}

// NewURI makes a Uri of an address; ok is false when it is none.
func NewURI(s string) (csharp.Value, bool) {
	u := parseURI(s, true)
	if u == nil {
		return val{}, false
	}
	return ref(u), true
}

func parseURI(s string, absolute bool) *uri {
	trimmed := strings.TrimSpace(s)
	u, err := url.Parse(strings.ReplaceAll(trimmed, " ", "%20"))
	if err != nil {
		return nil
	}
	abs := u.Scheme != "" && (u.Host != "" || u.Opaque != "" || u.Path != "")
	if absolute && (!abs || u.Host == "" && (u.Scheme == "http" || u.Scheme == "https")) {
		return nil
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n > 65535 {
			return nil
		}
	}
	return &uri{original: s, u: u, absolute: abs}
}

var ports = map[string]int{"http": 80, "https": 443, "ftp": 21, "ws": 80, "wss": 443}

func (u *uri) port() int {
	if p, err := strconv.Atoi(u.u.Port()); err == nil {
		return p
	}
	if p, ok := ports[u.u.Scheme]; ok {
		return p
	}
	return -1
}

func (u *uri) path() string {
	p := u.u.EscapedPath()
	if p == "" && u.u.Opaque != "" {
		return u.u.Opaque
	}
	if p == "" {
		return "/"
	}
	if u.u.Host == "" {
		return p
	}
	return (&url.URL{Path: "/"}).ResolveReference(&url.URL{Path: u.u.Path, RawPath: u.u.RawPath}).EscapedPath()
}

func (u *uri) query() string {
	if u.u.RawQuery == "" && !u.u.ForceQuery {
		return ""
	}
	return "?" + u.u.RawQuery
}

func (u *uri) authority() string {
	h := strings.ToLower(u.u.Hostname())
	if strings.Contains(h, ":") {
		h = "[" + h + "]"
	}
	if p := u.port(); p >= 0 && p != ports[u.u.Scheme] {
		h += ":" + strconv.Itoa(p)
	}
	return h
}

func (u *uri) absoluteURI() string {
	s := strings.ToLower(u.u.Scheme) + ":"
	if u.u.Host != "" {
		s += "//"
		if u.u.User != nil {
			s += u.u.User.String() + "@"
		}
		s += u.authority()
	}
	s += u.path() + u.query()
	if u.u.Fragment != "" {
		s += "#" + u.u.EscapedFragment()
	}
	return s
}

// NetString implements csharp.Texter: the canonical form with escapes of plain characters undone.
func (u *uri) NetString() string {
	if !u.absolute {
		return u.original
	}
	s, err := url.PathUnescape(u.absoluteURI())
	if err != nil || strings.ContainsAny(s, "\r\n\t%") {
		return u.absoluteURI()
	}
	return s
}

// NetKey implements csharp.Equaler.
func (u *uri) NetKey() any {
	if u.absolute {
		return "uri " + strings.TrimSuffix(u.absoluteURI(), "#"+u.u.EscapedFragment())
	}
	return "uri " + u.original
}

// escapeData is Uri.EscapeDataString: all but RFC 3986's unreserved characters.
func escapeData(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			out.WriteByte(c)
			continue
		}
		out.WriteByte('%')
		out.WriteByte(hexDigits[c>>4])
		out.WriteByte(hexDigits[c&15])
	}
	return out.String()
}

// unescape undoes %XX and leaves what is malformed.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if b, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(b))
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return strings.ToValidUTF8(out.String(), "\ufffd")
}

func uriTypes() []def {
	me := self[*uri]
	must := func(v val, param string, absolute bool) val {
		s := needString(v, param)
		u := parseURI(s, absolute)
		if u == nil {
			msg := "Invalid URI: The format of the URI could not be determined."
			if s == "" {
				msg = "Invalid URI: The URI is empty."
			}
			csharp.Throw("UriFormatException", msg)
		}
		return ref(u)
	}
	part := func(name string, fn func(u *uri) val, t string) member {
		return f(t+" "+name, pure(func(a []val) val {
			if !me(a).absolute {
				csharp.Throw("InvalidOperationException", "This operation is not supported for a relative URI.")
			}
			return fn(me(a))
		}))
	}
	text := func(name string, fn func(u *uri) string) member {
		return part(name, func(u *uri) val { return str(fn(u)) }, "string")
	}
	joined := func(base *uri, rel *url.URL) val {
		return must(str(base.u.ResolveReference(rel).String()), "relativeUri", true)
	}
	rows := []member{
		f("new(string uriString)", pure(func(a []val) val { return must(a[0], "uriString", true) })),
		f("new(string uriString, UriKind uriKind)", pure(func(a []val) val { return must(a[0], "uriString", a[1].N == 1) })),
		f("new(Uri baseUri, string relativeUri)", pure(func(a []val) val { return joined(a[0].R.(*uri), must(a[1], "relativeUri", false).R.(*uri).u) })),
		f("new(Uri baseUri, Uri relativeUri)", pure(func(a []val) val { return joined(a[0].R.(*uri), a[1].R.(*uri).u) })),
		text("Host", func(u *uri) string { return strings.ToLower(u.u.Hostname()) }),
		text("DnsSafeHost", func(u *uri) string { return strings.ToLower(u.u.Hostname()) }),
		text("Scheme", func(u *uri) string { return strings.ToLower(u.u.Scheme) }),
		text("AbsolutePath", (*uri).path), text("LocalPath", func(u *uri) string { return unescape(u.path()) }),
		text("Query", (*uri).query), text("PathAndQuery", func(u *uri) string { return u.path() + u.query() }),
		text("Authority", (*uri).authority), text("AbsoluteUri", (*uri).absoluteURI),
		text("UserInfo", func(u *uri) string { return u.u.User.String() }),
		text("Fragment", func(u *uri) string {
			if u.u.Fragment == "" {
				return ""
			}
			return "#" + u.u.EscapedFragment()
		}),
		part("Port", func(u *uri) val { return num(u.port()) }, "int"),
		part("IsDefaultPort", func(u *uri) val { return yes(u.port() == ports[u.u.Scheme]) }, "bool"),
		part("IsLoopback", func(u *uri) val { h := u.u.Hostname(); return yes(h == "localhost" || h == "127.0.0.1" || h == "::1") }, "bool"),
		part("Segments", func(u *uri) val {
			return csharp.Strings(strings.SplitAfter(strings.TrimSuffix(u.path(), "/")+map[bool]string{true: "/"}[strings.HasSuffix(u.path(), "/")], "/"))
		}, "string[]"),
		f("bool IsAbsoluteUri", pure(func(a []val) val { return yes(me(a).absolute) })),
		f("string OriginalString", pure(func(a []val) val { return str(me(a).original) })),
		f("string ToString()", pure(func(a []val) val { return str(me(a).NetString()) })),
		f("string GetLeftPart(UriPartial part)", pure(func(a []val) val {
			u := me(a)
			s := strings.ToLower(u.u.Scheme) + "://"
			switch a[1].N {
			case 1:
				s += u.authority()
			case 2:
				s += u.authority() + u.path()
			case 3:
				s += u.authority() + u.path() + u.query()
			}
			return str(s)
		})),
		f("bool Equals(object comparand)", pure(func(a []val) val { return yes(objectsEqual(a[0].R, a[1].R)) })),
		f("operator bool ==(Uri a, Uri b)", pure(func(a []val) val { return yes(objectsEqual(a[0].R, a[1].R)) })),
		f("operator bool !=(Uri a, Uri b)", pure(func(a []val) val { return yes(!objectsEqual(a[0].R, a[1].R)) })),
		f("static string EscapeDataString(string stringToEscape)", func(m *mach, a []val) val {
			s := needString(a[0], "stringToEscape")
			m.Charge(3 * len(s))
			return str(escapeData(s))
		}),
		f("static string UnescapeDataString(string stringToUnescape)", pure(func(a []val) val { return str(unescape(needString(a[0], "stringToUnescape"))) })),
		f("static string EscapeUriString(string stringToEscape)", pure(func(a []val) val {
			s := escapeData(needString(a[0], "stringToEscape"))
			for _, c := range []byte("!#$&'()*+,/:;=?@[]%") {
				s = strings.ReplaceAll(s, escapeData(string(rune(c))), string(rune(c)))
			}
			return str(s)
		})),
		f("static bool IsWellFormedUriString(string uriString, UriKind uriKind)", pure(func(a []val) val {
			u := parseURI(a[0].S, a[1].N == 1)
			return yes(u != nil && !strings.ContainsAny(a[0].S, " <>\"{}|\\^`"))
		})),
		f("static bool TryCreate(string uriString, UriKind uriKind, out Uri result)", pure(func(a []val) val {
			u := parseURI(a[0].S, a[1].N == 1)
			if a[2] = (val{}); u != nil {
				a[2] = ref(u)
			}
			return yes(u != nil)
		})),
	}
	return []def{
		{Decl: "class Uri", Namespace: system, Is: is[*uri], Members: rows},
		{Decl: "enum UriKind", Namespace: system, Values: []string{"RelativeOrAbsolute", "Absolute", "Relative"}},
		{Decl: "enum UriPartial", Namespace: system, Values: []string{"Scheme", "Authority", "Path", "Query"}},
	}
}

// formEncode is WebUtility.UrlEncode: spaces as +, upper-case escapes.
func formEncode(s string) string {
	s = escapeData(s)
	for _, c := range []string{"!", "(", ")", "*"} {
		s = strings.ReplaceAll(s, "%"+strings.ToUpper(strconv.FormatInt(int64(c[0]), 16)), c)
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "%20", "+"), "~", "%7E")
}

func webTypes() []def {
	text := func(name string, fn func(string) string) member {
		return f("static string "+name+"(string value)", func(m *mach, a []val) val {
			if a[0].NullString() {
				return a[0]
			}
			s := fn(a[0].S)
			m.Charge(len(s))
			return str(s)
		})
	}
	encode := func(s string) string {
		return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(s)
	}
	return []def{{Decl: "static class WebUtility", Namespace: "System.Net", Members: []member{
		text("UrlEncode", formEncode),
		text("UrlDecode", func(s string) string { return unescape(strings.ReplaceAll(s, "+", " ")) }),
		text("HtmlEncode", encode), text("HtmlDecode", html.UnescapeString),
	}}}
}

// address is an IPAddress.
type address struct{ netip.Addr }

// NetString implements csharp.Texter.
func (a address) NetString() string { return a.Addr.String() }

// NetKey implements csharp.Equaler.
func (a address) NetKey() any { return a.Addr }

func networkTypes() []def {
	parse := func(s string) (netip.Addr, bool) {
		ip, err := netip.ParseAddr(strings.Trim(s, "[] "))
		return ip, err == nil
	}
	me := self[address]
	c := func(name, ip string) member {
		return f("static IPAddress "+name, pure(func([]val) val { return ref(address{netip.MustParseAddr(ip)}) }))
	}
	return []def{
		{Decl: "class IPAddress", Namespace: "System.Net", Is: is[address], Members: []member{
			f("static IPAddress Parse(string ipString)", pure(func(a []val) val {
				ip, ok := parse(needString(a[0], "ipString"))
				if !ok {
					csharp.Throw("FormatException", "An invalid IP address was specified.")
				}
				return ref(address{ip})
			})),
			f("static bool TryParse(string ipString, out IPAddress address)", pure(func(a []val) val {
				ip, ok := parse(a[0].S)
				if a[1] = (val{}); ok {
					a[1] = ref(address{ip})
				}
				return yes(ok)
			})),
			f("static bool IsLoopback(IPAddress address)", pure(func(a []val) val { return yes(me(a).IsLoopback()) })),
			f("byte[] GetAddressBytes()", pure(func(a []val) val { return csharp.BytesValue(me(a).AsSlice()) })),
			f("AddressFamily AddressFamily", pure(func(a []val) val {
				if me(a).Is4() {
					return num(2)
				}
				return num(23)
			})),
			f("string ToString()", pure(func(a []val) val { return str(me(a).NetString()) })),
			c("Loopback", "127.0.0.1"), c("Any", "0.0.0.0"), c("IPv6Loopback", "::1"), c("IPv6Any", "::"), c("Broadcast", "255.255.255.255"),
		}},
		{Decl: "enum AddressFamily", Namespace: "System.Net.Sockets", Values: []string{"Unspecified", "Unix", "InterNetwork", "InterNetworkV6=23"}},
	}
}

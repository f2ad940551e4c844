package policy

import (
	"strings"

	"tandem/internal/csharp"
	"tandem/internal/exchange"
)

// Answer is a response that a policy got and keeps in a variable: the IResponse of send-request.
type Answer struct {
	exchange.Response
	consumed bool
}

func (a *Answer) answer() *exchange.Response { return &a.Response }
func (a *Answer) body() bodyOf               { return bodyOf{&a.Message, &a.consumed, nil} }
func (v *responseView) answer() *exchange.Response {
	return &v.Response
}
func (v *responseView) body() bodyOf {
	return bodyOf{&v.Response.Message, &v.consumed[1], (*State)(v)}
}

// NetType implements csharp.Typed.
func (a *Answer) NetType() *csharp.Type { return contextType("IResponse") }

// NetType implements csharp.Typed.
func (v *responseView) NetType() *csharp.Type { return contextType("IResponse") }

// answerer is an IResponse.
type answerer interface {
	answer() *exchange.Response
	body() bodyOf
}

// bodyOf is what an IMessageBody stands for.
type bodyOf struct {
	message  *exchange.Message
	consumed *bool
	state    *State // nil: the body is held
}

// bodied is an IMessageBody: the message that has it, under another name.
type bodied interface{ body() bodyOf }

type (
	requestBody  State
	responseBody State
	answerBody   Answer
)

func (v *requestBody) body() bodyOf {
	return bodyOf{&v.Request.Message, &v.consumed[0], (*State)(v)}
}
func (v *responseBody) body() bodyOf { return (*responseView)(v).body() }
func (v *answerBody) body() bodyOf   { return (*Answer)(v).body() }

// headed is a collection of headers.
type headed interface{ header() exchange.Header }

type (
	requestHeaders  State
	responseHeaders State
	answerHeaders   Answer
)

func (v *requestHeaders) header() exchange.Header  { return v.Request.Header }
func (v *responseHeaders) header() exchange.Header { return v.Response.Header }
func (v *answerHeaders) header() exchange.Header   { return v.Header }

// located is an IUrl.
type located interface{ url() exchange.URL }

type (
	targetURL   State
	originalURL State
	urlObject   struct{ u exchange.URL }
)

func (v *targetURL) url() exchange.URL   { return (*State)(v).Target() }
func (v *originalURL) url() exchange.URL { return v.Original }
func (v *urlObject) url() exchange.URL   { return v.u }

// NetString implements csharp.Texter.
func (v *targetURL) NetString() string { return v.url().String() }

// NetString implements csharp.Texter.
func (v *originalURL) NetString() string { return v.url().String() }

// NetString implements csharp.Texter.
func (v *urlObject) NetString() string { return v.u.String() }

var contextMessages = []csharp.TypeDef{
	{Decl: "interface IRequest", Is: is[*requestView], Members: []csharp.Member{
		member("IMessageBody Body", func(s *requestView) csharp.Value {
			if !s.Request.Body.Present() && !s.consumed[0] {
				return csharp.Value{}
			}
			return csharp.Ref((*requestBody)(s))
		}),
		member("X509Certificate2 Certificate", func(s *requestView) csharp.Value {
			if s.TLS == nil || len(s.TLS.PeerCertificates) == 0 {
				return csharp.Value{}
			}
			return netCertificate(s.TLS.PeerCertificates[0], nil)
		}),
		member("IHeaders Headers", func(s *requestView) csharp.Value { return csharp.Ref((*requestHeaders)(s)) }),
		member("string IpAddress", func(s *requestView) csharp.Value {
			if ip := (*State)(s).callerIP(); ip.IsValid() {
				return netString(ip.String())
			}
			return csharp.Value{}
		}),
		member("IMatchedParameters MatchedParameters", func(s *requestView) csharp.Value { return csharp.Ref((*matchedView)(s)) }),
		member("string Method", func(s *requestView) csharp.Value { return netString(s.Request.Method) }),
		member("string OriginalMethod", func(s *requestView) csharp.Value { return netString(s.OriginalMethod) }),
		member("IUrl OriginalUrl", func(s *requestView) csharp.Value { return csharp.Ref((*originalURL)(s)) }),
		member("IUrl Url", func(s *requestView) csharp.Value { return csharp.Ref((*targetURL)(s)) }),
		member("IPrivateEndpointConnection PrivateEndpointConnection", func(*requestView) csharp.Value { return csharp.Value{} }),
		member("IFoundry Foundry", func(*requestView) csharp.Value { return csharp.Value{} }),
	}},
	{Decl: "interface IPrivateEndpointConnection", Members: []csharp.Member{
		member("string Name", func(any) csharp.Value { return csharp.Value{} }),
		member("string GroupId", func(any) csharp.Value { return csharp.Value{} }),
		member("string MemberName", func(any) csharp.Value { return csharp.Value{} }),
	}},
	{Decl: "interface IFoundry", Members: []csharp.Member{member("string Deployment", func(any) csharp.Value { return csharp.Value{} })}},
	{Decl: "interface IResponse", Is: is[answerer], Members: []csharp.Member{
		member("IMessageBody Body", func(r answerer) csharp.Value {
			switch r := r.(type) {
			case *Answer:
				return csharp.Ref((*answerBody)(r))
			case *responseView:
				return csharp.Ref((*responseBody)(r))
			}
			return csharp.Value{}
		}),
		member("IHeaders Headers", func(r answerer) csharp.Value {
			switch r := r.(type) {
			case *Answer:
				return csharp.Ref((*answerHeaders)(r))
			case *responseView:
				return csharp.Ref((*responseHeaders)(r))
			}
			return csharp.Value{}
		}),
		member("int StatusCode", func(r answerer) csharp.Value { return csharp.Int(r.answer().Status) }),
		member("string StatusReason", func(r answerer) csharp.Value {
			if why := r.answer().Reason; why != "" {
				return netString(why)
			}
			return netString(statusText(r.answer().Status))
		}),
	}},
	{Decl: "interface IHeaders : IEnumerable<KeyValuePair<string, string[]>>", Is: is[headed], Members: []csharp.Member{
		{Sig: "string[] this[string key]", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			vs := a[0].R.(headed).header().Values(a[1].S)
			if vs == nil {
				missingKey()
			}
			return csharp.Strings(vs)
		}},
		{Sig: "string GetValueOrDefault(string key, string defaultValue = null)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			if v, ok := joined(a[0].R.(headed).header(), a[1].S); ok {
				return netString(v)
			}
			return a[2]
		}},
		{Sig: "string[] GetValueOrDefault(string key, string[] defaultValue)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			if vs := a[0].R.(headed).header().Values(a[1].S); vs != nil {
				return csharp.Strings(vs)
			}
			return a[2]
		}},
		{Sig: "bool ContainsKey(string key)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			return csharp.Boolean(a[0].R.(headed).header().Has(a[1].S))
		}},
		{Sig: "bool TryGetValue(string key, out string[] value)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			vs := a[0].R.(headed).header().Values(a[1].S)
			if vs != nil {
				a[2] = csharp.Strings(vs)
			}
			return csharp.Boolean(vs != nil)
		}},
		member("int Count", func(h headed) csharp.Value { return csharp.Int(len(names(h.header()))) }),
		member("IEnumerable<string> Keys", func(h headed) csharp.Value { return csharp.Strings(names(h.header())) }),
		member("IEnumerable<string[]> Values", func(h headed) csharp.Value {
			return csharp.Ref(csharp.SeqFunc(func(*csharp.Machine) func() (csharp.Value, bool) {
				keys, i := names(h.header()), 0
				return func() (csharp.Value, bool) {
					if i == len(keys) {
						return csharp.Value{}, false
					}
					i++
					return csharp.Strings(h.header().Values(keys[i-1])), true
				}
			}))
		}),
	}},
	{Decl: "interface IUrl", Is: is[located], Members: []csharp.Member{
		member("string Scheme", func(u located) csharp.Value { return netString(u.url().Scheme) }),
		member("string Host", func(u located) csharp.Value { h, _ := hostPort(u.url()); return netString(h) }),
		member("int Port", func(u located) csharp.Value { _, p := hostPort(u.url()); return csharp.Int(p) }),
		member("string Path", func(u located) csharp.Value {
			p := u.url().Path
			if p == "" {
				p = "/"
			}
			return netString(p)
		}),
		member("string QueryString", func(u located) csharp.Value {
			if q := u.url().Query; q != "" {
				return netString("?" + q)
			}
			return netString("")
		}),
		member("IQuery Query", func(u located) csharp.Value { return csharp.Ref(&queryObject{parseQuery(u.url().Query)}) }),
		member("string ToString()", func(u located) csharp.Value { return netString(u.url().String()) }),
		member("Uri ToUri()", func(u located) csharp.Value { return uriOf(u.url().String()) }),
	}},
}

// names lists the distinct names of headers, in order.
func names(h exchange.Header) []string {
	var out []string
	for i, f := range h {
		seen := false
		for _, g := range h[:i] {
			seen = seen || strings.EqualFold(f.Name, g.Name)
		}
		if !seen {
			out = append(out, f.Name)
		}
	}
	return out
}

// joined gives a header's values with commas between.
func joined(h exchange.Header, name string) (string, bool) {
	first, found := "", false
	for i := range h {
		if len(h[i].Name) == len(name) && strings.EqualFold(h[i].Name, name) {
			if found {
				return strings.Join(h.Values(name), ","), true
			}
			first, found = h[i].Value, true
		}
	}
	return first, found
}

// Iter walks over headers as pairs of a name and its values.
func (v *requestHeaders) Iter(m *csharp.Machine) func() (csharp.Value, bool) {
	return headerPairs(v.Request.Header)
}

// Iter walks over headers as pairs of a name and its values.
func (v *responseHeaders) Iter(m *csharp.Machine) func() (csharp.Value, bool) {
	return headerPairs(v.Response.Header)
}

// Iter walks over headers as pairs of a name and its values.
func (v *answerHeaders) Iter(m *csharp.Machine) func() (csharp.Value, bool) {
	return headerPairs(v.Header)
}

func headerPairs(h exchange.Header) func() (csharp.Value, bool) {
	keys, i := names(h), 0
	return func() (csharp.Value, bool) {
		if i == len(keys) {
			return csharp.Value{}, false
		}
		i++
		return stringsPair(keys[i-1], h.Values(keys[i-1])), true
	}
}

func hostPort(u exchange.URL) (string, int) {
	host, port := u.Host, 80
	if u.Scheme == "https" {
		port = 443
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		n := 0
		for _, c := range host[i+1:] {
			if c < '0' || c > '9' || n > 65535 {
				return host, port
			}
			n = n*10 + int(c-'0')
		}
		return host[:i], n
	}
	return host, port
}

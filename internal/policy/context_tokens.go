package policy

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"tandem/internal/csharp"
	"tandem/internal/csharp/dotnet"
)

// jwtObject is a JSON Web Token, read but not verified: what validate-jwt checks.
type jwtObject struct {
	header, payload map[string]any
	text            string
}

// parseJWT reads a compact token, with or without "Bearer " in front. It verifies nothing.
func parseJWT(s string) (*jwtObject, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 7 && strings.EqualFold(s[:7], "Bearer ") {
		s = strings.TrimSpace(s[7:])
	}
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return nil, false
	}
	j := &jwtObject{text: s}
	for i, into := range []*map[string]any{&j.header, &j.payload} {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[i], "="))
		if err != nil {
			return nil, false
		}
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		if d.Decode(into) != nil || *into == nil {
			return nil, false
		}
	}
	return j, true
}

// claim gives a claim's values as .NET's claims have them: each element of an array is one, objects are JSON.
func (j *jwtObject) claim(name string) []string {
	v, ok := j.payload[name]
	if !ok {
		return nil
	}
	if list, ok := v.([]any); ok {
		out := make([]string, 0, len(list))
		for _, x := range list {
			out = append(out, claimText(x))
		}
		return out
	}
	return []string{claimText(v)}
}

func claimText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	case nil:
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

func (j *jwtObject) time(name string) time.Time {
	if n, ok := j.payload[name].(json.Number); ok {
		if f, err := n.Float64(); err == nil && f > 0 && f < 1e11 {
			return time.Unix(int64(f), 0)
		}
	}
	return time.Time{}
}

var contextTokens = []csharp.TypeDef{
	{Decl: "class Authorization", Is: is[*Authorization], Members: []csharp.Member{
		member("string AccessToken", func(a *Authorization) csharp.Value { return orNull(a.AccessToken) }),
		member("IReadOnlyDictionary<string, object> Claims", func(a *Authorization) csharp.Value {
			b, _ := json.Marshal(a.Claims)
			return throwing(parseDictionary.run(netString(string(b))))
		}),
	}},
	{Decl: "static class DictionaryExtensions", Members: []csharp.Member{
		{Sig: "string[] GetValueOrDefault(this IReadOnlyDictionary<string, string[]> dictionary, string key, string[] defaultValue)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			if d, ok := a[0].R.(*dotnet.Dict); ok {
				if v, ok := d.Get(a[1]); ok {
					return v
				}
			}
			return a[2]
		}},
	}},
	{Decl: "static class FormExtensions", Members: []csharp.Member{
		{Sig: "string ToFormUrlEncodedContent(this IDictionary<string, IList<string>> content)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			return throwing(writeForm.run(a[0]))
		}},
		{Sig: "string ToQueryString(this IDictionary<string, IList<string>> content)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			return throwing(writeForm.run(a[0]))
		}},
	}},
	{Decl: "interface IMessageBody", Is: is[bodied], Members: []csharp.Member{
		{Sig: "T As<T>(bool preserveContent = false)", Make: func(t []*csharp.Type) csharp.Fn { return bodyAs(t[0]) }},
		{Sig: "IDictionary<string, IList<string>> AsFormUrlEncodedContent(bool preserveContent = false)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			b := readContent(a[0].R.(bodied).body(), a[1].N != 0)
			return formContent(string(b))
		}},
	}},
}

// bodyAs makes the body of As<T>: the content as a string, as bytes, or parsed.
func bodyAs(t *csharp.Type) csharp.Fn {
	parse := func(b []byte) csharp.Value {
		csharp.Throw("InvalidOperationException", "The body cannot be read as "+t.String()+".")
		return csharp.Value{}
	}
	switch {
	case t.Kind == csharp.KindString:
		parse = func(b []byte) csharp.Value { return netString(string(trimBOM(b))) }
	case t.Kind == csharp.KindArray && t.Args[0].Kind == csharp.KindByte:
		parse = func(b []byte) csharp.Value { return csharp.BytesValue(append([]byte(nil), b...)) }
	case bodyParsers[t.String()] != nil:
		h := bodyParsers[t.String()]
		parse = func(b []byte) csharp.Value { return throwing(h.run(netString(string(trimBOM(b))))) }
	}
	return func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
		return parse(readContent(a[0].R.(bodied).body(), a[1].N != 0))
	}
}

// readContent reads a body; unless it is preserved it is gone then, as in Azure: forwarding it sends none.
func readContent(b bodyOf, preserve bool) []byte {
	if *b.consumed {
		csharp.Throw("InvalidOperationException", "The message body was read before without preserving its content.")
	}
	var data []byte
	var err error
	if b.state != nil {
		data, err = b.state.readBody(b.message)
	} else {
		data, err = b.message.Body.Bytes(1 << 40)
	}
	if err != nil {
		csharp.Throw("InvalidOperationException", asLastError(err).Message)
	}
	if !preserve && b.state != nil {
		*b.consumed = true
		b.message.Body = exchangeBody{}
	}
	return data
}

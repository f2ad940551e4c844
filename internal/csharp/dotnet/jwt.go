package dotnet

import (
	"encoding/base64"
	"strings"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

// Jwt is the token that AsJwt reads. Nothing is verified: that is what validate-jwt is for.
type Jwt struct {
	Raw    string
	header *JSON
	claims *JSON
}

// NetString implements csharp.Texter.
func (j *Jwt) NetString() string { return j.Raw }

// ReadJwt reads a compact token, with or without "Bearer " in front; ok is false when it is none.
func ReadJwt(s string) (*Jwt, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 7 && strings.EqualFold(s[:7], "Bearer ") {
		s = strings.TrimSpace(s[7:])
	}
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return nil, false
	}
	j := &Jwt{Raw: s}
	for i, to := range []**JSON{&j.header, &j.claims} {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[i], "="))
		if err != nil {
			return nil, false
		}
		x, err := ParseJSON(string(b))
		if err != nil || !x.IsObject() {
			return nil, false
		}
		*to = x
	}
	return j, true
}

// texts are a claim's values as strings.
func (j *Jwt) texts(x *JSON) []string {
	switch {
	case x == nil:
		return nil
	case x.IsArray():
		var out []string
		for _, k := range x.kids {
			out = append(out, j.texts(k)...)
		}
		return out
	case x.kind == jBoolean:
		return []string{strings.ToLower(x.NetString())}
	case x.kind == jDate:
		return []string{strings.Trim(x.Text(false), `"`)}
	case x.container():
		return []string{x.Text(false)}
	}
	return []string{x.NetString()}
}

// Claims is the dictionary of claims: every claim with its values.
func (j *Jwt) Claims() *Dict {
	d := NewDict(csharp.StringT, csharp.ArrayOf(csharp.StringT), false)
	for _, p := range j.claims.kids {
		d.Set(str(p.name), csharp.Strings(j.texts(p.kids[0])))
	}
	return d
}

func jwtTypes() []def {
	me := self[*Jwt]
	text := func(name string, from func(j *Jwt) *JSON) member {
		return f("string "+name, pure(func(a []val) val {
			if x := from(me(a)); x != nil && !x.container() {
				return str(x.NetString())
			}
			return val{}
		}))
	}
	claim := func(name string) func(j *Jwt) *JSON { return func(j *Jwt) *JSON { return j.claims.Get(name) } }
	date := func(name, c string) member {
		return f("DateTime? "+name, pure(func(a []val) val {
			x := me(a).claims.Get(c)
			if x == nil || x.kind != jInteger && x.kind != jFloat {
				return val{}
			}
			sec := toSimple(x, csharp.LongT, false)
			t := int64(sec.N)
			if t > format.MaxTicks/format.TicksPerSecond || t < -format.UnixTicks/format.TicksPerSecond {
				return val{}
			}
			return ref(csharp.DateTime(uint64(t*format.TicksPerSecond+format.UnixTicks) | format.UTC))
		}))
	}
	basic := func(s string) *credentials {
		s = strings.TrimSpace(s)
		if len(s) > 6 && strings.EqualFold(s[:6], "Basic ") {
			s = strings.TrimSpace(s[6:])
		}
		b, err := base64.StdEncoding.DecodeString(s)
		user, password, ok := strings.Cut(string(b), ":")
		if err != nil || !ok {
			return nil
		}
		return &credentials{user, password}
	}
	reader := func(name string) member {
		return f("string "+name, pure(func(a []val) val {
			if name == "UserId" {
				return str(a[0].R.(*credentials).user)
			}
			return str(a[0].R.(*credentials).password)
		}))
	}
	joined := func(a []val, other val) val {
		d, ok := a[0].R.(*Dict)
		if !ok {
			csharp.ThrowNull("dictionary")
		}
		v, ok := d.Get(a[1])
		arr, is := v.R.(*csharp.Array)
		if !ok || !is {
			return other
		}
		var parts []string
		for _, x := range arr.Items {
			parts = append(parts, x.S)
		}
		return str(strings.Join(parts, ","))
	}
	return []def{
		{Decl: "class Jwt", Is: is[*Jwt], Members: []member{
			text("Algorithm", func(j *Jwt) *JSON { return j.header.Get("alg") }), text("Type", func(j *Jwt) *JSON { return j.header.Get("typ") }),
			text("Id", claim("jti")), text("Issuer", claim("iss")), text("Subject", claim("sub")),
			date("ExpirationTime", "exp"), date("IssuedAt", "iat"), date("NotBefore", "nbf"),
			f("IEnumerable<string> Audiences", pure(func(a []val) val { return csharp.Strings(me(a).texts(me(a).claims.Get("aud"))) })),
			f("IReadOnlyDictionary<string, string[]> Claims", pure(func(a []val) val { return ref(me(a).Claims()) })),
			f("string ToString()", pure(func(a []val) val { return str(me(a).Raw) })),
		}},
		{Decl: "class BasicAuthCredentials", Is: is[*credentials], Members: []member{reader("UserId"), reader("Password")}},
		{Decl: "static class PolicyExtensions", Members: []member{
			f("Jwt AsJwt(this string input)", func(m *mach, a []val) val {
				m.Charge(8 * len(a[0].S))
				if j, ok := ReadJwt(a[0].S); ok {
					return ref(j)
				}
				return val{}
			}),
			f("bool TryParseJwt(this string input, out Jwt result)", func(m *mach, a []val) val {
				m.Charge(8 * len(a[0].S))
				j, ok := ReadJwt(a[0].S)
				if a[1] = (val{}); ok {
					a[1] = ref(j)
				}
				return yes(ok)
			}),
			f("BasicAuthCredentials AsBasic(this string input)", pure(func(a []val) val {
				if c := basic(a[0].S); c != nil {
					return ref(c)
				}
				return val{}
			})),
			f("bool TryParseBasic(this string input, out BasicAuthCredentials result)", pure(func(a []val) val {
				c := basic(a[0].S)
				if a[1] = (val{}); c != nil {
					a[1] = ref(c)
				}
				return yes(c != nil)
			})),
			f("string GetValueOrDefault(this IReadOnlyDictionary<string, string[]> dictionary, string key, string defaultValue = null)", pure(func(a []val) val { return joined(a, a[2]) })),
			f("V GetValueOrDefault<K, V>(this IReadOnlyDictionary<K, V> dictionary, K key, V defaultValue)", pure(func(a []val) val {
				d, ok := a[0].R.(*Dict)
				if !ok {
					csharp.ThrowNull("dictionary")
				}
				if v, ok := d.Get(a[1]); ok {
					return v
				}
				return a[2]
			})),
		}},
	}
}

type credentials struct{ user, password string }

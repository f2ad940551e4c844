package policy

import (
	"strings"

	"tandem/internal/csharp"
)

// queryObject is Url.Query: a dictionary of parameters' values.
type queryObject struct{ q query }

// matchedView is Request.MatchedParameters: a dictionary of single values.
type matchedView State

var contextParameters = []csharp.TypeDef{
	{Decl: "interface IQuery : IEnumerable<KeyValuePair<string, string[]>>", Is: is[*queryObject], Members: []csharp.Member{
		{Sig: "string[] this[string key]", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			vs := a[0].R.(*queryObject).q.get(a[1].S)
			if vs == nil {
				missingKey()
			}
			return csharp.Strings(vs)
		}},
		{Sig: "string GetValueOrDefault(string key, string defaultValue = null)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			if vs := a[0].R.(*queryObject).q.get(a[1].S); vs != nil {
				return netString(strings.Join(vs, ","))
			}
			return a[2]
		}},
		{Sig: "string[] GetValueOrDefault(string key, string[] defaultValue)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			if vs := a[0].R.(*queryObject).q.get(a[1].S); vs != nil {
				return csharp.Strings(vs)
			}
			return a[2]
		}},
		{Sig: "bool ContainsKey(string key)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			return csharp.Boolean(a[0].R.(*queryObject).q.has(a[1].S))
		}},
		{Sig: "bool TryGetValue(string key, out string[] value)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			vs := a[0].R.(*queryObject).q.get(a[1].S)
			if vs != nil {
				a[2] = csharp.Strings(vs)
			}
			return csharp.Boolean(vs != nil)
		}},
		member("int Count", func(q *queryObject) csharp.Value { return csharp.Int(len(q.q.names())) }),
		member("IEnumerable<string> Keys", func(q *queryObject) csharp.Value { return csharp.Strings(q.q.names()) }),
	}},
	{Decl: "interface IMatchedParameters : IEnumerable<KeyValuePair<string, string>>", Is: is[*matchedView], Members: []csharp.Member{
		{Sig: "string this[string key]", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			v, ok := (*State)(a[0].R.(*matchedView)).matched(a[1].S)
			if !ok {
				missingKey()
			}
			return netString(v)
		}},
		{Sig: "string GetValueOrDefault(string key, string defaultValue = null)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			if v, ok := (*State)(a[0].R.(*matchedView)).matched(a[1].S); ok {
				return netString(v)
			}
			return a[2]
		}},
		{Sig: "bool ContainsKey(string key)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			_, ok := (*State)(a[0].R.(*matchedView)).matched(a[1].S)
			return csharp.Boolean(ok)
		}},
		{Sig: "bool TryGetValue(string key, out string value)", Fn: func(_ *csharp.Machine, a []csharp.Value) csharp.Value {
			v, ok := (*State)(a[0].R.(*matchedView)).matched(a[1].S)
			if ok {
				a[2] = netString(v)
			}
			return csharp.Boolean(ok)
		}},
		member("int Count", func(v *matchedView) csharp.Value { return csharp.Int(len(v.Matched)) }),
		member("IEnumerable<string> Keys", func(v *matchedView) csharp.Value { return csharp.Strings(query(v.Matched).names()) }),
	}},
}

// names lists the distinct names, in order.
func (q query) names() []string {
	var out []string
	for i, p := range q {
		if !q[:i].has(p.Name) {
			out = append(out, p.Name)
		}
	}
	return out
}

// Iter walks over the parameters as pairs of a name and its values.
func (q *queryObject) Iter(*csharp.Machine) func() (csharp.Value, bool) {
	names, i := q.q.names(), 0
	return func() (csharp.Value, bool) {
		if i == len(names) {
			return csharp.Value{}, false
		}
		i++
		return stringsPair(names[i-1], q.q.get(names[i-1])), true
	}
}

// Iter walks over the parameters as pairs of a name and its value.
func (v *matchedView) Iter(*csharp.Machine) func() (csharp.Value, bool) {
	i := 0
	return func() (csharp.Value, bool) {
		if i == len(v.Matched) {
			return csharp.Value{}, false
		}
		i++
		p := v.Matched[i-1]
		return csharp.Ref(&csharp.KV{T: stringPairType, Key: netString(p.Name), Value: netString(p.Value)}), true
	}
}

var (
	stringPairType  = csharp.Generic(csharp.KeyValueDecl, csharp.StringT, csharp.StringT)
	stringsPairType = csharp.Generic(csharp.KeyValueDecl, csharp.StringT, csharp.ArrayOf(csharp.StringT))
)

func stringsPair(name string, values []string) csharp.Value {
	return csharp.Ref(&csharp.KV{T: stringsPairType, Key: netString(name), Value: csharp.Strings(values)})
}

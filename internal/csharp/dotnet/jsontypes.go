package dotnet

import (
	"slices"

	"tandem/internal/csharp"
)

func js(v val) *JSON { j, _ := v.R.(*JSON); return j }

// child is token[key].
func child(j *JSON, key any) val {
	switch j.kind {
	case jObject:
		s, ok := key.(string)
		if !ok {
			csharp.Throw("ArgumentException", "Accessed JObject values with invalid key value: "+keyText(key)+". Object property name expected.")
		}
		return token(j.Get(s))
	case jArray:
		i, ok := key.(int32)
		if !ok {
			csharp.Throw("ArgumentException", "Accessed JArray values with invalid key value: "+keyText(key)+". Int32 array index expected.")
		}
		return ref(j.at(int(i)))
	}
	csharp.Throw("InvalidOperationException", "Cannot access child value on "+j.NetType().FullName()+".")
	return val{}
}

func keyText(key any) string {
	if s, ok := key.(string); ok {
		return `"` + s + `"`
	}
	return csharp.ObjectText(key)
}

func (j *JSON) at(i int) *JSON {
	if i < 0 || i >= len(j.kids) {
		outOfRange()
	}
	return j.kids[i]
}

func setChild(j *JSON, key any, x *JSON) {
	switch k := key.(type) {
	case string:
		if j.kind == jObject {
			j.put(k, x)
			return
		}
	case int32:
		if j.kind == jArray {
			j.at(int(k)).replace(x)
			return
		}
	}
	child(j, key)
	csharp.Throw("InvalidOperationException", "Cannot set child value on "+j.NetType().FullName()+".")
}

// sequence makes a sequence of tokens.
func sequence(js []*JSON) val {
	g := &group{}
	for _, j := range js {
		g.items = append(g.items, ref(j))
	}
	return ref(g)
}

func descend(j *JSON, visit func(*JSON)) {
	for _, k := range j.kids {
		visit(k)
		descend(k, visit)
	}
}

func tokenMembers() []member {
	me := self[*JSON]
	value := func(t []*typ) csharp.Fn {
		return func(m *mach, a []val) val { return valueOf(m, js(child(me(a), a[1].R)), t[0]) }
	}
	beside := func(step int) csharp.Fn {
		return pure(func(a []val) val {
			j := me(a)
			if j.parent == nil {
				return val{}
			}
			i := j.place() + step
			if i < 0 || i >= len(j.parent.kids) {
				return val{}
			}
			return ref(j.parent.kids[i])
		})
	}
	put := func(step int) csharp.Fn {
		return func(m *mach, a []val) val {
			j := me(a)
			if j.parent == nil {
				csharp.Throw("InvalidOperationException", "The parent is missing.")
			}
			for k, x := range content(m, a[1].R) {
				j.parent.insert(j.place()+step+k*step, x)
			}
			return val{}
		}
	}
	return []member{
		fs("JToken this[object key]", pure(func(a []val) val { return child(me(a), a[1].R) }), pure(func(a []val) val {
			setChild(me(a), a[1].R, js(a[2]))
			return val{}
		})),
		f("JTokenType Type", pure(func(a []val) val { return num(me(a).kind) })),
		f("bool HasValues", pure(func(a []val) val { return yes(len(me(a).kids) > 0) })),
		f("JContainer Parent", pure(func(a []val) val { return token(me(a).parent) })),
		f("JToken Root", pure(func(a []val) val {
			j := me(a)
			for j.parent != nil {
				j = j.parent
			}
			return ref(j)
		})),
		f("string Path", pure(func(a []val) val { return str(me(a).path()) })),
		f("JToken First", pure(func(a []val) val { return edge(me(a), 0) })),
		f("JToken Last", pure(func(a []val) val { return edge(me(a), len(me(a).kids)-1) })),
		f("JToken Next", beside(1)),
		f("JToken Previous", beside(-1)),
		g("T Value<T>(object key)", value),
		f("IEnumerable<JToken> Children()", pure(func(a []val) val { return sequence(me(a).kids) })),
		g("IEnumerable<T> Children<T>()", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val {
				var out []*JSON
				for _, k := range me(a).kids {
					if _, err := csharp.Unbox(m.Library(), k, t[0]); err == nil {
						out = append(out, k)
					}
				}
				return sequence(out)
			}
		}),
		f("IEnumerable<JToken> Ancestors()", pure(func(a []val) val {
			var out []*JSON
			for p := me(a).parent; p != nil; p = p.parent {
				out = append(out, p)
			}
			return sequence(out)
		})),
		g("IEnumerable<T> Values<T>()", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val {
				g := &group{}
				for _, k := range me(a).kids {
					g.items = append(g.items, valueOf(m, k, t[0]))
				}
				return ref(g)
			}
		}),
		f("void Remove()", pure(func(a []val) val { me(a).detach(); return val{} })),
		f("void Replace(JToken value)", pure(func(a []val) val { me(a).replace(js(a[1])); return val{} })),
		f("void AddAfterSelf(object content)", put(1)),
		f("void AddBeforeSelf(object content)", put(0)),
		f("JToken DeepClone()", pure(func(a []val) val { return ref(me(a).clone()) })),
		f("static bool DeepEquals(JToken t1, JToken t2)", pure(func(a []val) val { return yes(deepEquals(js(a[0]), js(a[1]))) })),
		f("string ToString()", func(m *mach, a []val) val { s := me(a).NetString(); m.Charge(len(s)); return str(s) }),
		f("string ToString(Formatting formatting)", func(m *mach, a []val) val { return jsonText(m, me(a), a[1].N == 1) }),
		f("JToken SelectToken(string path)", func(m *mach, a []val) val { return onlyToken(selectTokens(m, me(a), needString(a[1], "path"), false)) }),
		f("JToken SelectToken(string path, bool errorWhenNoMatch)", func(m *mach, a []val) val {
			return onlyToken(selectTokens(m, me(a), needString(a[1], "path"), a[2].N != 0))
		}),
		f("IEnumerable<JToken> SelectTokens(string path)", func(m *mach, a []val) val { return sequence(selectTokens(m, me(a), needString(a[1], "path"), false)) }),
		g("T ToObject<T>()", func(t []*typ) csharp.Fn {
			return func(m *mach, a []val) val { return toType(m, me(a), t[0]) }
		}),
		f("static JToken Parse(string json)", func(m *mach, a []val) val { return ref(parseJSON(m, needString(a[0], "json"))) }),
		f("static JToken FromObject(object o)", func(m *mach, a []val) val { return ref(fromObject(m, nonNull(a[0].R, "o"), nil)) }),
	}
}

// onlyToken gives the only token that a path selects.
func onlyToken(js []*JSON) val {
	switch len(js) {
	case 0:
		return val{}
	case 1:
		return ref(js[0])
	}
	csharp.Throw("Newtonsoft.Json.JsonException", "Path returned multiple tokens.")
	return val{}
}

func nonNull(r any, param string) any {
	if r == nil {
		csharp.ThrowNull(param)
	}
	return r
}

func edge(j *JSON, i int) val {
	if i < 0 || i >= len(j.kids) {
		return val{}
	}
	return ref(j.kids[i])
}

// valueOf is Value<T>: tokens are cast, values converted; null gives the default.
func valueOf(m *mach, j *JSON, t *typ) val {
	if j == nil {
		return val{}
	}
	if t.Kind == csharp.KindClass {
		return m.Library().Unbox(j, t)
	}
	if t.Kind == csharp.KindObject {
		return ref(j.value)
	}
	if j.kind == jProperty {
		j = j.kids[0]
	}
	if j.kind == jNull {
		return val{}
	}
	if t.Kind == csharp.KindNullable {
		return ref(csharp.Box(toSimple(j, t.Elem(), true), t.Elem()))
	}
	if j.container() {
		csharp.Throw("InvalidCastException", "Cannot cast "+j.NetType().FullName()+" to "+csharp.Generic(jTokenDecl).FullName()+".")
	}
	return toSimple(j, t, false)
}

// tokenConversions are JToken's operators.
func tokenConversions() []member {
	var rows []member
	for _, t := range []*typ{csharp.StringT, csharp.Bool, csharp.IntT, csharp.LongT, csharp.DoubleT, csharp.DecimalT, csharp.Float, csharp.Short, csharp.UShort, csharp.UInt,
		csharp.ULong, csharp.Byte, csharp.SByte, csharp.CharT, csharp.DateTimeT, csharp.DateTimeOffT, csharp.TimeSpanT, csharp.GuidT} {
		n := t.String()
		rows = append(rows, f("explicit "+n+"(JToken value)", pure(func(a []val) val { return toSimple(js(a[0]), t, false) })))
		if t.Kind != csharp.KindChar {
			rows = append(rows, f("implicit JToken("+n+" value)", pure(func(a []val) val {
				return ref(&JSON{kind: stringOr(t, csharp.Box(a[0], t)), value: widened(csharp.Box(a[0], t))})
			})))
		}
		if t.Kind != csharp.KindString {
			rows = append(rows, f("explicit Nullable<"+n+">(JToken value)", pure(func(a []val) val {
				j := js(a[0])
				if j == nil || j.kind == jNull {
					return val{}
				}
				return ref(csharp.Box(toSimple(j, t, true), t))
			})), f("implicit JToken("+n+"? value)", pure(func(a []val) val { return ref(jsonSimple(a[0].R)) })))
		}
	}
	return append(rows,
		f("implicit JToken(byte[] value)", pure(func(a []val) val {
			if a[0].R == nil {
				return ref(&JSON{kind: jNull})
			}
			return ref(&JSON{kind: jBytes, value: a[0].R})
		})),
		f("implicit JToken(Uri value)", pure(func(a []val) val { return ref(jsonSimple(a[0].R)) })))
}

// stringOr is the kind of a value; a null string makes a token of type String, as Newtonsoft's does.
func stringOr(t *typ, r any) int {
	if r == nil && t.Kind == csharp.KindString {
		return jNull
	}
	return simpleKind(r)
}

func jsonTypes() []def {
	me := self[*JSON]
	kind := func(k int) func(any) bool {
		return func(r any) bool { j, ok := r.(*JSON); return ok && (j.kind == k) }
	}
	parse := func(k int, name string) csharp.Fn {
		return func(m *mach, a []val) val {
			j := parseJSON(m, needString(a[0], "json"))
			if j.kind != k {
				what := kindName(j.kind)
				if j.container() {
					what = "Start" + what
				}
				article := "an object: "
				if k == jArray {
					article = "an array: "
				}
				csharp.Throw("Newtonsoft.Json.JsonReaderException", "Error reading "+name+" from JsonReader. Current JsonReader item is not "+article+what+". Path '', line 1, position 1.")
			}
			return ref(j)
		}
	}
	from := func(k int, name string) csharp.Fn {
		return func(m *mach, a []val) val {
			j := fromObject(m, nonNull(a[0].R, "o"), nil)
			if j.kind != k {
				csharp.Throw("ArgumentException", "Object serialized to "+kindName(j.kind)+". "+name+" instance expected.")
			}
			return ref(j)
		}
	}
	made := func(k int) csharp.Fn {
		return func(m *mach, a []val) val {
			j := &JSON{kind: k}
			for _, x := range a {
				for _, c := range content(m, x.R) {
					j.add(c)
				}
			}
			return ref(j)
		}
	}
	spread := func(k int) csharp.Fn {
		return func(m *mach, a []val) val {
			j := &JSON{kind: k}
			for _, x := range given(a[0]) {
				for _, c := range content(m, x.R) {
					j.add(c)
				}
			}
			return ref(j)
		}
	}
	copyOf := pure(func(a []val) val { return ref(js(ref(nonNull(a[0].R, "other"))).clone()) })
	isToken := is[*JSON]
	return []def{
		{Decl: "class JToken : IEnumerable<JToken>", Known: jTokenDecl, Is: isToken, Members: append(tokenMembers(), tokenConversions()...)},
		{Decl: "class JContainer : JToken", Namespace: linqJSON, Is: func(r any) bool { j, ok := r.(*JSON); return ok && j.container() }, Members: []member{
			f("int Count", pure(func(a []val) val { return num(len(me(a).kids)) })),
			f("void Add(object content)", addContent), f("void AddFirst(object content)", func(m *mach, a []val) val {
				for i, x := range content(m, a[1].R) {
					me(a).insert(i, x)
				}
				return val{}
			}),
			f("void RemoveAll()", pure(func(a []val) val { me(a).kids, me(a).index = nil, nil; return val{} })),
			f("IEnumerable<JToken> Descendants()", pure(func(a []val) val {
				var out []*JSON
				descend(me(a), func(j *JSON) { out = append(out, j) })
				return sequence(out)
			})),
			f("IEnumerable<JToken> DescendantsAndSelf()", pure(func(a []val) val {
				out := []*JSON{me(a)}
				descend(me(a), func(j *JSON) { out = append(out, j) })
				return sequence(out)
			})),
			f("void Merge(object content)", func(m *mach, a []val) val {
				me(a).merge(fromObject(m, nonNull(a[1].R, "content"), nil), 0)
				return val{}
			}),
			f("void Merge(object content, JsonMergeSettings settings)", func(m *mach, a []val) val {
				how := 0
				if s, ok := a[2].R.(*mergeSettings); ok {
					how = s.arrays
				}
				me(a).merge(fromObject(m, nonNull(a[1].R, "content"), nil), how)
				return val{}
			}),
		}},
		{Decl: "class JsonMergeSettings", Namespace: linqJSON, Is: is[*mergeSettings], Members: []member{
			f("new()", pure(func([]val) val { return ref(&mergeSettings{}) })),
			fs("MergeArrayHandling MergeArrayHandling", pure(func(a []val) val { return num(self[*mergeSettings](a).arrays) }), pure(func(a []val) val {
				self[*mergeSettings](a).arrays = a[1].Int()
				return val{}
			})),
		}},
		{Decl: "enum MergeArrayHandling", Namespace: linqJSON, Values: []string{"Concat", "Union", "Replace", "Merge"}},
		{Decl: "class JObject : JContainer", Known: jObjectDecl, Is: kind(jObject), Members: append(objectMembers(),
			f("new()", made(jObject)), f("new(JObject other)", copyOf), f("new(object content)", made(jObject)), f("new(params object[] content)", spread(jObject)),
			f("static JObject Parse(string json)", parse(jObject, "JObject")), f("static JObject FromObject(object o)", from(jObject, "JObject")))},
		{Decl: "class JArray : JContainer, IList<JToken>", Known: jArrayDecl, Is: kind(jArray), Members: append(jsonArrayMembers(),
			f("new()", made(jArray)), f("new(JArray other)", copyOf), f("new(object content)", made(jArray)), f("new(params object[] content)", spread(jArray)),
			f("static JArray Parse(string json)", parse(jArray, "JArray")), f("static JArray FromObject(object o)", from(jArray, "JArray")))},
		{Decl: "class JProperty : JContainer", Known: jPropertyDecl, Is: kind(jProperty), Members: []member{
			f("string Name", pure(func(a []val) val { return str(me(a).name) })),
			fs("JToken Value", pure(func(a []val) val { return ref(me(a).kids[0]) }), pure(func(a []val) val { me(a).kids[0].replace(js(a[1])); return val{} })),
			f("new(string name, object content)", func(m *mach, a []val) val {
				return ref(newProperty(needString(a[0], "name"), propertyContent(m, a[1].R)))
			}),
			f("new(string name, params object[] content)", func(m *mach, a []val) val {
				if a[1].R == nil {
					return ref(newProperty(needString(a[0], "name"), nil))
				}
				arr := &JSON{kind: jArray}
				for _, x := range given(a[1]) {
					for _, c := range content(m, x.R) {
						arr.add(c)
					}
				}
				return ref(newProperty(needString(a[0], "name"), arr))
			}),
		}},
		{Decl: "class JValue : JToken", Known: jValueDecl, Is: func(r any) bool { j, ok := r.(*JSON); return ok && !j.container() }, Members: jsonValueMembers()},
		{Decl: "class JRaw : JValue", Namespace: linqJSON, Is: kind(jRaw), Members: []member{
			f("new(object rawJson)", pure(func(a []val) val { return ref(&JSON{kind: jRaw, value: csharp.ObjectText(a[0].R)}) })),
		}},
		{Decl: "enum JTokenType", Namespace: linqJSON, Values: []string{"None", "Object", "Array", "Constructor", "Property", "Comment", "Integer", "Float", "String",
			"Boolean", "Null", "Undefined", "Date", "Raw", "Bytes", "Guid", "Uri", "TimeSpan"}},
		{Decl: "static class Extensions", Namespace: linqJSON, Members: []member{
			g("IEnumerable<U> Values<U>(this IEnumerable<JToken> source)", func(t []*typ) csharp.Fn {
				return func(m *mach, a []val) val {
					g := &group{}
					each(m, a[0], "source", func(_ int, x val) bool {
						for _, k := range append([]*JSON{}, js(x).kids...) {
							g.items = append(g.items, valueOf(m, k, t[0]))
						}
						if !js(x).container() {
							g.items = append(g.items, valueOf(m, js(x), t[0]))
						}
						return true
					})
					return ref(g)
				}
			}),
			f("IEnumerable<JToken> Children(this IEnumerable<JToken> source)", func(m *mach, a []val) val {
				var out []*JSON
				each(m, a[0], "source", func(_ int, x val) bool { out = append(out, js(x).kids...); return true })
				return sequence(out)
			}),
			g("U Value<U>(this IEnumerable<JToken> value)", func(t []*typ) csharp.Fn {
				return func(m *mach, a []val) val { return valueOf(m, js(a[0]), t[0]) }
			}),
		}},
	}
}

// given are the contents of a params array; null, which C# takes for the array itself, is no content.
func given(v val) []val {
	if v.R == nil {
		return nil
	}
	return items(v, "content")
}

type mergeSettings struct{ arrays int }

// propertyContent is a property's value: several contents make an array.
func propertyContent(m *mach, r any) *JSON {
	all := content(m, r)
	if _, seq := r.(csharp.Seq); seq && !is[*JSON](r) && (len(all) != 1 || simpleKind(r) != jBytes) {
		arr := &JSON{kind: jArray}
		for _, x := range all {
			arr.add(x)
		}
		return arr
	}
	return all[0]
}

func addContent(m *mach, a []val) val {
	for _, x := range content(m, a[1].R) {
		js(a[0]).add(x)
	}
	return val{}
}

func jsonArrayMembers() []member {
	me := self[*JSON]
	return []member{
		fs("JToken this[int index]", pure(func(a []val) val { return ref(me(a).at(a[1].Int())) }), pure(func(a []val) val {
			me(a).at(a[1].Int()).replace(js(a[2]))
			return val{}
		})),
		f("void Add(JToken item)", func(m *mach, a []val) val { m.Charge(64); me(a).add(js(a[1])); return val{} }),
		f("void Insert(int index, JToken item)", pure(func(a []val) val {
			checkRange(a[1].Int(), len(me(a).kids), "index")
			me(a).insert(a[1].Int(), js(a[2]))
			return val{}
		})),
		f("void RemoveAt(int index)", pure(func(a []val) val { me(a).at(a[1].Int()).detach(); return val{} })),
		f("void Clear()", pure(func(a []val) val { me(a).kids = nil; return val{} })),
		f("bool Remove(JToken item)", pure(func(a []val) val {
			i := slices.Index(me(a).kids, js(a[1]))
			if i >= 0 {
				me(a).kids[i].detach()
			}
			return yes(i >= 0)
		})),
		f("bool Contains(JToken item)", pure(func(a []val) val { return yes(indexOfToken(me(a), js(a[1])) >= 0) })),
		f("int IndexOf(JToken item)", pure(func(a []val) val { return num(indexOfToken(me(a), js(a[1]))) })),
	}
}

// indexOfToken finds a token by Equals: the same one, or an equal value.
func indexOfToken(j, x *JSON) int {
	return slices.IndexFunc(j.kids, func(k *JSON) bool { return k == x || x != nil && k.NetKey() == x.NetKey() })
}

func objectMembers() []member {
	me := self[*JSON]
	kv := csharp.Generic(csharp.KeyValueDecl, csharp.StringT, jTokenT)
	get := func(j *JSON, name string, mode int) val {
		if p := j.property(name); p != nil {
			return ref(p.kids[0])
		}
		for _, p := range j.kids {
			if ordering(mode)(p.name, name) == 0 {
				return ref(p.kids[0])
			}
		}
		return val{}
	}
	return []member{
		fs("JToken this[string propertyName]", pure(func(a []val) val { return token(me(a).Get(a[1].S)) }), func(m *mach, a []val) val {
			m.Charge(128)
			me(a).put(needString(a[1], "propertyName"), js(a[2]))
			return val{}
		}),
		f("void Add(string propertyName, JToken value)", func(m *mach, a []val) val {
			m.Charge(128)
			me(a).add(newProperty(needString(a[1], "propertyName"), js(a[2])))
			return val{}
		}),
		f("bool ContainsKey(string propertyName)", pure(func(a []val) val { return yes(me(a).property(needString(a[1], "propertyName")) != nil) })),
		f("bool Remove(string propertyName)", pure(func(a []val) val {
			p := me(a).property(needString(a[1], "propertyName"))
			if p != nil {
				p.detach()
			}
			return yes(p != nil)
		})),
		f("bool TryGetValue(string propertyName, out JToken value)", pure(func(a []val) val {
			a[2] = token(me(a).Get(a[1].S))
			return yes(a[2].R != nil)
		})),
		f("bool TryGetValue(string propertyName, StringComparison comparison, out JToken value)", pure(func(a []val) val {
			a[3] = get(me(a), a[1].S, a[2].Int())
			return yes(a[3].R != nil)
		})),
		f("JToken GetValue(string propertyName)", pure(func(a []val) val { return token(me(a).Get(a[1].S)) })),
		f("JToken GetValue(string propertyName, StringComparison comparison)", pure(func(a []val) val { return get(me(a), a[1].S, a[2].Int()) })),
		f("JProperty Property(string name)", pure(func(a []val) val { return token(me(a).property(a[1].S)) })),
		f("JProperty Property(string name, StringComparison comparison)", pure(func(a []val) val {
			if v := get(me(a), a[1].S, a[2].Int()); v.R != nil {
				return ref(js(v).parent)
			}
			return val{}
		})),
		f("IEnumerable<JProperty> Properties()", pure(func(a []val) val { return sequence(me(a).kids) })),
		f("IEnumerable<JToken> PropertyValues()", pure(func(a []val) val {
			var out []*JSON
			for _, p := range me(a).kids {
				out = append(out, p.kids[0])
			}
			return sequence(out)
		})),
		f("IEnumerable<KeyValuePair<string, JToken>> GetEnumerator()", func(m *mach, a []val) val {
			g := &group{}
			for _, p := range me(a).kids {
				m.Charge(96)
				g.items = append(g.items, ref(&csharp.KV{T: kv, Key: str(p.name), Value: ref(p.kids[0])}))
			}
			return ref(g)
		}),
	}
}

func jsonValueMembers() []member {
	me := self[*JSON]
	rows := []member{
		fs("object Value", pure(func(a []val) val { return ref(me(a).value) }), pure(func(a []val) val {
			me(a).kind, me(a).value = simpleKind(a[1].R), widened(a[1].R)
			return val{}
		})),
		f("string ToString(string format)", pure(func(a []val) val { return str(me(a).NetFormat(a[1].S)) })),
		f("string ToString(IFormatProvider formatProvider)", pure(func(a []val) val { return str(me(a).NetString()) })),
		f("static JValue CreateString(string value)", pure(func(a []val) val {
			if a[0].NullString() {
				return ref(&JSON{kind: jString})
			}
			return ref(jsonSimple(a[0].S))
		})),
		f("static JValue CreateNull()", pure(func([]val) val { return ref(&JSON{kind: jNull}) })),
		f("new(JValue other)", pure(func(a []val) val { return ref(js(a[0]).clone()) })),
		f("new(object value)", pure(func(a []val) val { return ref(jsonSimple(a[0].R)) })),
	}
	for _, t := range []*typ{csharp.LongT, csharp.ULong, csharp.DoubleT, csharp.DecimalT, csharp.Float, csharp.Bool, csharp.StringT, csharp.CharT, csharp.DateTimeT, csharp.DateTimeOffT, csharp.GuidT, csharp.TimeSpanT} {
		rows = append(rows, f("new("+t.String()+" value)", pure(func(a []val) val { return ref(jsonSimple(csharp.Box(a[0], t))) })))
	}
	return rows
}

func jsonConvertTypes() []def {
	write := func(m *mach, r any, indented bool) val { return jsonText(m, fromObject(m, r, nil), indented) }
	return []def{
		{Decl: "enum Formatting", Namespace: newtonsoft, Values: []string{"None", "Indented"}},
		{Decl: "static class JsonConvert", Namespace: newtonsoft, Members: []member{
			f("static string SerializeObject(object value)", func(m *mach, a []val) val { return write(m, a[0].R, false) }),
			f("static string SerializeObject(object value, Formatting formatting)", func(m *mach, a []val) val { return write(m, a[0].R, a[1].N == 1) }),
			f("static string ToString(string value)", pure(func(a []val) val { return str(jsonSimple(a[0].S).Text(false)) })),
			f("static object DeserializeObject(string value)", func(m *mach, a []val) val {
				return toType(m, parseJSON(m, needString(a[0], "value")), csharp.Object)
			}),
			g("static T DeserializeObject<T>(string value)", func(t []*typ) csharp.Fn {
				return func(m *mach, a []val) val { return toType(m, parseJSON(m, needString(a[0], "value")), t[0]) }
			}),
		}},
	}
}

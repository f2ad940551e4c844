package dotnet

import (
	"encoding/base64"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

// simpleKind gives the JTokenType of a boxed value.
func simpleKind(r any) int {
	switch r.(type) {
	case nil:
		return jNull
	case string, csharp.Char:
		return jString
	case bool:
		return jBoolean
	case float64, float32, csharp.Decimal:
		return jFloat
	case csharp.DateTime, csharp.DateTimeOffset:
		return jDate
	case csharp.TimeSpan:
		return jTimeSpan
	case csharp.Guid:
		return jGuid
	case *uri:
		return jURI
	case *csharp.Array:
		return jBytes
	}
	return jInteger
}

// widened brings integers to the long that JValue keeps.
func widened(r any) any {
	switch v := r.(type) {
	case int8, uint8, int16, uint16, int32, uint32:
		u := unboxed(r)
		return int64(u.N)
	case csharp.Enum:
		return v.N
	case csharp.Char:
		return csharp.ObjectText(v)
	}
	return r
}

func jsonSimple(r any) *JSON { return &JSON{kind: simpleKind(r), value: widened(r)} }

// fromObject is JToken.FromObject, and what JsonConvert writes: containers by their elements, anonymous objects and
// dictionaries as objects.
func fromObject(m *mach, r any, t *typ) *JSON {
	m.Step()
	m.Charge(96)
	m.Deeper()
	defer m.Shallower()
	switch o := r.(type) {
	case nil:
		return &JSON{kind: jNull}
	case *JSON:
		return o
	case *csharp.Array:
		if o.Elem.Kind == csharp.KindByte {
			return &JSON{kind: jBytes, value: o}
		}
	case *csharp.Anon:
		out := &JSON{kind: jObject}
		names, types, vals := o.Members()
		for i, n := range names {
			out.put(n, fromValue(m, vals[i], types[i]))
		}
		return out
	case *Dict:
		out := &JSON{kind: jObject}
		for _, e := range o.entries {
			out.put(csharp.Text(e.key, o.t.Args[0]), fromValue(m, e.value, o.t.Args[1]))
		}
		return out
	case *csharp.KV:
		out := &JSON{kind: jObject}
		out.put("Key", fromValue(m, o.Key, o.T.Args[0]))
		out.put("Value", fromValue(m, o.Value, o.T.Args[1]))
		return out
	case *tuple:
		out := &JSON{kind: jObject}
		for i, v := range o.v {
			out.put("Item"+string(rune('1'+i)), fromValue(m, v, o.t.Args[i]))
		}
		return out
	case *csharp.Exception:
		out := &JSON{kind: jObject}
		out.put("ClassName", jsonSimple(o.Name))
		out.put("Message", jsonSimple(o.Message()))
		return out
	}
	if k := csharp.TypeOf(r).Kind; k >= csharp.KindBool && k <= csharp.KindEnum || simpleKind(r) == jURI {
		return jsonSimple(r)
	}
	if seq, ok := r.(csharp.Seq); ok {
		elem := csharp.Object
		if typed, ok := r.(csharp.Typed); ok {
			t = typed.NetType()
		}
		if t != nil {
			if e := m.Library().Element(t); e != nil {
				elem = e
			}
		}
		out := &JSON{kind: jArray}
		each(m, ref(seq), "value", func(_ int, x val) bool {
			out.add(fromValue(m, x, elem))
			return true
		})
		return out
	}
	if o, ok := r.(Serializable); ok {
		return fromObject(m, o.NetMembers(), nil)
	}
	if o, ok := r.(csharp.Texter); ok {
		return jsonSimple(o.NetString())
	}
	return &JSON{kind: jObject}
}

// Serializable is implemented by host objects that JSON shows with their properties.
type Serializable interface{ NetMembers() *csharp.Anon }

func fromValue(m *mach, v val, t *typ) *JSON {
	j := fromObject(m, csharp.Box(v, t), t)
	if j.parent != nil {
		j = j.clone()
	}
	return j
}

// content turns what is given to a container into tokens: sequences are spread, except strings.
func content(m *mach, r any) []*JSON {
	m.Charge(128)
	m.Deeper()
	defer m.Shallower()
	switch o := r.(type) {
	case *JSON:
		return []*JSON{o}
	case csharp.Seq:
		if arr, ok := o.(*csharp.Array); ok && arr.Elem.Kind == csharp.KindByte {
			break
		}
		elem := csharp.Object
		if typed, ok := r.(csharp.Typed); ok {
			if e := m.Library().Element(typed.NetType()); e != nil {
				elem = e
			}
		}
		var out []*JSON
		each(m, ref(o), "content", func(_ int, x val) bool {
			out = append(out, content(m, csharp.Box(x, elem))...)
			return true
		})
		return out
	}
	return []*JSON{fromObject(m, r, nil)}
}

func kindName(k int) string {
	return [...]string{"None", "Object", "Array", "Constructor", "Property", "Comment", "Integer", "Float", "String", "Boolean", "Null", "Undefined", "Date", "Raw", "Bytes", "Guid", "Uri", "TimeSpan"}[k]
}

// toSimple is the explicit conversion of a JToken to a simple type. A null token gives the default, or throws where the
// type cannot be null.
func toSimple(j *JSON, t *typ, nullable bool) val {
	if j != nil && j.kind == jProperty {
		j = j.kids[0]
	}
	if j == nil {
		if t.Kind == csharp.KindString || nullable || t.Kind == csharp.KindArray {
			return val{}
		}
		csharp.ThrowNull("value")
	}
	bad := func() { csharp.Throw("ArgumentException", "Can not convert "+kindName(j.kind)+" to "+t.Decl.Name+".") }
	if j.kind == jNull && (t.Kind == csharp.KindString || nullable) {
		return val{}
	}
	if j.container() || j.kind == jNull || j.kind == jUndefined {
		bad()
	}
	v := ref(j.value)
	if b, ok := j.value.(bigInteger); ok {
		v = ref(b.s)
		if t.Kind == csharp.KindString {
			return str(b.s)
		}
	}
	switch t.Kind {
	case csharp.KindString:
		switch b := j.value.(type) {
		case *csharp.Array:
			return str(base64.StdEncoding.EncodeToString(b.Bytes))
		case bool:
			return str(csharp.ObjectText(b))
		}
		return str(csharp.ObjectText(j.value))
	case csharp.KindDateTime:
		switch d := j.value.(type) {
		case csharp.DateTimeOffset:
			return val{N: uint64(d.UTC+int64(d.Minutes)*format.TicksPerMinute) | format.Unspecified}
		case csharp.DateTime:
			return val{N: uint64(d)}
		case string:
			return mustDate(d)
		}
		bad()
	case csharp.KindDateTimeOffset:
		switch d := j.value.(type) {
		case csharp.DateTime:
			ticks, _ := format.Split(uint64(d))
			return csharp.OffsetOf(csharp.DateTimeOffset{UTC: ticks})
		case csharp.DateTimeOffset:
			return csharp.OffsetOf(d)
		case string:
			return csharp.OffsetOf(mustOffset(d))
		}
		bad()
	case csharp.KindGuid:
		switch g := j.value.(type) {
		case csharp.Guid:
			return csharp.GuidOf(g)
		case string:
			return mustGuid(g)
		}
		bad()
	case csharp.KindTimeSpan:
		switch s := j.value.(type) {
		case csharp.TimeSpan:
			return csharp.Long(int64(s))
		case string:
			return mustSpan(s)
		}
		bad()
	}
	if j.kind == jDate || j.kind == jBytes || j.kind == jGuid || j.kind == jTimeSpan {
		bad()
	}
	return convertTo(t, v, csharp.Object)
}

// toType is ToObject<T> and DeserializeObject<T>.
func toType(m *mach, j *JSON, t *typ) val {
	m.Step()
	m.Charge(48)
	if t.Decl != nil && (t.Kind == csharp.KindObject || t.Decl.Namespace == linqJSON) {
		if j == nil || j.kind == jNull && t.Kind == csharp.KindObject {
			return val{}
		}
		if t.Kind == csharp.KindObject && !j.container() {
			return ref(j.value)
		}
		if v, err := csharp.Unbox(m.Library(), j, t); err == nil {
			return v
		}
		csharp.Throw("InvalidCastException", "Unable to cast object of type '"+j.NetType().FullName()+"' to type '"+t.FullName()+"'.")
	}
	if j == nil || j.kind == jNull {
		if t.Reference() || t.Kind == csharp.KindNullable {
			return val{}
		}
		csharp.Throw("Newtonsoft.Json.JsonSerializationException", "Error converting value {null} to type '"+t.FullName()+"'.")
	}
	switch {
	case t.Kind == csharp.KindNullable:
		return ref(csharp.Box(toType(m, j, t.Elem()), t.Elem()))
	case t.Kind == csharp.KindEnum:
		names, values := csharp.EnumValues(t)
		for i, n := range names {
			if s, ok := j.value.(string); ok && upper(s) == upper(n) {
				return csharp.Long(values[i])
			}
		}
		return toSimple(j, csharp.IntT, false)
	case t.Kind >= csharp.KindBool && t.Kind <= csharp.KindGuid:
		if j.container() {
			what := map[int]string{jObject: "StartObject", jArray: "StartArray"}[j.kind]
			csharp.Throw("Newtonsoft.Json.JsonReaderException", "Unexpected character encountered while parsing value: "+what+". Path '"+j.path()+"'.")
		}
		return toSimple(j, t, false)
	case t.Kind == csharp.KindArray && t.Elem().Kind == csharp.KindByte && j.kind == jString:
		b, err := base64.StdEncoding.DecodeString(j.value.(string))
		if err != nil {
			csharp.Throw("FormatException", "The input is not a valid Base-64 string.")
		}
		return csharp.BytesValue(b)
	case t.Kind == csharp.KindArray || t.Decl == listDecl || len(t.Args) == 1 && t.Kind == csharp.KindInterface:
		if j.kind != jArray {
			csharp.Throw("Newtonsoft.Json.JsonSerializationException", "Cannot deserialize the current JSON "+kindName(j.kind)+" into type '"+t.FullName()+"' because the type requires a JSON array (e.g. [1,2,3]) to deserialize correctly. Path '"+j.path()+"'.")
		}
		var all []val
		for _, k := range j.kids {
			all = append(all, toType(m, k, t.Args[0]))
		}
		if t.Kind == csharp.KindArray {
			return makeArray(m, t.Args[0], all)
		}
		return NewList(t.Args[0], all)
	case len(t.Args) == 2:
		if j.kind != jObject {
			csharp.Throw("Newtonsoft.Json.JsonSerializationException", "Cannot deserialize the current JSON "+kindName(j.kind)+" into type '"+t.FullName()+"' because the type requires a JSON object (e.g. {\"name\":\"value\"}) to deserialize correctly. Path '"+j.path()+"'.")
		}
		d := NewDict(t.Args[0], t.Args[1], false)
		for _, p := range j.kids {
			d.Set(toType(m, jsonSimple(p.name), t.Args[0]), toType(m, p.kids[0], t.Args[1]))
		}
		return ref(d)
	}
	csharp.Throw("Newtonsoft.Json.JsonSerializationException", "Could not create an instance of type "+t.FullName()+".")
	return val{}
}

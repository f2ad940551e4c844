package dotnet

import (
	"slices"
	"strconv"
	"strings"

	"tandem/internal/csharp"
)

// The values of JTokenType.
const (
	jNone = iota
	jObject
	jArray
	jConstructor
	jProperty
	jComment
	jInteger
	jFloat
	jString
	jBoolean
	jNull
	jUndefined
	jDate
	jRaw
	jBytes
	jGuid
	jURI
	jTimeSpan
)

const (
	newtonsoft = "Newtonsoft.Json"
	linqJSON   = "Newtonsoft.Json.Linq"
)

func jsonDecl(name string) *csharp.Decl {
	return &csharp.Decl{Name: name, Namespace: linqJSON, Kind: csharp.KindClass}
}

// The identities of the Newtonsoft types.
var (
	jTokenDecl    = jsonDecl("JToken")
	jObjectDecl   = jsonDecl("JObject")
	jArrayDecl    = jsonDecl("JArray")
	jValueDecl    = jsonDecl("JValue")
	jPropertyDecl = jsonDecl("JProperty")
	jTokenT       = csharp.Generic(jTokenDecl)
	jObjectT      = csharp.Generic(jObjectDecl)
	jArrayT       = csharp.Generic(jArrayDecl)
	jValueT       = csharp.Generic(jValueDecl)
	jPropertyT    = csharp.Generic(jPropertyDecl)
)

// JSON is a JToken of any kind: objects hold properties, properties one value, values a boxed simple value.
type JSON struct {
	kind   int
	parent *JSON
	name   string // of a property
	value  any    // of a value: boxed; nil for null
	kids   []*JSON
	index  map[string]*JSON // of a large object
	height int
}

// raise tells the parents how deep j goes.
func (j *JSON) raise() {
	for k, p := j, j.parent; p != nil && p.height <= k.height; k, p = p, p.parent {
		p.height = k.height + 1
		csharp.CheckHeight(p.height)
	}
}

// NetType implements csharp.Typed.
func (j *JSON) NetType() *typ {
	switch j.kind {
	case jObject:
		return jObjectT
	case jArray:
		return jArrayT
	case jProperty:
		return jPropertyT
	}
	return jValueT
}

// Iter implements csharp.Seq over the children.
func (j *JSON) Iter(*mach) func() (val, bool) {
	kids, i := j.kids, 0
	return func() (val, bool) {
		if i >= len(kids) {
			return val{}, false
		}
		i++
		return ref(kids[i-1]), true
	}
}

// Len and At implement csharp.Lister.
func (j *JSON) Len() int     { return len(j.kids) }
func (j *JSON) At(i int) val { return ref(j.kids[i]) }

// NetBox gives the simple value of a JValue.
func (j *JSON) NetBox() any { return j.value }

// NetKey implements csharp.Equaler: values are equal by value, containers by identity.
func (j *JSON) NetKey() any {
	if j.kind < jInteger {
		return j
	}
	return [2]any{j.kind, objectKey(j.value)}
}

// NetCompare implements Comparable for values.
func (j *JSON) NetCompare(other any) int {
	o, ok := other.(*JSON)
	if !ok {
		return compareObjects(j.value, other)
	}
	if j.kind == jInteger && o.kind == jFloat {
		return compareObjects(float64(toInt64(j.value)), o.value)
	}
	if j.kind == jFloat && o.kind == jInteger {
		return compareObjects(j.value, float64(toInt64(o.value)))
	}
	return compareObjects(j.value, o.value)
}

func toInt64(r any) int64 { i, _ := r.(int64); return i }

// IsObject, IsArray and IsNull tell the kind to hosts.
func (j *JSON) IsObject() bool { return j.kind == jObject }

// IsArray tells whether j is a JArray.
func (j *JSON) IsArray() bool { return j.kind == jArray }

func (j *JSON) container() bool { return j.kind == jObject || j.kind == jArray || j.kind == jProperty }

// property finds a property of an object.
func (j *JSON) property(name string) *JSON {
	if len(j.kids) > 12 {
		if j.index == nil {
			j.index = make(map[string]*JSON, len(j.kids))
			for _, k := range j.kids {
				j.index[k.name] = k
			}
		}
		return j.index[name]
	}
	for _, k := range j.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// Get gives the value of an object's property, nil when there is none.
func (j *JSON) Get(name string) *JSON {
	if j.kind != jObject {
		return nil
	}
	if p := j.property(name); p != nil {
		return p.kids[0]
	}
	return nil
}

// token gives a JToken value; null for nil.
func token(j *JSON) val {
	if j == nil {
		return val{}
	}
	return ref(j)
}

// attach makes j a child of parent; a token that has a parent already is copied, as Newtonsoft does.
func (j *JSON) attach(parent *JSON) *JSON {
	if j == nil {
		j = &JSON{kind: jNull}
	}
	if j.parent != nil {
		j = j.clone()
	}
	for p := parent; p != nil; p = p.parent {
		if p == j {
			j = j.clone() // a token cannot hold itself
			break
		}
	}
	j.parent = parent
	j.raise()
	return j
}

func (j *JSON) clone() *JSON {
	c := &JSON{kind: j.kind, name: j.name, value: j.value, height: j.height}
	for _, k := range j.kids {
		k = k.clone()
		k.parent = c
		c.kids = append(c.kids, k)
	}
	return c
}

// insert puts content into a container at i.
func (j *JSON) insert(i int, x *JSON) {
	switch j.kind {
	case jObject:
		if x == nil || x.kind != jProperty {
			what := "Null"
			if x != nil {
				what = x.NetType().FullName()
			}
			csharp.Throw("ArgumentException", "Can not add "+what+" to Newtonsoft.Json.Linq.JObject.")
		}
		if j.property(x.name) != nil {
			csharp.Throw("ArgumentException", "Can not add property "+x.name+" to Newtonsoft.Json.Linq.JObject. Property with the same name already exists on object.")
		}
	case jArray:
		if x != nil && x.kind == jProperty {
			csharp.Throw("ArgumentException", "Can not add Newtonsoft.Json.Linq.JProperty to Newtonsoft.Json.Linq.JArray.")
		}
	case jProperty:
		if len(j.kids) > 0 {
			csharp.Throw("Newtonsoft.Json.JsonException", "Newtonsoft.Json.Linq.JProperty cannot have multiple values.")
		}
	default:
		csharp.Throw("InvalidOperationException", "Cannot add content to "+j.NetType().FullName()+".")
	}
	x = x.attach(j)
	if j.index != nil {
		j.index[x.name] = x
	}
	j.kids = slices.Insert(j.kids, i, x)
}

func (j *JSON) add(x *JSON) { j.insert(len(j.kids), x) }

// NewProperty makes name: value.
func newProperty(name string, value *JSON) *JSON {
	p := &JSON{kind: jProperty, name: name}
	p.kids = []*JSON{value.attach(p)}
	return p
}

// put assigns a property of an object.
func (j *JSON) put(name string, x *JSON) {
	if p := j.property(name); p != nil {
		p.kids[0].parent = nil
		p.kids[0] = x.attach(p)
		return
	}
	j.add(newProperty(name, x))
}

func (j *JSON) place() int { return slices.Index(j.parent.kids, j) }

// detach removes j from its parent. A property's value takes the property with it.
func (j *JSON) detach() {
	if j.parent == nil {
		csharp.Throw("InvalidOperationException", "The parent is missing.")
	}
	p := j.parent
	if p.kind == jProperty {
		csharp.Throw("Newtonsoft.Json.JsonException", "Cannot add or remove items from Newtonsoft.Json.Linq.JProperty.")
	}
	i := j.place()
	p.kids = slices.Delete(p.kids, i, i+1)
	delete(p.index, j.name)
	j.parent = nil
}

func (j *JSON) replace(x *JSON) {
	if j.parent == nil {
		csharp.Throw("InvalidOperationException", "The parent is missing.")
	}
	p, i := j.parent, j.place()
	j.parent = nil
	p.index = nil
	p.kids[i] = x.attach(p)
}

// path is the Path property: a.b[0]['odd name'].
func (j *JSON) path() string {
	if j == nil || j.parent == nil {
		return ""
	}
	above := j.parent.path()
	switch j.parent.kind {
	case jArray:
		return above + "[" + strconv.Itoa(j.place()) + "]"
	case jObject:
		if strings.ContainsAny(j.name, " .'/\"[]()\t\n\r\f\b\\") {
			return above + "['" + strings.ReplaceAll(j.name, "'", `\'`) + "']"
		}
		if above != "" {
			above += "."
		}
		return above + j.name
	}
	return above
}

func deepEquals(a, b *JSON) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if a.kind != b.kind {
		return (a.kind == jInteger && b.kind == jFloat || a.kind == jFloat && b.kind == jInteger) && a.NetCompare(b) == 0
	}
	if !a.container() {
		return a.NetKey() == b.NetKey()
	}
	if len(a.kids) != len(b.kids) || a.name != b.name {
		return false
	}
	for i, k := range a.kids {
		other := b.kids[i]
		if a.kind == jObject {
			if other = b.property(k.name); other == nil {
				return false
			}
		}
		if !deepEquals(k, other) {
			return false
		}
	}
	return true
}

// merge is JContainer.Merge with the default settings: arrays are concatenated, nulls of the content are ignored only
// in properties.
func (j *JSON) merge(x *JSON, arrays int) {
	switch {
	case j.kind == jObject && x.kind == jObject:
		for _, p := range x.kids {
			old := j.property(p.name)
			v := p.kids[0]
			switch {
			case old == nil:
				j.add(p.clone())
			case v.kind == jNull:
			case old.kids[0].container() && old.kids[0].kind == v.kind:
				old.kids[0].merge(v, arrays)
			default:
				old.kids[0].replace(v.clone())
			}
		}
	case j.kind == jArray && x.kind == jArray:
		switch arrays {
		case 2:
			j.kids = nil
		case 3:
			for i, k := range x.kids {
				switch {
				case i >= len(j.kids):
					j.add(k.clone())
				case j.kids[i].container() && j.kids[i].kind == k.kind:
					j.kids[i].merge(k, arrays)
				case k.kind != jNull:
					j.kids[i].replace(k.clone())
				}
			}
			return
		}
		for _, k := range x.kids {
			if arrays != 1 || !slices.ContainsFunc(j.kids, func(o *JSON) bool { return deepEquals(o, k) }) {
				j.add(k.clone())
			}
		}
	}
}

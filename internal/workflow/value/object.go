package value

import (
	"slices"
	"strings"
)

// Object is a JSON object that keeps the order of its properties.
type Object struct {
	keys   []string
	values map[string]any
}

// New makes an object of names and values in turn.
func New(pairs ...any) *Object {
	o := &Object{values: make(map[string]any, len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		o.Set(pairs[i].(string), From(pairs[i+1]))
	}
	return o
}

// Len is the number of properties.
func (o *Object) Len() int { return len(o.keys) }

// Keys are the names of the properties in order.
func (o *Object) Keys() []string { return slices.Clone(o.keys) }

// Get finds a property: by its exact name, else without regard to case.
func (o *Object) Get(name string) (any, bool) {
	if o == nil {
		return nil, false
	}
	if v, ok := o.values[name]; ok {
		return v, true
	}
	for _, k := range o.keys {
		if strings.EqualFold(k, name) {
			return o.values[k], true
		}
	}
	return nil, false
}

// Has tells whether the exact name is there.
func (o *Object) Has(name string) bool { _, ok := o.values[name]; return ok }

// Set writes a property. It is for whoever is still making the object.
func (o *Object) Set(name string, v any) {
	if _, ok := o.values[name]; !ok {
		o.keys = append(o.keys, name)
	}
	o.values[name] = v
}

// With is a copy with one property written.
func (o *Object) With(name string, v any) *Object {
	c := o.Clone()
	c.Set(name, v)
	return c
}

// Without is a copy that lacks one property.
func (o *Object) Without(name string) *Object {
	c := New()
	for _, k := range o.keys {
		if k != name {
			c.Set(k, o.values[k])
		}
	}
	return c
}

// Clone copies the object, not what its properties hold.
func (o *Object) Clone() *Object {
	c := New()
	for _, k := range o.keys {
		c.Set(k, o.values[k])
	}
	return c
}

// Walk calls visit for every property in order.
func (o *Object) Walk(visit func(name string, v any)) {
	if o == nil {
		return
	}
	for _, k := range o.keys {
		visit(k, o.values[k])
	}
}

// String gives a property that is a string, or "".
func (o *Object) String(name string) string {
	v, _ := o.Get(name)
	s, _ := v.(string)
	return s
}

// Object gives a property that is an object, or nil.
func (o *Object) Object(name string) *Object {
	v, _ := o.Get(name)
	c, _ := v.(*Object)
	return c
}

// MarshalJSON implements json.Marshaler.
func (o *Object) MarshalJSON() ([]byte, error) { return Encode(o), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (o *Object) UnmarshalJSON(text []byte) error {
	v, err := Decode(text)
	if err != nil {
		return err
	}
	*o = *New()
	if read, ok := v.(*Object); ok {
		*o = *read
	}
	return nil
}

// Exact finds a property by its exact name.
func (o *Object) Exact(name string) (any, bool) { v, ok := o.values[name]; return v, ok }

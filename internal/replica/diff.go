package replica

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"tandem/internal/apim"
	"tandem/internal/snapshot"
)

// PropertyChange is one property that differs. Of a secret it tells only that it does (law 7).
type PropertyChange struct {
	Property string `json:"property"` // its path: "circuitBreaker.rules[0].tripDuration"
	Before   any    `json:"before,omitempty"`
	After    any    `json:"after,omitempty"`
	Text     string `json:"text,omitempty"` // of a policy: a unified diff in place of before and after
	Secret   bool   `json:"secret,omitempty"`
}

// Change is one resource that differs.
type Change struct {
	Path       string           `json:"path"`
	Kind       string           `json:"kind"`
	Properties []PropertyChange `json:"properties,omitempty"`
}

// Unknown is something that could not be compared, since one side does not hold it.
type Unknown struct {
	Path     string `json:"path"`
	Property string `json:"property"`
	Reason   string `json:"reason"`
}

// Difference is how one side differs from another: what has to be added, changed and deleted in A to make it B.
type Difference struct {
	Added        []Change  `json:"added"`
	Changed      []Change  `json:"changed"`
	Deleted      []Change  `json:"deleted"`
	Unchanged    int       `json:"unchanged"`
	Inconclusive []Unknown `json:"inconclusive"`
}

// Empty tells whether nothing differs, as far as it could be compared.
func (d Difference) Empty() bool { return len(d.Added)+len(d.Changed)+len(d.Deleted) == 0 }

// Diff compares two sets of resources by what they mean: computed properties, nulls, the form of references and the format of
// a policy make no difference, nor does what exists from the start and is as it was. Secrets are compared and not shown.
func Diff(a, b []snapshot.Resource) (Difference, error) {
	table := apim.NewTable()
	before, err := normalise(table, a)
	if err != nil {
		return Difference{}, err
	}
	after, err := normalise(table, b)
	if err != nil {
		return Difference{}, err
	}
	return difference(before, after), nil
}

func difference(before, after items) Difference {
	d := Difference{Added: []Change{}, Changed: []Change{}, Deleted: []Change{}, Inconclusive: []Unknown{}}
	for _, key := range after.keys() {
		b := after[key]
		a := before[key]
		if a == nil {
			d.Added = append(d.Added, b.change(nil))
			continue
		}
		props, unknown := a.compare(b)
		d.Inconclusive = append(d.Inconclusive, unknown...)
		if len(props) > 0 {
			d.Changed = append(d.Changed, b.change(props))
		} else {
			d.Unchanged++
		}
	}
	for _, key := range before.keys() {
		if after[key] == nil {
			d.Deleted = append(d.Deleted, before[key].change(nil))
		}
	}
	return d
}

func (i *item) change(props []PropertyChange) Change {
	return Change{Path: i.shown(), Kind: i.res.Kind(), Properties: props}
}

// compare tells how b, the same resource on the other side, differs.
func (i *item) compare(b *item) ([]PropertyChange, []Unknown) {
	out := compare(i.props, b.props)
	if i.kind != nil && textual(i.kind) {
		for n, c := range out {
			x, isText := c.Before.(string)
			y, both := c.After.(string)
			if c.Property == "value" && isText && both {
				out[n] = PropertyChange{Property: "value", Text: string(diff.Diff("a/"+i.shown(), []byte(endLine(x)), "b/"+b.shown(), []byte(endLine(y))))}
			}
		}
	}
	var unknown []Unknown
	names := map[string]bool{}
	for name := range i.secrets {
		names[name] = true
	}
	for name := range b.secrets {
		names[name] = true
	}
	for _, name := range sortedKeys(names) {
		x, inA := i.secrets[name]
		y, inB := b.secrets[name]
		switch plain := strings.TrimPrefix(name, jsonSecret); {
		case inA != inB && (i.kind == nil || i.kind.Reveal == ""):
			unknown = append(unknown, Unknown{i.shown(), plain, "one side does not hold this secret: the management API never gives it back"})
		case inA != inB || x != y && !sameJSON(name, x, y):
			out = append(out, PropertyChange{Property: plain, Secret: true})
		}
	}
	return out, unknown
}

func sameJSON(name, x, y string) bool {
	if !strings.HasPrefix(name, jsonSecret) {
		return false
	}
	var a, b any
	return json.Unmarshal([]byte(x), &a) == nil && json.Unmarshal([]byte(y), &b) == nil && reflect.DeepEqual(a, b)
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for name := range m {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

func endLine(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}

// compare lists the properties by which two objects differ, in the order of their paths.
func compare(a, b map[string]any) (out []PropertyChange) {
	walk(&out, "", a, b)
	return out
}

func walk(out *[]PropertyChange, path string, a, b any) {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			names := map[string]bool{}
			for name := range x {
				names[name] = true
			}
			for name := range y {
				names[name] = true
			}
			for _, name := range sortedKeys(names) {
				inner := name
				if path != "" {
					inner = path + "." + name
				}
				walk(out, inner, x[name], y[name])
			}
			return
		}
	case []any:
		if y, ok := b.([]any); ok {
			if len(x) == len(y) {
				for n := range x {
					walk(out, path+"["+strconv.Itoa(n)+"]", x[n], y[n])
				}
				return
			}
			if len(x) == 0 && len(y) == 0 {
				return
			}
		}
	}
	if !equal(a, b) {
		*out = append(*out, PropertyChange{Property: path, Before: a, After: b})
	}
}

// equal compares values that are not both objects. Numbers are equal by value; a thing that is absent equals an empty one.
func equal(a, b any) bool {
	if isEmpty(a) && isEmpty(b) {
		return true
	}
	if x, ok := number(a); ok {
		y, both := number(b)
		return both && x.Cmp(y) == 0
	}
	return reflect.DeepEqual(a, b)
}

// number reads a number. One with a huge exponent is left as text: its value would take as many digits.
func number(v any) (*big.Rat, bool) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case float64, int, int64:
		text = fmt.Sprint(v)
	default:
		return nil, false
	}
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		if exp, err := strconv.Atoi(text[at+1:]); err != nil || exp > 400 || exp < -400 {
			return nil, false
		}
	}
	return new(big.Rat).SetString(text)
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		for _, inner := range v {
			if !isEmpty(inner) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	}
	return false
}

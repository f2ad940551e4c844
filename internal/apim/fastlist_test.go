package apim

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tandem/internal/arm"
)

// TestSplitDocument: what is cut out of stored bytes is what decoding them gives, whatever is in them.
func TestSplitDocument(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z{}\\[\\]",:\\\\]{0,8}`))
	rapid.Check(t, func(rt *rapid.T) {
		d := &Document{IDs: rapid.SliceOfN(text, 1, 4).Draw(rt, "ids"), Properties: map[string]any{}}
		for _, name := range rapid.SliceOfN(text, 0, 4).Draw(rt, "names") {
			d.Properties[name] = rapid.OneOf(rapid.Map(text, func(s string) any { return s }), rapid.Map(rapid.Int(), func(n int) any { return n }),
				rapid.Map(rapid.SliceOf(text), func(s []string) any { return s }), rapid.Map(rapid.MapOf(text, text), func(m map[string]string) any { return m })).Draw(rt, "value")
		}
		if rapid.Bool().Draw(rt, "sealed") {
			d.Sealed = map[string]string{"key": text.Draw(rt, "secret")}
		}
		raw, err := d.encode()
		if err != nil {
			rt.Skip("it cannot be stored")
		}
		ids, properties, ok := splitDocument(raw)
		if !ok {
			return // ids with escapes are left to the decoder
		}
		var want struct {
			IDs        []string
			Properties json.RawMessage
		}
		if err := json.Unmarshal(raw, &want); err != nil {
			rt.Fatal(err)
		}
		if !slices.Equal(ids, want.IDs) || string(properties) != string(want.Properties) {
			rt.Fatalf("%s is split into %q and %s", raw, ids, properties)
		}
		var got, same arm.Resource
		if err := json.Unmarshal(appendResource(nil, "/"+ids[0], ids[len(ids)-1], "t", properties), &got); err != nil {
			rt.Fatalf("%v in %s", err, appendResource(nil, "/"+ids[0], ids[len(ids)-1], "t", properties))
		}
		encodedByHand, _ := json.Marshal(arm.Resource{ID: "/" + ids[0], Name: ids[len(ids)-1], Type: "t", Properties: properties})
		if err := json.Unmarshal(encodedByHand, &same); err != nil || got.ID != same.ID || got.Name != same.Name || string(got.Properties) != string(same.Properties) {
			rt.Fatalf("written as %+v, want %+v", got, same)
		}
	})
}

func FuzzSplitDocument(f *testing.F) {
	f.Add([]byte(`{"ids":["a","b"],"properties":{"x":"\\\"}"},"sealed":{}}`))
	f.Add([]byte(`{"ids":["a`))
	f.Add([]byte(`{"ids":["a"],"properties":{"\\"`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, properties, ok := splitDocument(raw)
		if ok && json.Valid(raw) && !json.Valid(properties) {
			t.Errorf("%q gives %q", raw, properties)
		}
	})
}

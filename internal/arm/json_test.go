package arm

import (
	"encoding/json"
	"strings"
	"testing"
)

type sample struct {
	BackupName string `json:"backupName"`
	Count      int    `json:"count"`
	Inner      struct {
		Name string `json:"name"`
	} `json:"inner"`
	Tags  map[string]string `json:"tags"`
	Extra any               `json:"extra"`
	Raw   json.RawMessage   `json:"raw"`
	List  []struct {
		A int `json:"a"`
	} `json:"list"`
}

func TestDecodeJSON(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"case", `{"backupname":"b","COUNT":2,"Inner":{"NAME":"n"}}`, ""},
		{"bom", "\ufeff{}", ""},
		{"tags differ by case", `{"tags":{"a":"1","A":"2"}}`, ""},
		{"any may differ by case", `{"extra":{"a":1,"A":2},"raw":{"b":1,"B":2}}`, ""},
		{"twice", `{"count":1,"count":2}`, "'count' occurs twice, line 1, position"},
		{"twice in another case", "{\"count\":1,\n  \"Count\":2}", "'Count' occurs twice, line 2, position 9"},
		{"twice within", `{"inner":{"name":"a","NAME":"b"}}`, "'NAME' occurs twice"},
		{"twice in a list", `{"list":[{"a":1},{"a":1,"A":1}]}`, "'A' occurs twice"},
		{"twice in any", `{"extra":{"a":1,"a":2}}`, "'a' occurs twice"},
		{"twice in tags", `{"tags":{"a":"1","a":"2"}}`, "'a' occurs twice"},
		{"empty", " ", "is empty"},
		{"cut", `{"count":`, "line 1, position"},
		{"unquoted", "{\n count: 1}", "line 2, position"},
		{"type", `{"count":"x"}`, "'count' cannot be a string"},
		{"more", `{} {}`, "something follows"},
		{"deep", strings.Repeat("[", 600), "nested deeper"},
	} {
		var v sample
		err := DecodeJSON([]byte(c.body), &v)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "400 InvalidRequestContent")):
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		case c.name == "case" && (v.BackupName != "b" || v.Count != 2 || v.Inner.Name != "n"):
			t.Errorf("%s: %+v", c.name, v)
		}
	}
	var m map[string]any
	if err := DecodeJSON([]byte(`{"Properties":{"Big":12345678901234567890}}`), &m); err != nil {
		t.Fatal(err)
	}
	if n, ok := FoldGet(m, "properties", "big"); !ok || n != json.Number("12345678901234567890") {
		t.Errorf("got %v", n)
	}
	if _, ok := FoldGet(m, "properties", "big", "more"); ok {
		t.Error("a number has no members")
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{`{"count":1}`, `{"COUNT":1,"count":2}`, `[[[]]]`, `{"inner":{"name":"x"}}`, `{"list":[{"a":1}]}`, "\ufeff null"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var v sample
		if err := DecodeJSON(body, &v); err != nil {
			if e := AsError(err); e.Status != 400 {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if !json.Valid([]byte(strings.TrimPrefix(string(body), "\ufeff"))) {
			t.Fatalf("%q was accepted", body)
		}
	})
}

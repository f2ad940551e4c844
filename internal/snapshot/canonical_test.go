package snapshot

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCanonical(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{` { "b" : 1 , "a" : [ ] } `, `{"a":[],"b":1}`},
		{`{"a":{"z":1,"y":2},"!":0,"":9}`, `{"":9,"!":0,"a":{"y":2,"z":1}}`},
		{`{"a!":1,"a":2}`, `{"a":2,"a!":1}`},
		{`"\u0041\/\u00e9\u001F\u007f\u2028<>&"`, "\"A/é\\u001f\x7f\u2028<>&\""},
		{`"\ud83d\ude00 \uD800 \uDE00x"`, `"😀 \ud800 \ude00x"`},
		{`[1.0,-0,1E+2,0.10]`, `[1.0,-0,1E+2,0.10]`},
		{`"\b\f\n\r\t\"\\"`, `"\b\f\n\r\t\"\\"`},
	} {
		got, err := Canonical([]byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.in, got, err, c.want)
		}
	}
	for _, bad := range []string{``, ` `, `{`, `}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]`, `[,1]`, `01`, `1.`, `.5`, `+1`, `1e`, `tru`, `nul`, `"`, `"\x"`, `"\u12"`, "\"\x01\"", "\"\xff\"",
		`{"a":1,"a":1}`, `{"\u0061":1,"a":1}`, `1 2`, `'a'`, `{a:1}`, strings.Repeat("[", 2000) + strings.Repeat("]", 2000), "[1\x00]"} {
		if got, err := Canonical([]byte(bad)); err == nil {
			t.Errorf("%q was accepted as %s", bad, got)
		}
	}
}

// FuzzCanonical compares with the standard library: both accept the same texts, and the canonical form means the same.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"b":1,"a":[true,null,"\ud83d\ude00\ud800"]}`, `[1e5,-0.0,{}]`, `"\u0000"`, `{"a":1,"a":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := Canonical(raw)
		if err != nil {
			var v any
			if json.Valid(raw) && !strings.Contains(err.Error(), "twice") && !strings.Contains(err.Error(), "UTF-8") && !strings.Contains(err.Error(), "deep") {
				t.Fatalf("%q is JSON, but: %v (%v)", raw, err, v)
			}
			return
		}
		if !json.Valid(raw) {
			t.Fatalf("%q is no JSON", raw)
		}
		if !reflect.DeepEqual(decodeAny(t, raw), decodeAny(t, got)) {
			t.Fatalf("%q became %q, which means something else", raw, got)
		}
		again, err := Canonical(got)
		if err != nil || !bytes.Equal(again, got) {
			t.Fatalf("%q is not its own canonical form: %q, %v", got, again, err)
		}
		laid := indent(nil, got)
		var std bytes.Buffer
		if err := json.Indent(&std, got, "", "  "); err != nil || std.String()+"\n" != string(laid) {
			t.Fatalf("indented: %q, the standard library: %q", laid, std.String())
		}
		if back, err := Canonical(laid); err != nil || !bytes.Equal(back, got) {
			t.Fatalf("indented and back: %q, %v", back, err)
		}
		switch got[0] {
		case '{':
			if !bytes.Equal(object(members(got)), got) {
				t.Fatalf("%q taken apart and joined: %q", got, object(members(got)))
			}
		case '"':
			if text, ok := unquote(got); ok && !bytes.Equal(quote(nil, string(text)), got) {
				t.Fatalf("%q unquoted and quoted: %q", got, quote(nil, string(text)))
			}
		}
	})
}

func decodeAny(t *testing.T, raw []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFileNames(t *testing.T) {
	for _, c := range []struct{ path, stem string }{
		{"apis/echo", "apis/echo"},
		{"apis/echo;rev=2/operations/get", "apis/echo;rev=2/operations/get"},
		{"notifications/n/recipientEmails/a@b.example", "notifications/n/recipientEmails/a@b.example"},
		{"tags/.hidden", "tags/%2Ehidden"},
		{"tags/..", "tags/%2E%2E"},
		{"tags/a.", "tags/a%2E"},
		{"tags/a ", "tags/a%20"},
		{"tags/50%", "tags/50%25"},
		{"tags/aux.txt", "tags/%61ux.txt"},
		{"tags/com1", "tags/%63om1"},
		{"tags/com", "tags/com"},
		{"tags/a.XML", "tags/a%2EXML"},
		{"tags/a\x00b", "tags/a%00b"},
		{"tags/naïve 名前", "tags/naïve 名前"},
		{"my.type/x", "my%2Etype/x"},
		{"tags/" + strings.Repeat("a", 201), "tags/" + strings.Repeat("a", 200) + "%+/a"},
		{"tags/" + strings.Repeat("a", 199) + ":b", "tags/" + strings.Repeat("a", 199) + "%+/%3Ab"},
		{"tags/" + strings.Repeat("a", 199) + "éb", "tags/" + strings.Repeat("a", 199) + "%+/éb"},
	} {
		got, _, err := stem(c.path)
		if err != nil || got != c.stem {
			t.Errorf("%q: got %q, %v; want %q", c.path, got, err, c.stem)
		}
		file := c.stem + "/" + informationFile(c.path)
		if back, _, ok := resourcePath(file); !ok || back != c.path {
			t.Errorf("%q: back to %q, %v", file, back, ok)
		}
	}
}

// TestFileNamesAreOneToOne: every path comes back from its file, and every part of the name suits every file system.
func TestFileNamesAreOneToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		char := rapid.SampledFrom([]rune{'a', 'B', '.', ' ', '%', '+', ':', '\\', 'é', '名', 0, 0x7f, 'x', 'm', 'l', 'c', 'o', 'n', '1', 0x1f600})
		segment := rapid.OneOf(rapid.StringOfN(char, 1, 8, -1), rapid.StringOfN(char, 150, 260, -1))
		var parts []string
		for range rapid.IntRange(1, 3).Draw(t, "pairs") {
			parts = append(parts, rapid.StringOfN(char, 1, 8, -1).Draw(t, "type"), segment.Draw(t, "segment"))
		}
		path := strings.Join(parts, "/")
		files, err := encode(Resource{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		back, _, ok := resourcePath(files[0].name)
		if !ok || back != path {
			t.Fatalf("%q became %q became %q", path, files[0].name, back)
		}
		for _, p := range strings.Split(files[0].name, "/") {
			if p == "" || p == "." || p == ".." || len(p) > 240 || strings.ContainsAny(p, "\\<>:\"|?*\x00\x7f") || reserved(p) {
				t.Fatalf("%q has the part %q", files[0].name, p)
			}
		}
	})
}

func FuzzFileName(f *testing.F) {
	for _, s := range []string{"apis/a/apiInformation.json", "policies/policy.xml", "service.json", "tags/a%+/b/tagInformation.json", "policyFragments/x.json", "../x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, file string) {
		path, paired, ok := resourcePath(file)
		if !ok {
			return
		}
		r := Resource{Path: path}
		if paired {
			r.Properties = json.RawMessage(`{"format":"xml","value":""}`)
		}
		files, err := encode(r)
		if err != nil {
			t.Fatalf("%q stands for %q: %v", file, path, err)
		}
		for _, f := range files {
			if f.name == file {
				return
			}
		}
		t.Fatalf("%q stands for %q, whose files are %v", file, path, files)
	})
}

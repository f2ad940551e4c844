package markup

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func corpus(t testing.TB) []string {
	root := filepath.Join("..", "..", "..", "..", "shared", "corpus", "policies")
	if _, err := os.Stat(root); err != nil {
		t.Skip("the policy corpus is not beside this checkout")
	}
	var out []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// brokenAtSource are corpus files that no reader can read: see their text at the place of the error.
var brokenAtSource = map[string]string{
	"Call out to an HTTP endpoint and cache the response.policy.xml": `a formatter turned ContainsKey("latlong") into ContainsKey("latlong=""")`,
}

func TestCorpusReadWriteRead(t *testing.T) {
	read, broken := 0, 0
	for _, p := range corpus(t) {
		src, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Read(string(src))
		if err != nil {
			broken++
			t.Logf("%s: %v", p, err)
			if _, known := brokenAtSource[filepath.Base(p)]; !known {
				t.Errorf("%s cannot be read: %v", p, err)
			}
			continue
		}
		read++
		for _, f := range []Format{XML, RawXML} {
			out := d.Write(f)
			again, err := Read(out)
			if err != nil {
				t.Errorf("%s, format %d: reading what was written: %v\n%s", p, f, err, out)
				continue
			}
			if !Equal(d.Root, again.Root) {
				t.Errorf("%s, format %d: the tree changed\n%s", p, f, out)
			}
		}
	}
	t.Logf("%d files read, %d broken at their source", read, broken)
}

func FuzzReadWrite(f *testing.F) {
	for _, s := range []string{
		`<policies><inbound><base/></inbound></policies>`,
		`<a b="@(x["k"] < 1 && y)">@{ return "</a>"; }</a>`,
		`<a b='@(x[&quot;k&quot;])'> &lt; <!-- c --> t <?pi?>@(a)</a>`,
		`<set-body template="liquid"><s:E>{{ a }}</s:E></set-body>`,
		`<set-body><![CDATA[@{ return "a]"; }]]></set-body>`,
		"<a b=\"&#64;(\nx\">&#64;{</a>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		d, err := Read(src)
		if err != nil {
			return
		}
		for _, format := range []Format{XML, RawXML} {
			out := d.Write(format)
			again, err := Read(out)
			if err != nil {
				t.Fatalf("format %d: %v\n%q\nwritten\n%q", format, err, src, out)
			}
			if !Equal(d.Root, again.Root) {
				t.Fatalf("format %d: the tree changed\n%q\nwritten\n%q", format, src, out)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	src := `<policies><inbound><base /><set-header name="x" exists-action="override"><value>@(context.Request.Headers.GetValueOrDefault("a","") + "b")</value></set-header>` +
		strings.Repeat(`<choose><when condition="@(context.Response.StatusCode == 200 && x < 3)"><set-variable name="a" value="@{ return "c"; }" /></when></choose>`, 10) + `</inbound></policies>`
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, err := Read(src); err != nil {
			b.Fatal(err)
		}
	}
}

package liquid

import (
	"testing"
	"time"
)

func TestTemplates(t *testing.T) {
	e := New(Options{FormatDate: func(t time.Time, f string) (string, error) { return t.Format("2006") + "/" + f, nil }})
	body, err := JSON([]byte(`{"Name":"ann","n":3,"f":1.5,"list":[{"id":1},{"id":2}],"one":{"id":7},"when":"2020-03-22T10:00:00Z","nothing":null}`), true)
	if err != nil {
		t.Fatal(err)
	}
	soap, err := XML([]byte(`<s:Envelope xmlns:s="u" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body><GetResponse><Item>a</Item><Item>b</Item><Only>c</Only><None xsi:nil="true"/></GetResponse></s:Body></s:Envelope>`), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, want string }{
		{`{{body.name}} {{ body.Name | Upcase }}`, "ann ANN"},
		{`{{body.list[1].id}}`, "2"},
		{`{% JSONArrayFor x in body.list %}{"i":{{x.id}}}{% endJSONArrayFor %}`, `{"i":1},{"i":2}`},
		{`{% JSONArrayFor x in body.one %}{{x.id}}{% endJSONArrayFor %}`, `7`},
		{`[{% JSONArrayFor x in body.nothing %}{{x}}{% endJSONArrayFor %}]`, `[]`},
		{`{% JSONArrayFor x in xml.envelope.body.getResponse.item %}"{{x}}"{% endJSONArrayFor %}`, `"a","b"`},
		{`{{xml.envelope.body.getResponse.only}}|{{xml.envelope.body.getResponse.none}}`, `c|`},
		{`{% if body.n > 2 %}yes{% else %}no{% endif %}`, "yes"},
		{`{% if body.missing %}yes{% else %}no{% endif %}`, "no"},
		{`{{ body.missing | Default: "d" }}`, "d"},
		{`{{ "a.b" | Replace: "[.]", "-" }}`, "a-b"},
		{`{{ "(?<=a)b" | Size }}`, "7"},
		{`{{ "xabab" | Replace: "(?<=a)b", "!" }}`, "xa!a!"},
		{`{{ body.when }}`, "03/22/2020 10:00:00"},
		{`{{ body.when | Date: "yyyy" }}`, "2020/yyyy"},
		{`{{ 7 | DividedBy: 2 }} {{ 7 | Modulo: 4 }} {{ 1.5 | Plus: 2 }}`, "3 3 3.5"},
		{`{{ "a,b,,c" | Split: "," | Join: "+" }}`, "a+b+c"},
		{`{{ 1234.5 | Currency }}`, "¤1,234.50"},
		{`{{ "hello world" | Capitalize }}`, "Hello World"},
		{`{{ body.f | Round }} {{ -4 | Abs }} {{ 3 | AtLeast: 5 }} {{ 3 | AtMost: 2 }}`, "2 4 5 2"},
		{`{{ body.list | Map: "ID" | Join: ";" }}`, "1;2"},
		{`{{ "abcdef" | Truncate: 5 }} {{ "a b c" | TruncateWords: 2 }} {{ "abc" | Slice: 1, 2 }}`, "ab... a b... bc"},
		{`{{ "<b>x</b>" | StripHtml }}{{ "<" | Escape }}`, "x&lt;"},
		{`{{body.one}}`, ""},
	} {
		tpl, err := e.Parse(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		got, err := tpl.Render(map[string]any{"body": body, "xml": soap})
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		} else if string(got) != c.want {
			t.Errorf("%s gave %q, want %q", c.in, got, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	e := New(Options{})
	for _, src := range []string{`{% if a %}`, `{{ a | }`, `{% JSONArrayFor x in y %}`} {
		if _, err := e.Parse(src); err == nil {
			if tpl, _ := e.Parse(src); tpl != nil {
				if out, rerr := tpl.Render(nil); rerr == nil && src != `{{ a | }` {
					t.Errorf("%s gave %q and no error", src, out)
				}
			}
		}
	}
}

func FuzzRender(f *testing.F) {
	f.Add(`{% JSONArrayFor x in body %}{{x | Replace: "a", "b"}}{% endJSONArrayFor %}`, `{"a":[1,"2020-01-01T00:00:00Z"]}`)
	e := New(Options{})
	f.Fuzz(func(t *testing.T, src, body string) {
		if len(src) > 200 || len(body) > 200 {
			return
		}
		tpl, err := e.Parse(src)
		if err != nil {
			return
		}
		b, err := JSON([]byte(body), true)
		if err != nil {
			return
		}
		_, _ = tpl.Render(map[string]any{"body": b})
	})
}

package markup

import "testing"

func TestSubstitute(t *testing.T) {
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"n": "41", "long-name": "x", "expr": "@(1 + 2)", "Dot.Ted_1": "d"}[name]
		return v, ok
	}
	for _, c := range []struct {
		in, want string
		expr     bool
	}{
		{`<a b="{{n}}"/>`, "41", false},
		{`<a b="@(1 + {{n}})"/>`, "@(1 + 41)", true},
		{`<a b="{{expr}}"/>`, "@(1 + 2)", true},
		{`<a b="x{{expr}}"/>`, "x@(1 + 2)", false},
		{`<a b="{{none}} {{ n }}"/>`, "{{none}} 41", false},
		{`<a b="@($&quot;{{{n}}}&quot;)"/>`, `@($"{41}")`, true},
		{`<a b="{{long-name}}{{Dot.Ted_1}}"/>`, "xd", false},
		{`<a b="{{not a name}}"/>`, "{{not a name}}", false},
	} {
		d, err := Read(c.in)
		if err != nil {
			t.Fatal(err)
		}
		v := d.Root.Attrs[0].Value.Substitute(lookup)
		if v.Text != c.want || v.Expr != c.expr {
			t.Errorf("%s gave %q %v, want %q %v", c.in, v.Text, v.Expr, c.want, c.expr)
		}
	}
}

// Places in what was decoded and substituted are the places in the source.
func TestPlaces(t *testing.T) {
	d, err := Read("<a>\n <b c=\"@(&quot;é&quot; +\n  {{n}} + X)\"/>\n</a>")
	if err != nil {
		t.Fatal(err)
	}
	v := d.Root.Elements()[0].Attrs[0].Value.Substitute(func(string) (string, bool) { return "longer than its name", true })
	for text, want := range map[string]string{`@("`: "2:8", `"é`: "2:10", `longer`: "3:3", `than its`: "3:3", `+ X`: "3:9", `X)`: "3:11"} {
		i := index(v.Text, text)
		if got := v.At(i).String(); got != want {
			t.Errorf("%q stands at %s, want %s", text, got, want)
		}
	}
}

func index(s, sub string) int {
	for i := 0; i+len(sub) <= len(s); i++ {
		if s[i:i+len(sub)] == sub {
			return i
		}
	}
	return -1
}

func TestReadErrors(t *testing.T) {
	for in, want := range map[string]string{
		``:                          "line 1:1: the document has no element; it should begin with <policies> or <fragment>",
		`<a>`:                       "line 1:1: the element <a> is not closed",
		"<a>\n<b></a>":              "line 2:4: the end tag </a> does not match <b> of line 2:1",
		`<a b=c/>`:                  "line 1:6: the value of b is not in quotes",
		`<a b/>`:                    "line 1:4: the attribute b has no value; write b=\"...\"",
		`<a/><b/>`:                  "line 1:5: a second root element; put policies into one <policies> or <fragment>",
		`<!DOCTYPE a><a/>`:          "line 1:1: a document type declaration is not allowed in a policy document",
		`<a b="@(1) x"/>`:           "line 1:11: text follows the expression; a value is wholly an expression or wholly literal",
		`<a><!-- x </a>`:            "line 1:4: the comment is not closed; write -->",
		`<a><![CDATA[ x </a>`:       "line 1:4: the CDATA section is not closed; write ]]>",
		`<set-body><b></set-bodyx>`: "line 1:1: the element <set-body> is not closed",
	} {
		_, err := Read(in)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}

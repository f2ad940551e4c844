package csharp

import (
	"strings"
	"testing"
)

func TestScanExpression(t *testing.T) {
	for _, c := range []struct{ src, want string }{ // the expression is what stands before ¶
		{`@(1)¶ rest`, ""},
		{`@(f("a)\"b", ')', '\''))¶"`, ""},
		{`@(@"c:\" + @"say ""hi""")¶`, ""},
		{`@($"{x["a)"]}{{)" + $@"{(y ? "}" : "{")}\")¶`, ""},
		{`@($"{d:yyyy)MM}")¶`, ""},
		{`@{ // it's ) } here
			/* } */ return "}"; }¶ x`, ""},
		{`@(a &lt; b &amp;&amp; c == &quot;)&quot;)¶"`, ""},
		{`@(&quot;it&apos;s&quot; + "&quot;)")¶`, ""},
		{`@(x["k"] &amp;&amp; y == &#39;)&#39;)¶`, ""},
		{`@(a`, "the closing ) is missing"},
		{`@("a`, `the string is not closed by "`},
		{`@(a]`, "found ] where ) should close the expression"},
		{`@{ /* }`, "the comment is not closed by */"},
		{`x`, "an expression begins with @( or @{"},
	} {
		src := strings.Replace(c.src, "¶", "", 1)
		end, err := ScanExpression(src, 0)
		switch {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %s", src, err, c.want)
			}
		case err != nil || end != strings.Index(c.src, "¶"):
			t.Errorf("%s: ends at %d (%v), want %d", src, end, err, strings.Index(c.src, "¶"))
		}
	}
}

func TestErrorsHavePlaces(t *testing.T) {
	_, err := Compile("@{\n  var a = nope;\n  var b = alsoNope;\n  return 1;\n}", Options{})
	list, ok := err.(Errors)
	if !ok || len(list) != 2 || list[0].Line != 2 || list[0].Column != 11 || list[1].Line != 3 || list[1].Kind != "type" || list[1].Name != "alsoNope" {
		t.Errorf("got %#v", err)
	}
}

// TestParseAmbiguities settles what the C# specification settles: casts and type arguments.
func TestParseAmbiguities(t *testing.T) {
	for src, want := range map[string]exprKind{`@((X)+"s")`: xBinary, `@((X)-1)`: xBinary, `@((int)-1)`: xCast, `@((X)y)`: xCast, `@((X)(y))`: xCast, `@((X)"s")`: xCast,
		`@(a.As<T>(true))`: xCall, `@(a < b)`: xBinary, `@(a.B<C>.D)`: xMember, `@((string)a["x"])`: xCast, `@((a))`: xParen, `@(a ? b : c)`: xTernary, `@(x is T ? a : b)`: xTernary,
		`@(x => x)`: xLambda, `@((x, y) => x)`: xLambda, `@(a?.b?[c].d)`: xCond, `@(a >> 2)`: xBinary, `@((T?)a)`: xCast} {
		var errs Errors
		x, _ := parse(src, &errs)
		if x == nil || x.kind != want {
			t.Errorf("%s: %v, want kind %d, errors %v", src, x, want, errs)
		}
	}
}

func FuzzScanExpression(f *testing.F) {
	for _, s := range []string{`@(a)`, `@{ return $"{a:x}"; }`, `@(&quot;a&quot;)`, `@(@"a""b" + 'c')`, `@($@"{x["y"]}")`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		end, err := ScanExpression(src, 0)
		if err == nil && (end < 3 || end > len(src)) {
			t.Errorf("end %d of %d", end, len(src))
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{`@(1 + 2)`, `@{ var a = new[] { 1 }; return a[0]; }`, `@((x) => y)`, `@($"{1,2:x}")`, `@(a?.b ?? c as d)`, `@{ for (int i = 0; i < 3; i++) { } return 1; }`,
		`@{ try { throw new Exception(); } catch (Exception e) when (e != null) { return 1; } finally { } }`, `@{ int F(int n) => n; return F(1); }`, `@{ switch (1) { case 1: return 2; default: return 3; } }`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		p, err := Compile(src, Options{})
		if err != nil {
			if list, ok := err.(Errors); !ok || len(list) == 0 {
				t.Errorf("not a list of errors: %v", err)
			}
			return
		}
		_, _ = p.Run(&Env{Limits: Limits{Steps: 10_000, Memory: 1 << 20}})
	})
}

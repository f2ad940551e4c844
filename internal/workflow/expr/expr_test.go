package expr

import (
	"bufio"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"tandem"
	"tandem/internal/workflow/value"
)

func testEnv() *Env {
	return &Env{
		Now:  func() time.Time { return time.Date(2026, 11, 22, 15, 30, 0, 0, time.UTC) },
		GUID: func() string { return "c2ecc88d-88c8-4096-912c-d6f2e2b138ce" },
		Rand: func(n int64) int64 { return n - 1 },
	}
}

// TestFunctions evaluates every line of testdata/functions.txt: the examples of the function reference and their edges.
func TestFunctions(t *testing.T) {
	f, err := os.Open("testdata/functions.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	used := map[string]bool{}
	in := bufio.NewScanner(f)
	for n := 1; in.Scan(); n++ {
		line := in.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		text, want, ok := strings.Cut(line, " => ")
		if !ok {
			t.Fatalf("line %d has no arrow", n)
		}
		tmpl, err := Compile(text)
		if err != nil {
			t.Errorf("line %d: %v", n, err)
			continue
		}
		for _, c := range tmpl.Calls() {
			used[c.Name] = true
		}
		got, err := tmpl.Eval(testEnv())
		if message, failing := strings.CutPrefix(want, "error: "); failing {
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), message) {
				t.Errorf("line %d: %s: error is %v, want one with %q", n, text, err, message)
			}
			continue
		}
		if err != nil {
			t.Errorf("line %d: %v", n, err)
		} else if s := string(value.Encode(got)); s != want {
			t.Errorf("line %d: %s = %s, want %s", n, text, s, want)
		}
	}
	for _, name := range References() {
		used[name] = true
	}
	for _, name := range Functions() {
		if !used[name] {
			t.Errorf("no line of testdata/functions.txt uses %s()", name)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"@foo()":                               `"foo" is not known`,
		"@conct('a')":                          "did you mean concat()?",
		"@length()":                            "takes 1 argument(s), not 0",
		"@add(1)":                              "takes 2 argument(s), not 1",
		"@add(1,2,3)":                          "not 3",
		"@concat('a'":                          "do not end here",
		"@concat('a)":                          "does not end",
		"@body('x')[":                          "expression is missing",
		"@body('x')?":                          `must be followed by`,
		"@body('x') tail":                      "nothing may follow",
		"x@{body('x')":                         "does not end here",
		`@concat("a")`:                         "single quotes",
		"@abc":                                 "neither a function call nor a literal",
		"@":                                    "expression is missing",
		"@12x":                                 "nothing may follow",
		"@formatDateTime('x', 'q')":            "no standard format",
		"@formatDateTime('x', 'd', 'de-DE')":   "locale",
		"@convertFromUtc(utcNow(), 'Marsian')": "find time zone",
		"@xpath('<a/>', '/a[')":                "XPath",
		"@addToTime(utcNow(), 1, 'Fortnight')": "no time unit",
		"@" + strings.Repeat("not(", 200) + "true" + strings.Repeat(")", 200): "nests deeper",
	} {
		_, err := Compile(text)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) || !errors.Is(err, tandem.Invalid) {
			t.Errorf("%s: error is %v, want one with %q", text, err, want)
		}
	}
}

func TestErrorsTellThePlace(t *testing.T) {
	_, err := Compile("abc @{concat('x', nope())}")
	var e *Error
	if !errors.As(err, &e) || e.Offset != 18 || e.Code != CodeTemplate {
		t.Fatalf("got %#v", err)
	}
	tmpl, err := Compile("@concat('x', string(div(1, 0)))")
	if err != nil {
		t.Fatal(err)
	}
	_, err = tmpl.Eval(testEnv())
	if !errors.As(err, &e) || e.Offset != 20 || e.Code != CodeEvaluation || e.Expression == "" {
		t.Fatalf("got %#v", err)
	}
}

func TestCompileValue(t *testing.T) {
	v, err := value.Decode([]byte(`{"a":"@add(1,1)","b":["x",{"@{toLower('KEY')}":"@@at"}],"c":{},"d":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	n, problems := CompileValue(v)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got, err := n.Eval(testEnv())
	if err != nil {
		t.Fatal(err)
	}
	if s := string(value.Encode(got)); s != `{"a":2,"b":["x",{"key":"@at"}],"c":{},"d":[]}` {
		t.Error(s)
	}
	v, _ = value.Decode([]byte(`{"headers":{"content-type":["@bad()"],"x y":"@"}}`))
	_, problems = CompileValue(v)
	if len(problems) != 2 || problems[0].Path != "headers.content-type[0]" || problems[1].Path != "headers['x y']" {
		t.Errorf("%v", problems)
	}
}

// FuzzExpression: whatever is compiled and evaluated, nothing panics, and all errors are typed.
func FuzzExpression(f *testing.F) {
	file, err := os.ReadFile("testdata/functions.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		text, _, _ := strings.Cut(line, " => ")
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "range") && len(text) > 200 {
			return
		}
		var e *Error
		tmpl, err := Compile(text)
		if err != nil {
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		v, err := tmpl.Eval(testEnv())
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		if _, err := value.Decode(value.Encode(v)); err != nil {
			t.Fatalf("%q gives %q, which is no JSON: %v", text, value.Encode(v), err)
		}
	})
}

package dotnet

import (
	"sync"
	"time"

	"github.com/dlclark/regexp2"

	"tandem/internal/csharp"
)

// regex is a Regex. Groups and matches are regexp2's, which follows .NET's engine.
type regex struct {
	pattern string
	re      *regexp2.Regexp
}

// NetString implements csharp.Texter.
func (r *regex) NetString() string { return r.pattern }

type match struct {
	re *regex
	m  *regexp2.Match
	in []rune
}

// NetString implements csharp.Texter.
func (m *match) NetString() string {
	if m.m == nil {
		return ""
	}
	return m.m.String()
}

type regexGroup struct{ g *regexp2.Group }

// NetString implements csharp.Texter.
func (g *regexGroup) NetString() string {
	if g.g == nil {
		return ""
	}
	return g.g.String()
}

type capture struct{ c regexp2.Capture }

// NetString implements csharp.Texter.
func (c *capture) NetString() string { return c.c.String() }

// patterns keeps compiled patterns, as .NET does for the static methods. It belongs to one library.
type patterns struct {
	mu  sync.Mutex
	all map[patternKey]*regexp2.Regexp
}

type patternKey struct {
	pattern string
	options int
	limit   time.Duration
}

const keptPatterns = 500

// compile makes a Regex. A match may take the given time, and no more than a whole run may.
func (c *patterns) compile(m *mach, pattern val, options int, limit time.Duration) *regex {
	p := needString(pattern, "pattern")
	m.Steps(16)
	if most := m.TimeLimit(); limit <= 0 || limit > most {
		limit = most
	}
	key := patternKey{p, options, limit}
	c.mu.Lock()
	re := c.all[key]
	c.mu.Unlock()
	if re != nil {
		return &regex{p, re}
	}
	m.Charge(len(p) * 20)
	var o regexp2.RegexOptions
	for bit, flag := range map[int]regexp2.RegexOptions{1: regexp2.IgnoreCase, 2: regexp2.Multiline, 4: regexp2.ExplicitCapture, 16: regexp2.Singleline,
		32: regexp2.IgnorePatternWhitespace, 64: regexp2.RightToLeft, 256: regexp2.ECMAScript} {
		if options&bit != 0 {
			o |= flag
		}
	}
	re, err := regexp2.Compile(p, o)
	if err != nil {
		csharp.Throw("ArgumentException", "Invalid pattern '"+p+"': "+err.Error()+".")
	}
	re.MatchTimeout = limit
	c.mu.Lock()
	if len(c.all) >= keptPatterns {
		clear(c.all)
	}
	c.all[key] = re
	c.mu.Unlock()
	return &regex{p, re}
}

// arm counts a match as work.
func (r *regex) arm(m *mach) *regexp2.Regexp {
	m.Steps(16)
	return r.re
}

func timedOut(err error) {
	if err != nil {
		csharp.Throw("System.Text.RegularExpressions.RegexMatchTimeoutException",
			"The Regex engine has timed out while trying to match a pattern to an input string. This can occur for many reasons, including very large inputs or excessive backtracking caused by nested quantifiers, back-references and other factors.")
	}
}

func (r *regex) match(m *mach, s val, from int) *match {
	in := []rune(needString(s, "input"))
	m.Charge(4 * len(in))
	checkRange(from, len(in), "startat")
	found, err := r.arm(m).FindRunesMatchStartingAt(in, from)
	timedOut(err)
	return &match{r, found, in}
}

func (r *regex) all(m *mach, s val) []val {
	var out []val
	cur := r.match(m, s, 0)
	for cur.m != nil {
		m.Step()
		m.Charge(200)
		out = append(out, ref(cur))
		next, err := r.arm(m).FindNextMatch(cur.m)
		timedOut(err)
		cur = &match{r, next, cur.in}
	}
	return out
}

func (r *regex) split(m *mach, s val) val {
	var out []string
	in := []rune(needString(s, "input"))
	at := 0
	for _, v := range r.all(m, s) {
		x := v.R.(*match).m
		out = append(out, string(in[at:x.Index]))
		for _, g := range x.Groups()[1:] {
			if len(g.Captures) > 0 {
				out = append(out, g.String())
			}
		}
		at = x.Index + x.Length
	}
	return csharp.Strings(append(out, string(in[at:])))
}

func regexTypes() []def {
	kept := &patterns{all: map[patternKey]*regexp2.Regexp{}}
	span := func(v val) time.Duration {
		if int64(v.N) <= 0 {
			return 0 // InfiniteMatchTimeout is -1 ms; the run's own limit remains
		}
		return time.Duration(v.N) * 100
	}
	replaced := func(m *mach, r *regex, in, with val, count int) val {
		s, err := r.arm(m).Replace(needString(in, "input"), needString(with, "replacement"), -1, count)
		timedOut(err)
		m.Charge(len(s))
		return str(s)
	}
	evaluated := func(m *mach, r *regex, in, fn val) val {
		s, err := r.arm(m).ReplaceFunc(needString(in, "input"), func(x regexp2.Match) string {
			t := m.Call1(fn, ref(&match{r, &x, []rune(in.S)})).S
			m.Charge(len(t))
			return t
		}, -1, -1)
		timedOut(err)
		return str(s)
	}
	me := self[*regex]
	ops := []struct {
		ret, name, extra string
		fn               func(m *mach, r *regex, in, extra val) val
	}{
		{"bool", "IsMatch", "", func(m *mach, r *regex, in, _ val) val {
			ok, err := r.arm(m).MatchString(needString(in, "input"))
			timedOut(err)
			return yes(ok)
		}},
		{"Match", "Match", "", func(m *mach, r *regex, in, _ val) val { return ref(r.match(m, in, 0)) }},
		{"MatchCollection", "Matches", "", func(m *mach, r *regex, in, _ val) val { return ref(&group{items: r.all(m, in)}) }},
		{"string[]", "Split", "", func(m *mach, r *regex, in, _ val) val { return r.split(m, in) }},
		{"string", "Replace", ", string replacement", func(m *mach, r *regex, in, with val) val { return replaced(m, r, in, with, -1) }},
		{"string", "Replace", ", MatchEvaluator evaluator", func(m *mach, r *regex, in, fn val) val { return evaluated(m, r, in, fn) }},
	}
	rows := []member{
		f("new(string pattern)", func(m *mach, a []val) val { return ref(kept.compile(m, a[0], 0, 0)) }),
		f("new(string pattern, RegexOptions options)", func(m *mach, a []val) val { return ref(kept.compile(m, a[0], a[1].Int(), 0)) }),
		f("new(string pattern, RegexOptions options, TimeSpan matchTimeout)", func(m *mach, a []val) val {
			return ref(kept.compile(m, a[0], a[1].Int(), span(a[2])))
		}),
		f("static string Escape(string str)", pure(func(a []val) val { return str(regexp2.Escape(needString(a[0], "str"))) })),
		f("static string Unescape(string str)", pure(func(a []val) val {
			s, err := regexp2.Unescape(needString(a[0], "str"))
			if err != nil {
				csharp.Throw("ArgumentException", err.Error())
			}
			return str(s)
		})),
		f("static TimeSpan InfiniteMatchTimeout", pure(func([]val) val { return csharp.Long(-10_000) })),
		f("string Replace(string input, string replacement, int count)", func(m *mach, a []val) val { return replaced(m, me(a), a[1], a[2], a[3].Int()) }),
		f("Match Match(string input, int startat)", func(m *mach, a []val) val { return ref(me(a).match(m, a[1], a[2].Int())) }),
		f("string ToString()", pure(func(a []val) val { return str(me(a).pattern) })),
	}
	for _, op := range ops {
		n := 0
		if op.extra != "" {
			n = 1
		}
		rows = append(rows, f(op.ret+" "+op.name+"(string input"+op.extra+")", func(m *mach, a []val) val { return op.fn(m, me(a), a[1], a[1+n]) }))
		for k, tail := range []string{"", ", RegexOptions options", ", RegexOptions options, TimeSpan matchTimeout"} {
			rows = append(rows, f("static "+op.ret+" "+op.name+"(string input, string pattern"+op.extra+tail+")", func(m *mach, a []val) val {
				options, limit := 0, time.Duration(0)
				if k > 0 {
					options = a[2+n].Int()
				}
				if k > 1 {
					limit = span(a[3+n])
				}
				return op.fn(m, kept.compile(m, a[1], options, limit), a[0], a[1+n])
			}))
		}
	}
	grp := func(g *regexp2.Group) val { return ref(&regexGroup{g}) }
	have := func(g *regexp2.Group) bool { return g != nil && len(g.Captures) > 0 }
	gm := func(a []val) *regexp2.Group {
		switch x := a[0].R.(type) {
		case *match:
			if x.m == nil {
				return nil
			}
			return &x.m.Group
		case *regexGroup:
			return x.g
		}
		return nil
	}
	cap := func(a []val) regexp2.Capture {
		switch x := a[0].R.(type) {
		case *capture:
			return x.c
		default:
			if g := gm(a); g != nil {
				return g.Capture
			}
		}
		return regexp2.Capture{}
	}
	groups := func(v val) []regexp2.Group {
		x := v.R.(*match)
		if x.m == nil {
			return nil
		}
		return x.m.Groups()
	}
	isGroup := func(r any) bool { return is[*regexGroup](r) || is[*match](r) }
	return []def{
		{Decl: "delegate string MatchEvaluator(Match match)", Namespace: regexNS},
		{Decl: "flags enum RegexOptions", Namespace: regexNS, Values: []string{"None", "IgnoreCase", "Multiline", "ExplicitCapture=4", "Compiled=8", "Singleline=16",
			"IgnorePatternWhitespace=32", "RightToLeft=64", "ECMAScript=256", "CultureInvariant=512"}},
		{Decl: "class Regex", Namespace: regexNS, Is: is[*regex], Members: rows},
		{Decl: "class Capture", Namespace: regexNS, Is: func(r any) bool { return isGroup(r) || is[*capture](r) }, Members: []member{
			f("int Index", pure(func(a []val) val { return num(cap(a).Index) })),
			f("int Length", pure(func(a []val) val { return num(cap(a).Length) })),
			f("string Value", pure(func(a []val) val { return str(csharp.ObjectText(a[0].R)) })),
			f("string ToString()", pure(func(a []val) val { return str(csharp.ObjectText(a[0].R)) })),
		}},
		{Decl: "class Group : Capture", Namespace: regexNS, Is: isGroup, Members: []member{
			f("bool Success", pure(func(a []val) val { return yes(have(gm(a))) })),
			f("string Name", pure(func(a []val) val {
				if g := gm(a); g != nil {
					return str(g.Name)
				}
				return str("")
			})),
			f("CaptureCollection Captures", pure(func(a []val) val {
				out := &group{}
				if g := gm(a); g != nil {
					for _, c := range g.Captures {
						out.items = append(out.items, ref(&capture{c}))
					}
				}
				return ref(out)
			})),
		}},
		{Decl: "class Match : Group", Namespace: regexNS, Is: is[*match], Members: []member{
			f("static Match Empty", pure(func([]val) val { return ref(&match{}) })),
			f("GroupCollection Groups", pure(func(a []val) val { return ref(&groupList{a[0].R.(*match), groups(a[0])}) })),
			f("Match NextMatch()", func(m *mach, a []val) val {
				x := a[0].R.(*match)
				if x.m == nil {
					return a[0]
				}
				next, err := x.re.arm(m).FindNextMatch(x.m)
				timedOut(err)
				return ref(&match{x.re, next, x.in})
			}),
			f("string Result(string replacement)", func(m *mach, a []val) val {
				x := a[0].R.(*match)
				if x.m == nil {
					csharp.Throw("NotSupportedException", "Result cannot be called on a failed Match.")
				}
				s, err := x.re.arm(m).Replace(string(x.in), needString(a[1], "replacement"), x.m.Index, 1)
				timedOut(err)
				r := []rune(s)
				return str(string(r[x.m.Index : len(r)-(len(x.in)-x.m.Index-x.m.Length)]))
			}),
		}},
		{Decl: "class MatchCollection : IEnumerable<Match>", Namespace: regexNS, Is: is[*group], Members: itemMembers("Match")},
		{Decl: "class CaptureCollection : IEnumerable<Capture>", Namespace: regexNS, Is: is[*group], Members: itemMembers("Capture")},
		{Decl: "class GroupCollection : IEnumerable<Group>", Namespace: regexNS, Is: is[*groupList], Members: []member{
			f("int Count", pure(func(a []val) val { return num(max(1, len(a[0].R.(*groupList).groups))) })),
			f("Group this[int groupnum]", pure(func(a []val) val {
				gs := a[0].R.(*groupList).groups
				if i := a[1].Int(); i >= 0 && i < len(gs) {
					return grp(&gs[i])
				}
				return grp(nil)
			})),
			f("Group this[string groupname]", pure(func(a []val) val {
				gs := a[0].R.(*groupList).groups
				for i := range gs {
					if gs[i].Name == a[1].S {
						return grp(&gs[i])
					}
				}
				return grp(nil)
			})),
		}},
	}
}

const regexNS = "System.Text.RegularExpressions"

type groupList struct {
	m      *match
	groups []regexp2.Group
}

// Iter implements csharp.Seq.
func (g *groupList) Iter(*mach) func() (val, bool) {
	i := 0
	return func() (val, bool) {
		if i >= len(g.groups) {
			return val{}, false
		}
		i++
		return ref(&regexGroup{&g.groups[i-1]}), true
	}
}

func itemMembers(elem string) []member {
	return []member{
		f("int Count", pure(func(a []val) val { return num(len(a[0].R.(*group).items)) })),
		f(elem+" this[int i]", pure(func(a []val) val {
			all := a[0].R.(*group).items
			if i := a[1].Int(); i < 0 || i >= len(all) {
				outOfRange()
			}
			return all[a[1].Int()]
		})),
	}
}

package markup

import (
	"sort"
	"strings"

	"tandem/internal/csharp"
)

// Substitute replaces each {{name}} for which lookup knows a value, as Azure does: textually and before the text means
// anything. Other double braces (Liquid, C# escapes) stay. A literal that becomes an expression is one from then on.
// Places inside what was put in are the place of its braces.
func (v Value) Substitute(lookup func(name string) (string, bool)) Value {
	if lookup == nil || !strings.Contains(v.Text, "{{") {
		return v
	}
	var b strings.Builder
	var marks []mark
	from := 0
	for i := 0; ; {
		n := strings.Index(v.Text[i:], "{{")
		if n < 0 {
			break
		}
		open := i + n
		name, end := namedValue(v.Text[open:])
		value, ok := "", false
		if name != "" {
			value, ok = lookup(name)
		}
		if !ok {
			i = open + 1
			continue
		}
		v.copyMarks(&marks, from, open, b.Len())
		b.WriteString(v.Text[from:open])
		marks = append(marks, mark{text: b.Len(), src: v.sourceAt(open), flat: true})
		b.WriteString(value)
		from = open + end
		i = from
		marks = append(marks, mark{text: b.Len(), src: v.sourceAt(from)})
	}
	if from == 0 {
		return v
	}
	v.copyMarks(&marks, from, len(v.Text), b.Len())
	b.WriteString(v.Text[from:])
	v.Text, v.marks, v.Substituted = b.String(), marks, true
	if !v.Expr && v.Form != Raw {
		if skip, ok := opensExpression(v.Text); ok {
			if end, err := csharp.ScanExpression(v.Text, skip); err == nil && blank(v.Text[end:]) {
				v.Text, v.Expr = v.Text[skip:end], true
				for i := range v.marks {
					v.marks[i].text -= skip
				}
			}
		}
	}
	return v
}

// Foreign tells whether a word of a message about Text[i] may come from a named value, which can be a secret: it stands
// in what was put in, or it is nowhere in the document.
func (v Value) Foreign(word string, i int) bool {
	if !v.Substituted {
		return false
	}
	n := sort.Search(len(v.marks), func(k int) bool { return v.marks[k].text > i })
	return n > 0 && v.marks[n-1].flat || v.doc != nil && !strings.Contains(v.doc.src, word)
}

func (v Value) sourceAt(i int) int { return sourceOf(v.marks, v.Pos.Offset, i) }

// copyMarks carries the marks of v.Text[from:to] over to a text in which it stands at offset at.
func (v Value) copyMarks(marks *[]mark, from, to, at int) {
	*marks = append(*marks, mark{text: at, src: v.sourceAt(from)})
	for _, m := range v.marks {
		if m.text > from && m.text < to {
			*marks = append(*marks, mark{m.text - from + at, m.src, m.flat})
		}
	}
}

// namedValue reads "{{name}}" at the start of s: the name and the length of the whole; "" where there is none.
func namedValue(s string) (string, int) {
	end := strings.Index(s, "}}")
	if end < 0 {
		return "", 0
	}
	name := strings.Trim(s[2:end], " \t")
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '-', c == '_', c == '.', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		default:
			return "", 0
		}
	}
	return name, end + 2
}

// NamedValues calls use for the name in each {{name}} of the text that could be a named value.
func (v Value) NamedValues(use func(name string, at Pos)) {
	for i := 0; ; {
		n := strings.Index(v.Text[i:], "{{")
		if n < 0 {
			return
		}
		i += n
		if name, end := namedValue(v.Text[i:]); name != "" {
			use(name, v.At(i))
			i += end
		} else {
			i++
		}
	}
}

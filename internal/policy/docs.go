package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Docs writes docs/policies.md from the table: every policy, its attributes and elements, and whether it is run.
func Docs() string {
	var b strings.Builder
	b.WriteString("# Policies\n\nGenerated from the table of policies; do not edit. `!` marks what is required, `*` what may be repeated; \"literal\" attributes take no expression in Azure.\nEvery policy also takes `id`.\n")
	var categories []string
	for _, p := range table {
		if !slices.Contains(categories, p.Category) {
			categories = append(categories, p.Category)
		}
	}
	slices.Sort(categories)
	fmt.Fprintf(&b, "\n%d policies; %d are refused when a document is loaded, with the reason given here.\n", len(table), refused())
	for _, c := range categories {
		fmt.Fprintf(&b, "\n## %s\n", c)
		for _, p := range table {
			if p.Category == c {
				p.doc(&b)
			}
		}
	}
	return b.String()
}

func refused() int {
	n := 0
	for _, p := range table {
		if p.Refused != "" {
			n++
		}
	}
	return n
}

func (p *Policy) doc(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n%s.\n\n", p.Name, strings.ToUpper(p.Does[:1])+p.Does[1:])
	switch {
	case p.Refused != "":
		fmt.Fprintf(b, "- **Not run**: %s.\n", p.Refused)
	case p.Needs != "":
		fmt.Fprintf(b, "- Supported where the gateway has %s.\n", p.Needs)
	default:
		b.WriteString("- Supported.\n")
	}
	fmt.Fprintf(b, "- Sections: %s. Scopes: %s.\n", words(p.Sections), words(p.Scopes))
	if len(p.Attrs) > 0 {
		b.WriteString("\n| attribute | values | default |\n|---|---|---|\n")
		for _, a := range p.Attrs {
			a.doc(b)
		}
	}
	if len(p.Children) > 0 {
		b.WriteString("\nElements:\n\n")
		for _, c := range p.Children {
			c.doc(b, "")
		}
	}
	if p.Body == Policies {
		b.WriteString("\nHolds policies.\n")
	}
	if len(p.Nested) > 0 {
		fmt.Fprintf(b, "\nHolds: %s.\n", strings.Join(p.Nested, ", "))
	}
}

func words[T ~string](list []T) string {
	if len(list) == 0 {
		return "all"
	}
	var out []string
	for _, x := range list {
		out = append(out, string(x))
	}
	return strings.Join(out, ", ")
}

func (a Attribute) mark() string {
	s := "`" + a.Name + "`"
	if a.Required {
		s += "!"
	}
	if a.OneOf != "" {
		s += " (one of " + a.OneOf + ")"
	}
	if a.Literal {
		s += " literal"
	}
	return s
}

func (a Attribute) doc(b *strings.Builder) {
	values := strings.Join(a.Values, ", ")
	if values == "" {
		values = "any"
	}
	fmt.Fprintf(b, "| %s | %s | %s |\n", a.mark(), values, a.Default)
}

func (c Child) doc(b *strings.Builder, indent string) {
	s := "`<" + c.Name + ">`"
	if c.Required {
		s += "!"
	}
	if c.Many {
		s += "*"
	}
	var attrs []string
	for _, a := range c.Attrs {
		attrs = append(attrs, a.mark())
	}
	if len(attrs) > 0 {
		s += " with " + strings.Join(attrs, ", ")
	}
	if c.AnyNest {
		s += ", holding policies"
	}
	fmt.Fprintf(b, "%s- %s\n", indent, s)
	for _, k := range c.Children {
		k.doc(b, indent+"  ")
	}
}

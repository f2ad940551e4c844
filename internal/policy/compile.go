package policy

import (
	"slices"
	"strconv"
	"strings"

	"tandem/internal/policy/markup"
)

// Source is one policy document.
type Source struct {
	Name  string // of the file or resource, for problems
	Scope Scope
	Text  string
}

// Options say against what documents are compiled.
type Options struct {
	Host *Host
	// NamedValue gives the value of {{name}}; what it does not know stays as it is.
	NamedValue func(name string) (string, bool)
	// Fragment gives a policy fragment by its id.
	Fragment func(id string) (Source, bool)
	// Presume takes named values, fragments and parts that are not known as given: for checking a file by itself.
	Presume bool
}

// compiler compiles one document and the fragments that it includes.
type compiler struct {
	opts     Options
	host     *Host
	table    map[string]*Policy
	file     string
	scope    Scope
	section  Section
	inside   []string // names of the policies around the current one
	path     string   // of the policy being compiled
	open     []string // fragments being included
	problems Problems
	used     map[string]bool // policies met
	exprs    int
	included int
}

// step is one compiled policy in its place.
type step struct {
	name  string
	path  string
	id    string
	scope Scope
	line  int
	store bool // is, or holds, a cache-store
	base  bool // stands for the outer scope's steps
	run   runFunc
}

func newCompiler(o Options, src Source) *compiler {
	h := o.Host
	if h == nil {
		h = &Host{}
	}
	return &compiler{opts: o, host: h, table: byName, file: src.Name, scope: src.Scope, used: map[string]bool{}}
}

// steps compiles the policies among the children of n. path is n's own, "" for a section.
func (c *compiler) steps(n *markup.Node, path string) []step {
	elements := n.Elements()
	out := make([]step, 0, len(elements))
	for i, e := range elements {
		out = append(out, c.child(e, childPath(path, elements, i))...)
	}
	for _, k := range n.Children {
		if k.Kind == markup.Text && strings.TrimSpace(k.Value.Text) != "" {
			c.report(Error, k.Pos, KindElement, n.Name, "<%s> takes policies, not text", n.Name)
		}
	}
	return out
}

// childPath names the i-th of elements as LastError.Path does: with its number where there are several of the name.
func childPath(path string, elements []*markup.Node, i int) string {
	nth, all := 0, 0
	for k, e := range elements {
		if e.Name == elements[i].Name {
			all++
			if k <= i {
				nth++
			}
		}
	}
	name := elements[i].Name
	if all > 1 {
		name += "[" + strconv.Itoa(nth) + "]"
	}
	if path == "" {
		return name
	}
	return path + "/" + name
}

// child compiles one element that stands where a policy may.
func (c *compiler) child(n *markup.Node, path string) []step {
	p := c.table[n.Name]
	if p == nil {
		if n.Name == "base" && len(c.inside) == 0 && len(c.open) == 0 {
			return []step{{name: "base", base: true}}
		}
		c.report(Error, n.Pos, KindPolicy, n.Name, "%s", c.unknown(n.Name))
		return nil
	}
	c.used[p.Name] = true
	c.place(p, n)
	if p.Refused == "" {
		c.checkNode(n, p.Name, p.Attrs, p.Children, p.Body, p.Nested)
	}
	switch {
	case p.Refused != "":
		c.report(Error, n.Pos, KindPolicy, p.Name, "%s cannot be run: %s", p.Name, p.Refused)
		return nil
	case n.Name == "include-fragment":
		return c.includeFragment(n, path)
	}
	if p.Needs != "" && !c.opts.Presume && !c.hasPart(p.Needs) {
		c.report(Error, n.Pos, KindPart, p.Name, "%s needs %s, which this gateway does not have; configure it or remove the policy", p.Name, p.Needs)
	}
	c.inside = append(c.inside, p.Name)
	run := c.compileAt(p, n, path)
	c.inside = c.inside[:len(c.inside)-1]
	if run == nil {
		return nil
	}
	st := step{name: p.Name, path: path, scope: c.scope, line: n.Pos.Line, run: run, store: holdsStore(n)}
	if a, ok := n.Attr("id"); ok {
		st.id = c.value(a.Value).Text
	}
	return []step{st}
}

func (c *compiler) compileAt(p *Policy, n *markup.Node, path string) runFunc {
	outer := c.path
	c.path = path
	defer func() { c.path = outer }()
	return p.compile(c, n)
}

func holdsStore(n *markup.Node) bool {
	if strings.HasSuffix(n.Name, "cache-store") && n.Kind == markup.Element {
		return true
	}
	return slices.ContainsFunc(n.Children, holdsStore)
}

func (c *compiler) unknown(name string) string {
	if name == "base" {
		return "<base /> stands only directly in a section of a policy document"
	}
	best, least := "", 4
	for _, p := range sortedNames(c.table) {
		if d := distance(name, p); d < least {
			best, least = p, d
		}
	}
	if best != "" {
		return "there is no policy " + name + "; did you mean " + best + "?"
	}
	return "there is no policy " + name
}

func sortedNames(m map[string]*Policy) []string {
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// distance is the number of edits between two names, for "did you mean".
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diag, row[j] = row[j], min(row[j]+1, row[j-1]+1, diag+cost)
		}
	}
	return row[len(b)]
}

// place warns where Azure's documentation does not list the section or the scope. Published samples of Microsoft's do
// not keep to the lists, and the service runs them; so does Tandem.
func (c *compiler) place(p *Policy, n *markup.Node) {
	if c.section != "" && len(p.Sections) > 0 && !slices.Contains(p.Sections, c.section) {
		c.report(Warning, n.Pos, KindSection, p.Name, "%s is not documented for the section %s", p.Name, c.section)
	}
	if c.scope != "" && len(p.Scopes) > 0 && !slices.Contains(p.Scopes, c.scope) {
		c.report(Warning, n.Pos, KindScope, p.Name, "%s is not documented for the scope %s", p.Name, c.scope)
	}
}

// maxIncludes bounds what fragments that include each other can grow to.
const maxIncludes = 1000

// includeFragment compiles a fragment's policies in the place of the include.
func (c *compiler) includeFragment(n *markup.Node, path string) []step {
	id := strings.TrimSpace(c.attrText(n, "fragment-id"))
	if slices.Contains(c.open, id) {
		c.report(Error, n.Pos, KindFragment, id, "the fragment %s includes itself", id)
		return nil
	}
	if c.included++; c.included > maxIncludes {
		c.report(Error, n.Pos, KindFragment, id, "the document includes more than %d fragments, counting those that fragments include", maxIncludes)
		return nil
	}
	var src Source
	ok := false
	if c.opts.Fragment != nil {
		src, ok = c.opts.Fragment(id)
	}
	if !ok {
		if !c.opts.Presume {
			c.report(Error, n.Pos, KindFragment, id, "there is no policy fragment %s; create it or remove the include", id)
		}
		return nil
	}
	file := c.file
	c.file = src.Name
	c.open = append(c.open, id)
	defer func() { c.file, c.open = file, c.open[:len(c.open)-1] }()
	d, err := markup.Read(src.Text)
	if err != nil {
		c.unreadable(err)
		return nil
	}
	return c.steps(d.Root, path)
}

func (c *compiler) unreadable(err error) {
	pos := markup.Pos{Line: 1, Column: 1}
	msg := err.Error()
	if e, ok := err.(*markup.Error); ok {
		pos, msg = e.Pos, e.Message
	}
	c.report(Error, pos, KindDocument, "", "%s", msg)
}

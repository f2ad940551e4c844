// Package markup reads and writes policy documents. They look like XML and often are not: people put quotes, "<", "&&"
// and comments into C# expressions as they would in C#. So the reader finds an expression first, up to its balanced
// closer, and only then looks at tags; it decodes entities inside expressions, since others write those; it keeps line
// breaks, since a "//" comment ends at one; and it keeps the place of every node for messages.
package markup

import (
	"fmt"
	"sort"
	"unicode/utf8"
)

// Kind tells the kinds of node apart.
type Kind uint8

// The kinds of node.
const (
	Element Kind = iota
	Text
	Comment
)

// Pos is a place in a document.
type Pos struct {
	Offset int // bytes from the start of the source
	Line   int // from 1
	Column int // from 1, in characters
}

// String writes "line:column".
func (p Pos) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// Document is one policy document: <policies>, <fragment> or a single policy, with the comments around it.
type Document struct {
	Before []*Node // comments before the root
	Root   *Node
	After  []*Node // comments after the root
	lines  []int   // offsets at which lines begin
	src    string
}

// Node is an element, a text or a comment. Text between elements that is only white space is not kept.
type Node struct {
	Kind     Kind
	Name     string // of an element, as written
	Attrs    []Attr
	Children []*Node
	Value    Value // of a text or a comment
	Pos      Pos
}

// Attr is one attribute.
type Attr struct {
	Name  string
	Value Value
	Pos   Pos
}

// Form tells how a text was written.
type Form uint8

// The forms of text.
const (
	Plain Form = iota // entities stand for characters
	CData             // inside <![CDATA[ ]]>: no entities
	Raw               // markup that is not policy, kept as it is: a SOAP envelope in set-body
)

// Value is an attribute's or a text's content, entities decoded: wholly an expression ("@(...)", "@{...}") or wholly
// literal. White space around an expression is not part of it.
type Value struct {
	Text        string
	Expr        bool
	Form        Form
	Substituted bool // a named value was put in: do not quote Text in messages
	Pos         Pos  // of the first character of Text
	marks       []mark
	doc         *Document
}

// mark says that from text offset text on, characters stand at source offset src and following; or, where flat is set,
// all at src: a named value was put in there.
type mark struct {
	text, src int
	flat      bool
}

// At gives the place in the source of the byte Text[i].
func (v Value) At(i int) Pos {
	if v.doc == nil {
		return v.Pos
	}
	return v.doc.At(sourceOf(v.marks, v.Pos.Offset, i))
}

// At gives the place of a byte offset in the source.
func (d *Document) At(offset int) Pos {
	offset = max(0, min(offset, len(d.src)))
	line := sort.SearchInts(d.lines, offset+1)
	return Pos{Offset: offset, Line: line, Column: 1 + utf8.RuneCountInString(d.src[d.lines[line-1]:offset])}
}

// Attr gives an attribute by name.
func (n *Node) Attr(name string) (Attr, bool) {
	for i := range n.Attrs {
		if n.Attrs[i].Name == name {
			return n.Attrs[i], true
		}
	}
	return Attr{}, false
}

// Elements gives the child elements.
func (n *Node) Elements() []*Node {
	var out []*Node
	for _, c := range n.Children {
		if c.Kind == Element {
			out = append(out, c)
		}
	}
	return out
}

// Content gives the text of a node that has no child elements: its one text, or an empty one placed at the node. With
// several texts (text beside CDATA) they are joined, and the place is that of the first.
func (n *Node) Content() Value {
	var out Value
	first := true
	for _, c := range n.Children {
		if c.Kind != Text {
			continue
		}
		if first {
			out, first = c.Value, false
			continue
		}
		out.Text += c.Value.Text
		out.Expr = false
	}
	if first {
		out.Pos = n.Pos
	}
	return out
}

// Equal tells whether two trees are the same apart from places.
func Equal(a, b *Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.Name != b.Name || len(a.Attrs) != len(b.Attrs) || len(a.Children) != len(b.Children) || !sameValue(a.Value, b.Value) {
		return false
	}
	for i := range a.Attrs {
		if a.Attrs[i].Name != b.Attrs[i].Name || !sameValue(a.Attrs[i].Value, b.Attrs[i].Value) {
			return false
		}
	}
	for i := range a.Children {
		if !Equal(a.Children[i], b.Children[i]) {
			return false
		}
	}
	return true
}

func sameValue(a, b Value) bool { return a.Text == b.Text && a.Expr == b.Expr && a.Form == b.Form }

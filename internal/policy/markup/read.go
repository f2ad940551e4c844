package markup

import (
	"fmt"
	"strings"
)

// Error says what about a document could not be read, and where.
type Error struct {
	Pos     Pos
	Message string
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("line %s: %s", e.Pos, e.Message) }

// maxDepth bounds nesting, so that a hostile document cannot exhaust the stack.
const maxDepth = 200

// reader walks over one source.
type reader struct {
	doc *Document
	src string
	at  int
}

// Read reads a policy document. The error is an *Error: the first thing that cannot be read.
func Read(src string) (*Document, error) {
	d := &Document{src: src, lines: []int{0}}
	for i := 0; ; {
		n := strings.IndexByte(src[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
		d.lines = append(d.lines, i)
	}
	r := &reader{doc: d, src: src}
	if strings.HasPrefix(src, "\ufeff") {
		r.at = len("\ufeff")
	}
	if err := r.document(); err != nil {
		return nil, err
	}
	return d, nil
}

func (r *reader) fail(at int, format string, args ...any) error {
	return &Error{Pos: r.doc.At(at), Message: fmt.Sprintf(format, args...)}
}

func (r *reader) rest() string { return r.src[r.at:] }

func (r *reader) skipSpace() {
	for r.at < len(r.src) && isSpace(r.src[r.at]) {
		r.at++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func blank(s string) bool { return strings.TrimLeft(s, " \t\r\n") == "" }

// document reads the root with what stands around it.
func (r *reader) document() error {
	for {
		r.skipSpace()
		rest := r.rest()
		switch {
		case rest == "":
			if r.doc.Root == nil {
				return r.fail(r.at, "the document has no element; it should begin with <policies> or <fragment>")
			}
			return nil
		case strings.HasPrefix(rest, "<!--"):
			c, err := r.comment()
			if err != nil {
				return err
			}
			if r.doc.Root == nil {
				r.doc.Before = append(r.doc.Before, c)
			} else {
				r.doc.After = append(r.doc.After, c)
			}
		case strings.HasPrefix(rest, "<?"):
			if err := r.instruction(); err != nil {
				return err
			}
		case strings.HasPrefix(rest, "<!"):
			return r.fail(r.at, "a document type declaration is not allowed in a policy document")
		case rest[0] != '<':
			return r.fail(r.at, "text outside of the root element")
		case r.doc.Root != nil:
			return r.fail(r.at, "a second root element; put policies into one <policies> or <fragment>")
		default:
			n, err := r.element(0)
			if err != nil {
				return err
			}
			r.doc.Root = n
		}
	}
}

func (r *reader) comment() (*Node, error) {
	start := r.at
	end := strings.Index(r.src[start+4:], "-->")
	if end < 0 {
		return nil, r.fail(start, "the comment is not closed; write -->")
	}
	r.at = start + 4 + end + 3
	at := r.doc.At(start + 4)
	return &Node{Kind: Comment, Pos: r.doc.At(start), Value: Value{Text: r.src[start+4 : start+4+end], Pos: at, doc: r.doc}}, nil
}

// instruction skips a processing instruction, the XML declaration among them.
func (r *reader) instruction() error {
	end := strings.Index(r.rest(), "?>")
	if end < 0 {
		return r.fail(r.at, "the processing instruction is not closed; write ?>")
	}
	r.at += end + 2
	return nil
}

func isNameByte(c byte) bool {
	return c >= 0x80 || c == '-' || c == '_' || c == '.' || c == ':' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func (r *reader) name() string {
	start := r.at
	for r.at < len(r.src) && isNameByte(r.src[r.at]) {
		r.at++
	}
	return r.src[start:r.at]
}

// element reads from "<" to the end of the element.
func (r *reader) element(depth int) (*Node, error) {
	start := r.at
	if depth > maxDepth {
		return nil, r.fail(start, "elements are nested deeper than %d", maxDepth)
	}
	r.at++
	n := &Node{Kind: Element, Pos: r.doc.At(start)}
	if n.Name = r.name(); n.Name == "" {
		return nil, r.fail(start, "a name is expected after <; write &lt; for the character itself")
	}
	for {
		r.skipSpace()
		if r.at >= len(r.src) {
			return nil, r.fail(start, "the tag <%s is not closed", n.Name)
		}
		switch r.src[r.at] {
		case '>':
			r.at++
			return n, r.children(n, depth)
		case '/':
			if !strings.HasPrefix(r.rest(), "/>") {
				return nil, r.fail(r.at, "a / that closes nothing in the tag <%s", n.Name)
			}
			r.at += 2
			return n, nil
		}
		a, err := r.attribute(n.Name)
		if err != nil {
			return nil, err
		}
		n.Attrs = append(n.Attrs, a)
	}
}

func (r *reader) attribute(element string) (Attr, error) {
	start := r.at
	a := Attr{Pos: r.doc.At(start)}
	if a.Name = r.name(); a.Name == "" {
		return a, r.fail(start, "an attribute's name or the end of the tag <%s is expected", element)
	}
	r.skipSpace()
	if r.at >= len(r.src) || r.src[r.at] != '=' {
		return a, r.fail(start, "the attribute %s has no value; write %s=\"...\"", a.Name, a.Name)
	}
	r.at++
	r.skipSpace()
	if r.at >= len(r.src) || r.src[r.at] != '"' && r.src[r.at] != '\'' {
		return a, r.fail(r.at, "the value of %s is not in quotes", a.Name)
	}
	quote := r.src[r.at]
	r.at++
	v, err := r.attributeValue(quote, a.Name)
	a.Value = v
	return a, err
}

// children reads the content of n and its end tag.
func (r *reader) children(n *Node, depth int) error {
	if opaque(n.Name) {
		return r.opaque(n)
	}
	for {
		rest := r.rest()
		switch {
		case rest == "":
			return r.fail(n.Pos.Offset, "the element <%s> is not closed", n.Name)
		case strings.HasPrefix(rest, "</"):
			dropBlank(n)
			return r.endTag(n)
		case strings.HasPrefix(rest, "<!--"):
			c, err := r.comment()
			if err != nil {
				return err
			}
			n.Children = append(n.Children, c)
		case strings.HasPrefix(rest, "<![CDATA["):
			c, err := r.cdata()
			if err != nil {
				return err
			}
			n.Children = append(n.Children, c)
		case strings.HasPrefix(rest, "<?"):
			if err := r.instruction(); err != nil {
				return err
			}
		case rest[0] == '<':
			c, err := r.element(depth + 1)
			if err != nil {
				return err
			}
			n.Children = append(n.Children, c)
		default:
			if err := r.text(n); err != nil {
				return err
			}
		}
	}
}

// dropBlank removes white space between nodes; alone in its element it is content.
func dropBlank(n *Node) {
	if len(n.Children) < 2 {
		return
	}
	kept := n.Children[:0]
	for _, c := range n.Children {
		if c.Kind != Text || c.Value.Form == CData || !blank(c.Value.Text) {
			kept = append(kept, c)
		}
	}
	n.Children = kept
}

func (r *reader) endTag(n *Node) error {
	start := r.at
	r.at += 2
	name := r.name()
	if name != n.Name {
		return r.fail(start, "the end tag </%s> does not match <%s> of line %s", name, n.Name, n.Pos)
	}
	r.skipSpace()
	if r.at >= len(r.src) || r.src[r.at] != '>' {
		return r.fail(start, "the end tag </%s is not closed", name)
	}
	r.at++
	return nil
}

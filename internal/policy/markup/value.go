package markup

import (
	"strings"

	"tandem/internal/csharp"
)

// opensExpression tells whether s begins, after white space, with "@(" or "@{", and where.
func opensExpression(s string) (int, bool) {
	i := 0
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i, i+1 < len(s) && s[i] == '@' && (s[i+1] == '(' || s[i+1] == '{')
}

// expression reads the expression at r.at. What follows it, white space apart, must satisfy follows: so the two
// readings of a source that has entities (they stand for characters; they are characters of a string) are told apart.
func (r *reader) expression(follows func(rest string) bool) (Value, error) {
	start := r.at
	end, err := csharp.ScanExpression(r.src, start)
	good := err == nil && follows(strings.TrimLeft(r.src[end:], " \t\r\n"))
	if good && !hasEntity(r.src[start:end]) {
		r.at = end
		return Value{Text: r.src[start:end], Expr: true, Pos: r.doc.At(start), doc: r.doc}, nil
	}
	// Decode a piece of the source that surely holds the expression, and look again.
	for size := 4096; ; size *= 4 {
		piece := r.src[start:min(len(r.src), start+size)]
		text, marks := decode(piece, start)
		tend, terr := csharp.ScanExpression(text, 0)
		if terr == nil {
			if at := sourceOf(marks, start, tend); follows(strings.TrimLeft(r.src[at:], " \t\r\n")) {
				r.at = at
				return Value{Text: text[:tend], Expr: true, Pos: r.doc.At(start), marks: marks, doc: r.doc}, nil
			}
		}
		if len(piece) == len(r.src)-start {
			break
		}
	}
	if good { // "&quot;" inside a string in plain quotes: decoding would end the string
		r.at = end
		return Value{Text: r.src[start:end], Expr: true, Pos: r.doc.At(start), doc: r.doc}, nil
	}
	if err != nil {
		return Value{}, r.fail(start, "the expression cannot be read: %v", err)
	}
	return Value{}, r.fail(end, "text follows the expression; a value is wholly an expression or wholly literal")
}

// attributeValue reads up to and over the closing quote.
func (r *reader) attributeValue(quote byte, name string) (Value, error) {
	if skip, ok := opensExpression(r.rest()); ok {
		r.at += skip
		v, err := r.expression(func(rest string) bool { return rest != "" && rest[0] == quote })
		if err != nil {
			return v, err
		}
		r.skipSpace()
		r.at++
		return v, nil
	}
	start := r.at
	end := strings.IndexByte(r.rest(), quote)
	if end < 0 {
		return Value{}, r.fail(start, "the value of %s is not closed; write %c", name, quote)
	}
	r.at += end + 1
	return r.literal(start, start+end), nil
}

func (r *reader) literal(start, end int) Value {
	text, marks := decode(r.src[start:end], start)
	return Value{Text: text, Pos: r.doc.At(start), marks: marks, doc: r.doc}
}

// text reads the text at r.at up to the next "<" that could begin a tag, and adds it to n.
func (r *reader) text(n *Node) error {
	if skip, ok := opensExpression(r.rest()); ok && r.expressionMayStand(n) {
		r.at += skip
		v, err := r.expression(func(rest string) bool { return rest != "" && rest[0] == '<' })
		if err != nil {
			return err
		}
		n.Children = append(n.Children, &Node{Kind: Text, Value: v, Pos: v.Pos})
		return nil
	}
	start := r.at
	for r.at < len(r.src) && !(r.src[r.at] == '<' && r.at > start && tagAt(r.src[r.at:])) {
		r.at++
	}
	v := r.literal(start, r.at)
	if k := len(n.Children); k > 0 {
		// A processing instruction between two texts is not kept, so they are one.
		if last := n.Children[k-1]; last.Kind == Text && last.Value.Form == Plain {
			if last.Value.Expr {
				if !blank(v.Text) {
					return r.fail(start, "text follows the expression; a value is wholly an expression or wholly literal")
				}
				return nil
			}
			last.Value.Text += v.Text
			return nil
		}
	}
	n.Children = append(n.Children, &Node{Kind: Text, Value: v, Pos: v.Pos})
	return nil
}

// expressionMayStand tells whether an expression can follow what n has so far: text before it (a processing instruction
// between them is not kept) makes it literal. White space before it is dropped.
func (r *reader) expressionMayStand(n *Node) bool {
	k := len(n.Children)
	if k == 0 || n.Children[k-1].Kind != Text || n.Children[k-1].Value.Form != Plain {
		return true
	}
	if v := n.Children[k-1].Value; v.Expr || !blank(v.Text) {
		return false
	}
	n.Children = n.Children[:k-1]
	return true
}

// tagAt tells whether the "<" at the start of s begins markup; "a < b" does not.
func tagAt(s string) bool {
	if len(s) < 2 {
		return true
	}
	c := s[1]
	return c == '/' || c == '!' || c == '?' || c == '_' || c >= 0x80 || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func (r *reader) cdata() (*Node, error) {
	start := r.at
	from := start + len("<![CDATA[")
	end := strings.Index(r.src[from:], "]]>")
	if end < 0 {
		return nil, r.fail(start, "the CDATA section is not closed; write ]]>")
	}
	r.at = from + end + 3
	v, err := r.cdataValue(from, from+end)
	return &Node{Kind: Text, Value: v, Pos: r.doc.At(start)}, err
}

func (r *reader) cdataValue(from, end int) (Value, error) {
	text := r.src[from:end]
	if skip, ok := opensExpression(text); ok {
		n, err := csharp.ScanExpression(text, skip)
		if err != nil {
			return Value{}, r.fail(from+skip, "the expression cannot be read: %v", err)
		}
		if !blank(text[n:]) {
			return Value{}, r.fail(from+n, "text follows the expression; a value is wholly an expression or wholly literal")
		}
		return Value{Text: text[skip:n], Expr: true, Form: CData, Pos: r.doc.At(from + skip), doc: r.doc}, nil
	}
	return Value{Text: text, Form: CData, Pos: r.doc.At(from), doc: r.doc}, nil
}

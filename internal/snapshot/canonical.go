package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// maxDepth is how deep JSON may nest.
const maxDepth = 1000

// Canonical gives the canonical form of one JSON value (docs/format.md, section 5) without white space. Two texts with the
// same members, elements and number literals have the same canonical form. Duplicate members and bytes that are not
// UTF-8 are errors.
func Canonical(raw []byte) (json.RawMessage, error) {
	c := canonicaliser{in: raw, out: make([]byte, 0, len(raw))}
	if err := c.value(0); err != nil {
		return nil, fmt.Errorf("canonical JSON, byte %d: %w", c.at, err)
	}
	c.space()
	if c.at != len(c.in) {
		return nil, fmt.Errorf("canonical JSON, byte %d: more than one value", c.at)
	}
	return c.out, nil
}

// canonicaliser reads in and appends the canonical form to out, in one pass. Members come out in the order of the input
// and are put in order when their object ends, which most objects are already.
type canonicaliser struct {
	in  []byte
	at  int
	out []byte
}

func (c *canonicaliser) space() {
	for c.at < len(c.in) {
		switch c.in[c.at] {
		case ' ', '\t', '\n', '\r':
			c.at++
		default:
			return
		}
	}
}

// next is the next byte after white space, zero at the end.
func (c *canonicaliser) next() byte {
	c.space()
	if c.at == len(c.in) {
		return 0
	}
	return c.in[c.at]
}

func (c *canonicaliser) value(depth int) error {
	if depth > maxDepth {
		return errors.New("nested too deep")
	}
	switch b := c.next(); {
	case b == '{':
		return c.object(depth)
	case b == '[':
		return c.array(depth)
	case b == '"':
		return c.string()
	case b == '-' || '0' <= b && b <= '9':
		return c.number()
	case b == 0 && c.at == len(c.in):
		return errors.New("ends where a value is due")
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(c.in[c.at:], []byte(word)) {
			c.at += len(word)
			c.out = append(c.out, word...)
			return nil
		}
	}
	return errors.New("no JSON value begins like this")
}

// member is where one member of an object lies in out: its name, and all of it.
type member struct{ from, colon, to int }

func (c *canonicaliser) object(depth int) error {
	c.at++
	c.out = append(c.out, '{')
	if c.next() == '}' {
		c.at++
		c.out = append(c.out, '}')
		return nil
	}
	var few [16]member
	members := few[:0]
	begin, sorted := len(c.out), true
	for {
		if c.next() != '"' {
			return errors.New("a member's name is due")
		}
		m := member{from: len(c.out)}
		if err := c.string(); err != nil {
			return err
		}
		m.colon = len(c.out)
		if c.next() != ':' {
			return errors.New("a colon is due")
		}
		c.at++
		c.out = append(c.out, ':')
		if err := c.value(depth + 1); err != nil {
			return err
		}
		m.to = len(c.out)
		if n := len(members); n > 0 && bytes.Compare(c.name(members[n-1]), c.name(m)) >= 0 {
			sorted = false
		}
		members = append(members, m)
		switch c.next() {
		case ',':
			c.at++
			c.out = append(c.out, ',')
		case '}':
			c.at++
			if !sorted {
				if err := c.sort(begin, members); err != nil {
					return err
				}
			}
			c.out = append(c.out, '}')
			return nil
		default:
			return errors.New("a comma or the end of the object is due")
		}
	}
}

// name is a member's name without its quotes.
func (c *canonicaliser) name(m member) []byte { return c.out[m.from+1 : m.colon-1] }

// sort puts the members that lie in out from begin on in the order of their names.
func (c *canonicaliser) sort(begin int, members []member) error {
	slices.SortFunc(members, func(a, b member) int { return bytes.Compare(c.name(a), c.name(b)) })
	for i := 1; i < len(members); i++ {
		if bytes.Equal(c.name(members[i-1]), c.name(members[i])) {
			return fmt.Errorf("the member %q stands twice", c.name(members[i]))
		}
	}
	moved := make([]byte, 0, len(c.out)-begin)
	for i, m := range members {
		if i > 0 {
			moved = append(moved, ',')
		}
		moved = append(moved, c.out[m.from:m.to]...)
	}
	c.out = append(c.out[:begin], moved...)
	return nil
}

func (c *canonicaliser) array(depth int) error {
	c.at++
	c.out = append(c.out, '[')
	if c.next() == ']' {
		c.at++
		c.out = append(c.out, ']')
		return nil
	}
	for {
		if err := c.value(depth + 1); err != nil {
			return err
		}
		switch c.next() {
		case ',':
			c.at++
			c.out = append(c.out, ',')
		case ']':
			c.at++
			c.out = append(c.out, ']')
			return nil
		default:
			return errors.New("a comma or the end of the array is due")
		}
	}
}

// number copies a literal of the grammar of RFC 8259, section 6, as it is.
func (c *canonicaliser) number() error {
	from := c.at
	digits := func() bool {
		n := c.at
		for c.at < len(c.in) && '0' <= c.in[c.at] && c.in[c.at] <= '9' {
			c.at++
		}
		return c.at > n
	}
	take := func(set string) bool {
		if c.at < len(c.in) && bytes.IndexByte([]byte(set), c.in[c.at]) >= 0 {
			c.at++
			return true
		}
		return false
	}
	take("-")
	if !take("0") && !digits() {
		return errors.New("a digit is due")
	}
	if take(".") && !digits() {
		return errors.New("a digit is due")
	}
	if take("eE") {
		take("+-")
		if !digits() {
			return errors.New("a digit is due")
		}
	}
	c.out = append(c.out, c.in[from:c.at]...)
	return nil
}

// string copies a string with minimal escaping.
func (c *canonicaliser) string() error {
	c.at++
	c.out = append(c.out, '"')
	for {
		from := c.at
		for c.at < len(c.in) && plain(c.in[c.at]) {
			c.at++
		}
		c.out = append(c.out, c.in[from:c.at]...)
		if c.at == len(c.in) {
			return errors.New("ends inside a string")
		}
		switch b := c.in[c.at]; {
		case b == '"':
			c.at++
			c.out = append(c.out, '"')
			return nil
		case b == '\\':
			if err := c.escape(); err != nil {
				return err
			}
		case b < 0x20:
			return errors.New("a control character stands bare in a string")
		default:
			_, n := utf8.DecodeRune(c.in[c.at:])
			if n == 1 {
				return errors.New("a string is not UTF-8")
			}
			c.out = append(c.out, c.in[c.at:c.at+n]...)
			c.at += n
		}
	}
}

func plain(b byte) bool { return b >= 0x20 && b < 0x80 && b != '"' && b != '\\' }

package exchange

import "strings"

// Field is one header line.
type Field struct{ Name, Value string }

// Header is the list of a message's header lines in the order they came. Names compare without regard to case and keep
// the case they were written in (RFC 9110, section 5.1).
type Header []Field

// Get is the first value of a field, or "".
func (h Header) Get(name string) string {
	for i := range h {
		if len(h[i].Name) == len(name) && strings.EqualFold(h[i].Name, name) {
			return h[i].Value
		}
	}
	return ""
}

// Has tells whether a field is there.
func (h Header) Has(name string) bool {
	for i := range h {
		if len(h[i].Name) == len(name) && strings.EqualFold(h[i].Name, name) {
			return true
		}
	}
	return false
}

// Values gives all values of a field in order; nil where it is absent.
func (h Header) Values(name string) []string {
	var out []string
	for i := range h {
		if len(h[i].Name) == len(name) && strings.EqualFold(h[i].Name, name) {
			out = append(out, h[i].Value)
		}
	}
	return out
}

// Add appends a line.
func (h *Header) Add(name, value string) { *h = append(*h, Field{name, value}) }

// Set replaces all lines of a field by one, in the place of the first.
func (h *Header) Set(name, value string) {
	at := -1
	for i := range *h {
		if len((*h)[i].Name) == len(name) && strings.EqualFold((*h)[i].Name, name) {
			at = i
			break
		}
	}
	if at < 0 {
		h.Add(name, value)
		return
	}
	(*h)[at].Value = value
	h.remove(name, at+1)
}

// Del removes all lines of a field.
func (h *Header) Del(name string) { h.remove(name, 0) }

func (h *Header) remove(name string, from int) {
	kept := (*h)[:from]
	for _, f := range (*h)[from:] {
		if len(f.Name) != len(name) || !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	*h = kept
}

// Clone copies the list.
func (h Header) Clone() Header { return append(Header(nil), h...) }

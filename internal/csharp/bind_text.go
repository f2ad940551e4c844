package csharp

import (
	"strconv"
	"strings"
)

// concat is a string made of pieces, kept apart so that a + b + c is built at once.
type concat struct {
	parts []*bound // of any type
}

func (b *binder) concat(at int, l, r *bound) *bound {
	c := &concat{}
	for _, x := range []*bound{l, r} {
		switch {
		case x.text != nil && x == l:
			c.parts = append(c.parts, x.text.parts...)
		case x.t.Kind == KindVoid:
			return b.mustValue(x)
		default:
			c.parts = append(c.parts, x)
		}
	}
	return b.joined(at, c)
}

// joined makes the string of pieces: constant neighbours are joined now, the rest at run time with one allocation.
func (b *binder) joined(at int, c *concat) *bound {
	var parts []*bound
	for _, p := range c.parts {
		if n := len(parts); n > 0 && p.konst && parts[n-1].konst {
			parts[n-1] = constant(parts[n-1].pos, StringT, String(Text(parts[n-1].val, parts[n-1].t)+Text(p.val, p.t)))
			continue
		}
		parts = append(parts, p)
	}
	if len(parts) == 1 && parts[0].konst {
		return constant(at, StringT, String(Text(parts[0].val, parts[0].t)))
	}
	evs, types := make([]eval, len(parts)), make([]*Type, len(parts))
	plain := true
	for i, p := range parts {
		evs[i], types[i] = p.ev, p.t
		plain = plain && p.t.Kind == KindString
	}
	x := &bound{pos: at, t: StringT, text: &concat{parts}}
	switch {
	case plain && len(evs) == 2:
		l, r := evs[0], evs[1]
		x.ev = func(f *Frame) Value {
			a, c := l(f), r(f)
			f.m.Charge(len(a.S) + len(c.S))
			return Value{N: 1, S: a.S + c.S}
		}
	case plain && len(evs) == 3:
		p, q, r := evs[0], evs[1], evs[2]
		x.ev = func(f *Frame) Value {
			a, c, d := p(f), q(f), r(f)
			f.m.Charge(len(a.S) + len(c.S) + len(d.S))
			return Value{N: 1, S: a.S + c.S + d.S}
		}
	default:
		x.ev = func(f *Frame) Value {
			pieces := f.m.push(len(evs))
			size := 0
			for i, ev := range evs {
				v := ev(f)
				if types[i].Kind != KindString {
					v = String(f.m.Text(v, types[i]))
				}
				pieces[i] = v
				size += len(v.S)
			}
			f.m.Charge(size)
			var out strings.Builder
			out.Grow(size)
			for i := range pieces {
				out.WriteString(pieces[i].S)
			}
			f.m.pop(len(evs))
			return Value{N: 1, S: out.String()}
		}
	}
	return x
}

// Text is v as string concatenation writes it; it counts the work of large objects.
func (m *Machine) Text(v Value, t *Type) string {
	s := Text(v, t)
	if len(s) > 256 {
		m.Charge(len(s))
	}
	return s
}

// interpolated binds $"…".
func (b *binder) interpolated(x *expr) *bound {
	c := &concat{}
	for _, p := range x.parts {
		if p.x == nil {
			if p.text != "" {
				c.parts = append(c.parts, constant(x.pos, StringT, String(p.text)))
			}
			continue
		}
		y := b.val(p.x)
		if y.t.Kind == KindBad {
			return y
		}
		if p.format != "" {
			align, format, _ := strings.Cut(p.format, ":")
			width := 0
			if align != "" {
				n, err := strconv.Atoi(strings.TrimSpace(align[1:]))
				if err != nil || n > 10000 || n < -10000 {
					return b.report(p.x.pos, "type", "interpolated string", "the alignment %s is not a small number", align[1:])
				}
				width = n
			}
			ev, t := y.ev, y.t
			y = &bound{pos: y.pos, t: StringT, ev: func(f *Frame) Value {
				return String(pad(FormatValue(ev(f), t, format), width))
			}}
		}
		c.parts = append(c.parts, y)
	}
	if len(c.parts) == 0 {
		return constant(x.pos, StringT, String(""))
	}
	y := b.joined(x.pos, c)
	y.text = nil
	return y
}

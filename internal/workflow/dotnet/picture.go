package dotnet

import "strings"

// picture is one section of a custom number format: the places for digits and the text among them.
type picture struct {
	whole, frac          []slot
	grouped              bool
	percent, thousandths int
	point                bool
}

// slot is '0' or '#' for a digit, or text.
type slot struct {
	digit   byte
	literal string
}

func readPicture(format, section string) (*picture, error) {
	p := &picture{}
	add := func(s slot) {
		if p.point {
			p.frac = append(p.frac, s)
		} else {
			p.whole = append(p.whole, s)
		}
	}
	digits := 0
	for i := 0; i < len(section); i++ {
		switch c := section[i]; c {
		case '0', '#':
			digits++
			add(slot{digit: c})
		case '.':
			p.point = true
		case ',':
			rest := strings.TrimLeft(section[i:], ",")
			switch {
			case digits > 0 && !p.point && rest != "" && (rest[0] == '0' || rest[0] == '#'):
				p.grouped = true
			case digits > 0 && !p.point:
				p.thousandths++
			}
		case '%':
			p.percent++
			add(slot{literal: "%"})
		case '\\':
			if i+1 == len(section) {
				return nil, badNumberFormat(format, "nothing follows the backslash")
			}
			i++
			add(slot{literal: section[i : i+1]})
		case '\'', '"':
			end := strings.IndexByte(section[i+1:], c)
			if end < 0 {
				return nil, badNumberFormat(format, "a quotation does not end")
			}
			add(slot{literal: section[i+1 : i+1+end]})
			i += end + 1
		case 'E', 'e':
			if i+1 < len(section) && strings.IndexByte("0+-", section[i+1]) >= 0 {
				return nil, badNumberFormat(format, "custom formats with an exponent are not supported")
			}
			add(slot{literal: string(c)})
		default:
			add(slot{literal: section[i : i+1]})
		}
	}
	return p, nil
}

func count(slots []slot) (n int) {
	for _, s := range slots {
		if s.digit != 0 {
			n++
		}
	}
	return n
}

func (p *picture) write(v float64) string {
	whole, frac, _ := strings.Cut(fixed(v, count(p.frac)), ".")
	whole = strings.TrimLeft(whole, "0")
	return p.writeWhole(whole) + p.writeFrac(frac)
}

func (p *picture) writeWhole(digits string) string {
	places := count(p.whole)
	if places == 0 {
		var b strings.Builder
		for _, s := range p.whole {
			b.WriteString(s.literal)
		}
		return b.String()
	}
	zeros, seen := 0, false // from the first 0 on, every place shows a digit
	for _, s := range p.whole {
		if s.digit == '0' {
			seen = true
		}
		if s.digit != 0 && seen {
			zeros++
		}
	}
	digits = strings.Repeat("0", max(0, zeros-len(digits))) + digits
	var b strings.Builder
	place := places // how many digit places are left, this one included
	first := true
	for _, s := range p.whole {
		if s.digit == 0 {
			b.WriteString(s.literal)
			continue
		}
		from := max(0, len(digits)-place)
		to := max(0, len(digits)-place+1)
		if first {
			from = 0
		}
		first = false
		for i := from; i < to; i++ {
			if p.grouped && i > 0 && (len(digits)-i)%3 == 0 {
				b.WriteByte(',')
			}
			b.WriteByte(digits[i])
		}
		place--
	}
	return b.String()
}

func (p *picture) writeFrac(digits string) string {
	if !p.point {
		return ""
	}
	lastZero := -1
	n := 0
	for _, s := range p.frac {
		if s.digit == '0' {
			lastZero = n
		}
		if s.digit != 0 {
			n++
		}
	}
	keep := max(len(strings.TrimRight(digits, "0")), lastZero+1)
	var b strings.Builder
	if keep > 0 {
		b.WriteByte('.')
	}
	n = 0
	for _, s := range p.frac {
		if s.digit == 0 {
			b.WriteString(s.literal)
			continue
		}
		if n < keep {
			b.WriteByte(digits[n])
		}
		n++
	}
	return b.String()
}

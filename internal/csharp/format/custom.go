package format

import (
	"strconv"
	"strings"
)

// custom writes a number in a custom format: 0 # . , % ‰ E0 ; 'text' "text" \x.
func (n number) custom(f string) (string, error) {
	if n.exact != nil {
		n.set(n.exact('e', 14))
		n.exact = nil
		n.trim()
	}
	sections := splitSections(f)
	pick := sections[0]
	neg := n.neg
	switch {
	case n.digits == "" && len(sections) > 2:
		pick = sections[2]
	case neg && len(sections) > 1 && sections[1] != "":
		pick, neg = sections[1], false
	}
	s := layout(pick)
	m := n
	m.point += s.shift
	if m.digits == "" {
		m.point = 0
	}
	var exp int
	if s.exponent {
		if m.digits != "" {
			exp = m.point - s.whole
		}
		m.point = s.whole
	}
	m = m.round(m.point + s.frac)
	if s.exponent && m.point > s.whole {
		exp++
		m.point = s.whole
	}
	if m.digits == "" && n.digits != "" && len(sections) > 2 && pick != sections[2] {
		return number{}.custom(f)
	}
	if m.digits == "" && len(sections) < 2 {
		neg = false
	}
	return m.write(s, neg, exp), nil
}

// picture is a parsed section of a custom format.
type picture struct {
	tokens   []string // one placeholder, or a literal with a leading quote
	whole    int      // placeholders before the point
	frac     int
	minWhole int // from the first 0
	minFrac  int // up to the last 0
	shift    int
	group    bool
	exponent bool
	hasPoint bool
}

// splitSections cuts at semicolons outside of quotes.
func splitSections(f string) []string {
	var out []string
	from := 0
	for i := 0; i < len(f); i++ {
		switch f[i] {
		case '\\':
			i++
		case '\'', '"':
			if end := strings.IndexByte(f[i+1:], f[i]); end >= 0 {
				i += end + 1
			} else {
				i = len(f)
			}
		case ';':
			out = append(out, f[from:i])
			from = i + 1
		}
	}
	return append(out, f[from:])
}

func layout(f string) picture {
	var s picture
	commas := 0
	for i := 0; i < len(f); i++ {
		switch c := f[i]; c {
		case '0', '#':
			if s.hasPoint {
				s.frac++
				if c == '0' {
					s.minFrac = s.frac
				}
			} else {
				s.group = s.group || commas > 0 && s.whole > 0
				s.whole++
				if c == '0' || s.minWhole > 0 {
					s.minWhole++
				}
			}
			commas = 0
			s.tokens = append(s.tokens, string(rune(c)))
		case '.':
			if !s.hasPoint {
				s.hasPoint = true
				s.shift -= 3 * commas
				commas = 0
				s.tokens = append(s.tokens, ".")
			}
		case ',':
			if !s.hasPoint && s.whole > 0 {
				commas++
			}
		case '%':
			s.shift += 2
			s.tokens = append(s.tokens, "'%")
		case '\\':
			if i++; i < len(f) {
				s.tokens = append(s.tokens, "'"+f[i:i+1])
			}
		case '\'', '"':
			end := strings.IndexByte(f[i+1:], c)
			if end < 0 {
				end = len(f) - i - 1
			}
			s.tokens = append(s.tokens, "'"+f[i+1:i+1+end])
			i += end + 1
		case 'E', 'e':
			k := i + 1
			if k < len(f) && (f[k] == '+' || f[k] == '-') {
				k++
			}
			z := k
			for z < len(f) && f[z] == '0' {
				z++
			}
			if z > k && !s.exponent {
				s.exponent = true
				s.tokens = append(s.tokens, f[i:z])
				i = z - 1
				continue
			}
			s.tokens = append(s.tokens, "'"+string(rune(c)))
		default:
			if strings.HasPrefix(f[i:], "‰") {
				s.shift += 3
				s.tokens = append(s.tokens, "'‰")
				i += len("‰") - 1
				continue
			}
			s.tokens = append(s.tokens, "'"+f[i:i+1])
		}
	}
	if !s.hasPoint {
		s.shift -= 3 * commas
	}
	return s
}

func (n number) write(s picture, neg bool, exp int) string {
	whole, frac := "", ""
	if n.point > 0 {
		whole = (n.digits + strings.Repeat("0", max(0, n.point-len(n.digits))))[:n.point]
		if n.point < len(n.digits) {
			frac = n.digits[n.point:]
		}
	} else if n.digits != "" {
		frac = strings.Repeat("0", -n.point) + n.digits
	}
	whole = strings.Repeat("0", max(0, s.minWhole-len(whole))) + whole
	frac += strings.Repeat("0", max(0, s.minFrac-len(frac)))
	if len(frac) > s.frac {
		frac = frac[:s.frac]
	}
	var out strings.Builder
	if neg {
		out.WriteByte('-')
	}
	// Digits that are more than the placeholders stand before the first of them.
	place, left := s.whole, whole
	digit := func(c byte, remaining int) {
		out.WriteByte(c)
		if s.group && remaining > 0 && remaining%3 == 0 {
			out.WriteByte(',')
		}
	}
	inFrac := 0
	for _, t := range s.tokens {
		switch {
		case t[0] == '\'':
			out.WriteString(t[1:])
		case t == ".":
			if frac != "" {
				out.WriteByte('.')
			}
		case t[0] == 'E' || t[0] == 'e':
			out.WriteByte(t[0])
			e := strconv.Itoa(max(exp, -exp))
			digits := strings.Count(t, "0")
			if exp < 0 {
				out.WriteByte('-')
			} else if strings.Contains(t, "+") {
				out.WriteByte('+')
			}
			out.WriteString(strings.Repeat("0", max(0, digits-len(e))) + e)
		case place > 0:
			for len(left) > place || len(left) == place && left != "" {
				digit(left[0], len(left)-1)
				left = left[1:]
			}
			place--
		default:
			if inFrac < len(frac) {
				out.WriteByte(frac[inFrac])
			}
			inFrac++
		}
	}
	return out.String()
}

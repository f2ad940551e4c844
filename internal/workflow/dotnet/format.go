package dotnet

import (
	"fmt"
	"strings"
	"time"

	"tandem"
)

func standardFormat(letter byte) (pattern string, utc, ok bool) {
	switch letter {
	case 'd':
		return "MM/dd/yyyy", false, true
	case 'D':
		return "dddd, dd MMMM yyyy", false, true
	case 'f':
		return "dddd, dd MMMM yyyy HH:mm", false, true
	case 'F':
		return "dddd, dd MMMM yyyy HH:mm:ss", false, true
	case 'g':
		return "MM/dd/yyyy HH:mm", false, true
	case 'G':
		return "MM/dd/yyyy HH:mm:ss", false, true
	case 'm', 'M':
		return "MMMM dd", false, true
	case 'o', 'O':
		return "yyyy'-'MM'-'dd'T'HH':'mm':'ss'.'fffffffK", false, true
	case 'r', 'R':
		return "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'", true, true
	case 's':
		return "yyyy'-'MM'-'dd'T'HH':'mm':'ss", false, true
	case 't':
		return "HH:mm", false, true
	case 'T':
		return "HH:mm:ss", false, true
	case 'u':
		return "yyyy'-'MM'-'dd HH':'mm':'ss'Z'", true, true
	case 'U':
		return "dddd, dd MMMM yyyy HH:mm:ss", true, true
	case 'y', 'Y':
		return "yyyy MMMM", false, true
	}
	return "", false, false
}

func badFormat(format, why string) error {
	return &tandem.Error{Op: "read .NET date format", Subject: fmt.Sprintf("%q", format), Kind: tandem.Invalid, Err: fmt.Errorf("%s", why),
		Remedy: "use a standard format letter (d D f F g G m o r s t T u U y) or a custom one such as yyyy-MM-ddTHH:mm:ssZ"}
}

// token is one piece of a custom format: a run of one specifier letter, or text that stands for itself.
type token struct {
	letter  byte // 0: literal
	count   int
	literal string
}

func tokens(format string) ([]token, error) {
	if format == "" {
		format = "o"
	}
	if len(format) == 1 {
		pattern, _, ok := standardFormat(format[0])
		if !ok {
			return nil, badFormat(format, "there is no standard format of this letter")
		}
		format = pattern
	}
	var out []token
	lit := func(s string) { out = append(out, token{literal: s}) }
	for i := 0; i < len(format); {
		c := format[i]
		switch {
		case strings.IndexByte("dfFghHKmMstyz", c) >= 0:
			n := 1
			for i+n < len(format) && format[i+n] == c && c != 'K' {
				n++
			}
			if (c == 'f' || c == 'F') && n > 7 {
				return nil, badFormat(format, "a fraction of a second has at most seven digits")
			}
			out = append(out, token{letter: c, count: n})
			i += n
		case c == '\'' || c == '"':
			end := strings.IndexByte(format[i+1:], c)
			if end < 0 {
				return nil, badFormat(format, "a quotation does not end")
			}
			lit(format[i+1 : i+1+end])
			i += end + 2
		case c == '\\':
			if i+1 == len(format) {
				return nil, badFormat(format, "nothing follows the backslash")
			}
			lit(format[i+1 : i+2])
			i += 2
		case c == '%':
			if i+1 == len(format) || format[i+1] == '%' {
				return nil, badFormat(format, "a percent sign must stand before a specifier")
			}
			i++
		default:
			lit(format[i : i+1])
			i++
		}
	}
	return out, nil
}

// CheckFormat tells whether Format would accept a format.
func CheckFormat(format string) error { _, err := tokens(format); return err }

// Format writes a DateTime by a standard or custom .NET format under the invariant culture. An empty format is "o".
func Format(d DateTime, format string) (string, error) {
	list, err := tokens(format)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, t := range list {
		if t.letter == 0 {
			b.WriteString(t.literal)
			continue
		}
		writeToken(&b, d, t)
	}
	return b.String(), nil
}

func writeToken(b *strings.Builder, d DateTime, t token) {
	at := d.Time
	number := func(v int) { fmt.Fprintf(b, "%0*d", min(t.count, 2), v) }
	switch t.letter {
	case 'd':
		switch {
		case t.count <= 2:
			number(at.Day())
		case t.count == 3:
			b.WriteString(at.Weekday().String()[:3])
		default:
			b.WriteString(at.Weekday().String())
		}
	case 'M':
		switch {
		case t.count <= 2:
			number(int(at.Month()))
		case t.count == 3:
			b.WriteString(at.Month().String()[:3])
		default:
			b.WriteString(at.Month().String())
		}
	case 'y':
		if t.count <= 2 {
			fmt.Fprintf(b, "%0*d", t.count, at.Year()%100)
		} else {
			fmt.Fprintf(b, "%0*d", t.count, at.Year())
		}
	case 'h':
		number((at.Hour()+11)%12 + 1)
	case 'H':
		number(at.Hour())
	case 'm':
		number(at.Minute())
	case 's':
		number(at.Second())
	case 't':
		b.WriteString(map[bool]string{true: "AM", false: "PM"}[at.Hour() < 12][:min(t.count, 2)])
	case 'f', 'F':
		frac := fmt.Sprintf("%07d", at.Nanosecond()/100)[:t.count]
		if t.letter == 'F' {
			frac = strings.TrimRight(frac, "0")
			if frac == "" {
				dropPoint(b)
			}
		}
		b.WriteString(frac)
	case 'g':
		b.WriteString("A.D.")
	case 'K':
		if d.UTC {
			b.WriteByte('Z')
		}
	case 'z': // an unspecified time is taken as local to the service, whose clock is UTC
		b.WriteString([]string{"+0", "+00", "+00:00"}[min(t.count, 3)-1])
	}
}

// dropPoint removes the point before a fraction that has no digits.
func dropPoint(b *strings.Builder) {
	if s := b.String(); strings.HasSuffix(s, ".") {
		b.Reset()
		b.WriteString(s[:len(s)-1])
	}
}

// ParseExact reads a timestamp by a .NET format.
func ParseExact(s, format string) (DateTime, error) {
	list, err := tokens(format)
	if err != nil {
		return DateTime{}, err
	}
	r := reader{rest: s, year: 1, month: 1, day: 1}
	for _, t := range list {
		if !r.read(t) {
			return DateTime{}, mismatch(s, format)
		}
	}
	if r.rest != "" {
		return DateTime{}, mismatch(s, format)
	}
	if r.half != 0 {
		r.hour = r.hour % 12
		if r.half == 'P' {
			r.hour += 12
		}
	}
	t := time.Date(r.year, time.Month(r.month), r.day, r.hour, r.minute, r.second, r.nano, time.UTC)
	if t.Day() != r.day || int(t.Month()) != r.month || r.hour > 23 || r.minute > 59 || r.second > 59 {
		return DateTime{}, mismatch(s, format)
	}
	return DateTime{Time: t.Add(-r.offset), UTC: r.zoned}, nil
}

func mismatch(s, format string) error {
	return &tandem.Error{Op: "read timestamp", Subject: fmt.Sprintf("%q", s), Kind: tandem.Invalid,
		Err: fmt.Errorf("it does not match the format %q", format), Remedy: "make the format match the text"}
}

// reader consumes a timestamp token by token.
type reader struct {
	rest                                         string
	year, month, day, hour, minute, second, nano int
	half                                         byte
	offset                                       time.Duration
	zoned                                        bool
}

func (r *reader) number(least, most int) (int, bool) {
	n, v := 0, 0
	for n < most && n < len(r.rest) && r.rest[n] >= '0' && r.rest[n] <= '9' {
		v = v*10 + int(r.rest[n]-'0')
		n++
	}
	r.rest = r.rest[n:]
	return v, n >= least
}

func (r *reader) word(names func(int) string, count, short int) (int, bool) {
	for i := range count {
		n := names(i)
		if short > 0 {
			n = n[:short]
		}
		if len(r.rest) >= len(n) && strings.EqualFold(r.rest[:len(n)], n) {
			r.rest = r.rest[len(n):]
			return i, true
		}
	}
	return 0, false
}

func (r *reader) read(t token) (ok bool) {
	ok = true
	switch t.letter {
	case 0:
		ok = strings.HasPrefix(r.rest, t.literal)
		r.rest = strings.TrimPrefix(r.rest, t.literal)
	case 'd':
		if t.count <= 2 {
			r.day, ok = r.number(t.count, 2)
		} else {
			_, ok = r.word(func(i int) string { return time.Weekday(i).String() }, 7, map[bool]int{true: 3}[t.count == 3])
		}
	case 'M':
		if t.count <= 2 {
			r.month, ok = r.number(t.count, 2)
		} else {
			r.month, ok = r.word(func(i int) string { return time.Month(i + 1).String() }, 12, map[bool]int{true: 3}[t.count == 3])
			r.month++
		}
	case 'y':
		if t.count <= 2 {
			r.year, ok = r.number(t.count, 2)
			if r.year += 2000; r.year > 2049 {
				r.year -= 100
			}
		} else {
			r.year, ok = r.number(min(t.count, 4), 4)
		}
	case 'h', 'H':
		r.hour, ok = r.number(min(t.count, 2), 2)
	case 'm':
		r.minute, ok = r.number(min(t.count, 2), 2)
	case 's':
		r.second, ok = r.number(min(t.count, 2), 2)
	case 't':
		ok = len(r.rest) >= min(t.count, 2)
		if ok {
			r.half = r.rest[0] &^ 0x20
			ok = r.half == 'A' || r.half == 'P'
			r.rest = r.rest[min(t.count, 2):]
		}
	case 'f', 'F':
		before := r.rest
		v, enough := r.number(0, t.count)
		n := len(before) - len(r.rest)
		ok = enough && (t.letter == 'F' || n == t.count)
		for range 9 - n {
			v *= 10
		}
		r.nano = v
	case 'K', 'z':
		ok = r.zone(t.letter == 'K')
	default:
		ok = false
	}
	return ok
}

func (r *reader) zone(optional bool) bool {
	switch {
	case optional && (strings.HasPrefix(r.rest, "Z") || strings.HasPrefix(r.rest, "z")):
		r.rest, r.zoned = r.rest[1:], true
		return true
	case strings.HasPrefix(r.rest, "+"), strings.HasPrefix(r.rest, "-"):
		sign := time.Duration(1)
		if r.rest[0] == '-' {
			sign = -1
		}
		r.rest = r.rest[1:]
		h, ok := r.number(1, 2)
		m := 0
		if strings.HasPrefix(r.rest, ":") {
			r.rest = r.rest[1:]
			var more bool
			m, more = r.number(2, 2)
			ok = ok && more
		}
		r.offset, r.zoned = sign*(time.Duration(h)*time.Hour+time.Duration(m)*time.Minute), true
		return ok
	}
	return optional
}

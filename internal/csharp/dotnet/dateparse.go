package dotnet

import (
	"strings"
	"time"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

// The flags of DateTimeStyles that matter.
const (
	adjustToUniversal = 16
	assumeLocal       = 32
	assumeUniversal   = 64
	roundtripKind     = 128
)

// readDate is a date as it was written: wall clock and zone.
type readDate struct {
	ticks   int64
	zone    byte // 0: none, 'Z', or '+' with minutes
	minutes int
}

type dateReader struct {
	s string
	i int
}

// digits reads between lo and hi digits.
func (d *dateReader) digits(lo, hi int) (int, bool) {
	n, v := 0, 0
	for n < hi && d.i < len(d.s) && d.s[d.i] >= '0' && d.s[d.i] <= '9' {
		v = v*10 + int(d.s[d.i]-'0')
		d.i++
		n++
	}
	return v, n >= lo
}

func (d *dateReader) skip(c string) bool {
	if strings.HasPrefix(d.s[d.i:], c) {
		d.i += len(c)
		return true
	}
	return false
}

// fraction reads the digits of a second's fraction as ticks.
func (d *dateReader) fraction(most int) (int64, bool) {
	from := d.i
	for d.i < len(d.s) && d.i-from < most && d.s[d.i] >= '0' && d.s[d.i] <= '9' {
		d.i++
	}
	s := d.s[from:d.i]
	if s == "" {
		return 0, false
	}
	round := len(s) > 7 && s[7] >= '5'
	s = (s + "0000000")[:7]
	var v int64
	for _, c := range []byte(s) {
		v = v*10 + int64(c-'0')
	}
	if round {
		v++
	}
	return v, true
}

func (d *dateReader) zone(t *readDate) bool {
	switch {
	case d.skip("Z"), d.skip("z"), d.skip("GMT"), d.skip("UTC"):
		t.zone = 'Z'
		return true
	case d.i < len(d.s) && (d.s[d.i] == '+' || d.s[d.i] == '-'):
		neg := d.s[d.i] == '-'
		d.i++
		h, ok := d.digits(1, 2)
		if !ok {
			return false
		}
		d.skip(":")
		m, _ := d.digits(0, 2)
		if h > 14 || m > 59 {
			return false
		}
		t.zone, t.minutes = '+', h*60+m
		if neg {
			t.minutes = -t.minutes
		}
		return true
	}
	return false
}

func ticksFor(y, mo, d, h, mi, s int) (int64, bool) {
	if y < 1 || y > 9999 || mo < 1 || mo > 12 || d < 1 || d > daysIn(y, time.Month(mo)) || h > 23 || mi > 59 || s > 59 {
		return 0, false
	}
	return makeDate(y, mo, d, h, mi, s), true
}

// iso reads yyyy-MM-dd[(T| )HH:mm[:ss[.f]][zone]] to the end of the text.
func (d *dateReader) iso() (t readDate, ok bool) {
	y, ok1 := d.digits(4, 4)
	sep := "-"
	if d.i < len(d.s) && d.s[d.i] == '/' {
		sep = "/"
	}
	ok2 := d.skip(sep)
	mo, ok3 := d.digits(1, 2)
	ok4 := d.skip(sep)
	day, ok5 := d.digits(1, 2)
	if !(ok1 && ok2 && ok3 && ok4 && ok5) {
		return t, false
	}
	if d.skip("T") || d.skip(" ") {
		return d.clock(y, mo, day)
	}
	t.ticks, ok = ticksFor(y, mo, day, 0, 0, 0)
	return t, ok && d.i == len(d.s)
}

// clock reads HH:mm[:ss[.f]] [AM|PM] [zone].
func (d *dateReader) clock(y, mo, day int) (t readDate, ok bool) {
	for d.skip(" ") {
	}
	h, ok1 := d.digits(1, 2)
	if !ok1 || !d.skip(":") {
		return t, false
	}
	mi, ok2 := d.digits(1, 2)
	s, frac := 0, int64(0)
	if d.skip(":") {
		var ok3 bool
		if s, ok3 = d.digits(1, 2); !ok3 {
			return t, false
		}
		if d.skip(".") || d.skip(",") {
			if frac, ok3 = d.fraction(20); !ok3 {
				return t, false
			}
		}
	}
	for d.skip(" ") {
	}
	if am := strings.ToUpper(d.s[d.i:]); strings.HasPrefix(am, "AM") || strings.HasPrefix(am, "PM") {
		if h > 12 || h < 1 {
			return t, false
		}
		h %= 12
		if am[0] == 'P' {
			h += 12
		}
		d.i += 2
		for d.skip(" ") {
		}
	}
	t.ticks, ok = ticksFor(y, mo, day, h, mi, s)
	t.ticks += frac
	if d.i < len(d.s) && !d.zone(&t) {
		return t, false
	}
	return t, ok && ok2 && d.i == len(d.s)
}

var monthNames = []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}

func monthNamed(w string) int {
	w = strings.ToLower(strings.Trim(w, ".,"))
	for i, n := range monthNames {
		if w == n || len(w) == 3 && strings.HasPrefix(n, w) {
			return i + 1
		}
	}
	return 0
}

// written reads a date in one of the forms that the invariant culture knows.
func written(s string) (readDate, bool) {
	s = strings.TrimSpace(s)
	d := dateReader{s: s}
	if t, ok := d.iso(); ok {
		return t, true
	}
	// MM/dd/yyyy [clock], and names of months: [ddd,] dd MMM yyyy [clock], MMM dd[,] yyyy [clock].
	d = dateReader{s: s}
	if mo, ok := d.digits(1, 2); ok && (d.skip("/") || d.skip("-")) {
		day, ok1 := d.digits(1, 2)
		if ok2 := d.skip("/") || d.skip("-"); ok1 && ok2 {
			y, ok3 := d.digits(2, 4)
			if ok3 {
				return d.finish(century(y), mo, day)
			}
		}
		return readDate{}, false
	}
	words := strings.Fields(s)
	if len(words) > 0 && isWeekday(words[0]) {
		words = words[1:]
	}
	if len(words) < 3 {
		return readDate{}, false
	}
	num := func(w string) int {
		r := dateReader{s: strings.Trim(w, ",")}
		v, ok := r.digits(1, 4)
		if !ok || r.i != len(r.s) {
			return -1
		}
		return v
	}
	mo, day := monthNamed(words[0]), num(words[1])
	if mo == 0 {
		mo, day = monthNamed(words[1]), num(words[0])
	}
	y := num(words[2])
	if mo == 0 || day < 0 || y < 0 {
		return readDate{}, false
	}
	d = dateReader{s: strings.Join(words[3:], " ")}
	return d.finish(century(y), mo, day)
}

func century(y int) int {
	switch {
	case y < 50:
		return y + 2000
	case y < 100:
		return y + 1900
	}
	return y
}

func isWeekday(w string) bool {
	w = strings.ToLower(strings.Trim(w, ","))
	for d := time.Sunday; d <= time.Saturday; d++ {
		if n := strings.ToLower(d.String()); w == n || w == n[:3] {
			return true
		}
	}
	return false
}

func (d *dateReader) finish(y, mo, day int) (readDate, bool) {
	for d.skip(" ") {
	}
	if d.i < len(d.s) {
		return d.clock(y, mo, day)
	}
	t, ok := ticksFor(y, mo, day, 0, 0, 0)
	return readDate{ticks: t}, ok
}

// styled turns what was read into a DateTime: a zone converts to local time, which is UTC here.
func (t readDate) styled(style int) (val, bool) {
	ticks, kind := t.ticks, format.Unspecified
	switch {
	case t.zone != 0:
		ticks -= int64(t.minutes) * format.TicksPerMinute
		kind = format.Local
		if style&adjustToUniversal != 0 || style&roundtripKind != 0 && t.zone == 'Z' {
			kind = format.UTC
		}
	case style&assumeUniversal != 0:
		kind = format.Local
		if style&adjustToUniversal != 0 {
			kind = format.UTC
		}
	case style&assumeLocal != 0:
		kind = format.Local
	}
	if ticks < 0 || ticks > format.MaxTicks {
		return val{}, false
	}
	return val{N: uint64(ticks) | kind}, true
}

func parseDate(s string, style int) (val, bool) {
	t, ok := written(s)
	if !ok {
		return val{}, false
	}
	return t.styled(style)
}

func styledDate(s string, style int) val {
	v, ok := parseDate(s, style)
	if !ok {
		csharp.Throw("FormatException", "String '"+s+"' was not recognized as a valid DateTime.")
	}
	return v
}

func mustDate(s string) val { return styledDate(s, 0) }

func exactDate(s string, formats []string, style int) val {
	v, ok := tryExact(s, formats, style)
	if !ok {
		csharp.Throw("FormatException", "String '"+s+"' was not recognized as a valid DateTime.")
	}
	return v
}

func tryExact(s string, formats []string, style int) (val, bool) {
	for _, f := range formats {
		if t, ok := exact(s, f); ok {
			return t.styled(style)
		}
	}
	return val{}, false
}

// standardForms are the custom forms of the standard formats that ParseExact meets.
var standardForms = map[string]string{"o": "yyyy-MM-ddTHH:mm:ss.fffffffK", "O": "yyyy-MM-ddTHH:mm:ss.fffffffK", "s": "yyyy-MM-ddTHH:mm:ss", "u": "yyyy-MM-dd HH:mm:ssZ",
	"r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'", "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'", "d": "MM/dd/yyyy", "G": "MM/dd/yyyy HH:mm:ss", "g": "MM/dd/yyyy HH:mm", "t": "HH:mm", "T": "HH:mm:ss"}

// exact reads s in one custom format.
func exact(s, f string) (readDate, bool) {
	if form := standardForms[f]; form != "" {
		f = form
	}
	d := dateReader{s: s}
	y, mo, day, h, mi, sec := 1, 1, 1, 0, 0, 0
	var frac int64
	var t readDate
	pm, half := false, false
	for i := 0; i < len(f); {
		c, n := f[i], 1
		for i+n < len(f) && f[i+n] == c {
			n++
		}
		ok := true
		lo := min(n, 2)
		switch c {
		case 'y':
			if n <= 2 {
				y, ok = d.digits(lo, 2)
				y = century(y)
			} else {
				y, ok = d.digits(n, max(n, 4))
			}
		case 'M', 'd':
			if n <= 2 {
				v, fine := d.digits(lo, 2)
				ok = fine
				if c == 'M' {
					mo = v
				} else {
					day = v
				}
				break
			}
			from := d.i
			for d.i < len(d.s) && (d.s[d.i]|0x20 >= 'a' && d.s[d.i]|0x20 <= 'z') {
				d.i++
			}
			w := d.s[from:d.i]
			if c == 'M' {
				mo = monthNamed(w)
				ok = mo > 0
			} else {
				ok = isWeekday(w)
			}
		case 'H':
			h, ok = d.digits(lo, 2)
		case 'h':
			h, ok = d.digits(lo, 2)
			half = true
		case 'm':
			mi, ok = d.digits(lo, 2)
		case 's':
			sec, ok = d.digits(lo, 2)
		case 'f':
			at := d.i
			frac, ok = d.fraction(n)
			ok = ok && d.i-at == n
		case 'F':
			frac, _ = d.fraction(n)
			if d.i > 0 && d.s[d.i-1] == '.' && frac == 0 {
				ok = true
			}
		case 't':
			up := strings.ToUpper(d.s[d.i:])
			pm = strings.HasPrefix(up, "P")
			ok = pm || strings.HasPrefix(up, "A")
			d.i = min(len(d.s), d.i+min(n, 2))
			half = true
		case 'K':
			if d.i < len(d.s) {
				ok = d.zone(&t)
			}
		case 'z', 'Z':
			ok = d.zone(&t)
		case '\'', '"':
			end := strings.IndexByte(f[i+1:], c)
			if end < 0 {
				return t, false
			}
			ok = d.skip(f[i+1 : i+1+end])
			n = end + 2
		case '\\':
			if i+1 >= len(f) {
				return t, false
			}
			ok = d.skip(f[i+1 : i+2])
			n = 2
		case '.':
			if strings.HasPrefix(f[i+1:], "F") {
				d.skip(".")
			} else {
				ok = d.skip(f[i : i+n])
			}
		case '%':
			n = 1
		default:
			ok = d.skip(f[i : i+n])
		}
		if !ok {
			return t, false
		}
		i += n
	}
	if half {
		h %= 12
		if pm {
			h += 12
		}
	}
	ticks, ok := ticksFor(y, mo, day, h, mi, sec)
	t.ticks = ticks + frac
	return t, ok && d.i == len(d.s)
}

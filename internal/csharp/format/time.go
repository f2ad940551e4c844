package format

import (
	"strconv"
	"strings"
	"time"
)

// Ticks of 100 ns.
const (
	TicksPerMillisecond = 10_000
	TicksPerSecond      = 10_000_000
	TicksPerMinute      = 60 * TicksPerSecond
	TicksPerHour        = 60 * TicksPerMinute
	TicksPerDay         = 24 * TicksPerHour
	MaxTicks            = 3155378975999999999 // 9999-12-31T23:59:59.9999999
	UnixTicks           = 621355968000000000  // 1970-01-01
)

// The kinds of a DateTime, in the two highest bits of its 64.
const (
	Unspecified = uint64(0)
	UTC         = uint64(1) << 62
	Local       = uint64(2) << 62
	kindMask    = uint64(3) << 62
)

// Split gives the ticks and the kind of a DateTime.
func Split(d uint64) (ticks int64, kind uint64) { return int64(d &^ kindMask), d & kindMask }

// GoTime gives ticks since year 1 as a time in UTC.
func GoTime(ticks int64) time.Time {
	t := ticks - UnixTicks
	sec := t / TicksPerSecond
	rest := t % TicksPerSecond
	return time.Unix(sec, rest*100).UTC()
}

// Ticks gives the ticks of t's wall clock.
func Ticks(t time.Time) int64 {
	y, mo, d := t.Date()
	u := time.Date(y, mo, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	return u.Unix()*TicksPerSecond + UnixTicks + int64(u.Nanosecond()/100)
}

// moment is what a date format writes: a wall clock and how it relates to UTC.
type moment struct {
	t      time.Time
	ticks  int64
	kind   uint64
	offset int // minutes
	isOff  bool
}

// DateTime writes a DateTime in a format that is known to be right.
func DateTime(d uint64, f string) string {
	s, _ := FormatDateTime(d, f)
	return s
}

// FormatDateTime writes a DateTime in a standard or custom format. The local time zone is UTC, as it is in Azure.
func FormatDateTime(d uint64, f string) (string, error) {
	ticks, kind := Split(d)
	return moment{t: GoTime(ticks), ticks: ticks, kind: kind}.format(f)
}

// DateTimeOffset writes a DateTimeOffset in a format that is known to be right.
func DateTimeOffset(utc int64, minutes int16, f string) string {
	s, _ := FormatDateTimeOffset(utc, minutes, f)
	return s
}

// FormatDateTimeOffset writes the wall clock of utc ticks at an offset.
func FormatDateTimeOffset(utc int64, minutes int16, f string) (string, error) {
	ticks := utc + int64(minutes)*TicksPerMinute
	return moment{t: GoTime(ticks), ticks: ticks, offset: int(minutes), isOff: true}.format(f)
}

func (m moment) format(f string) (string, error) {
	if len(f) <= 1 {
		var ok bool
		if m, f, ok = m.standard(f); !ok {
			return "", textError("Input string was not in a correct format.")
		}
	}
	return m.custom(f)
}

// standard gives the custom format that a letter stands for, in the invariant culture.
func (m moment) standard(f string) (moment, string, bool) {
	utc := func() moment {
		if m.isOff {
			t := m.ticks - int64(m.offset)*TicksPerMinute
			return moment{t: GoTime(t), ticks: t, isOff: true}
		}
		return m
	}
	switch f {
	case "":
		if m.isOff {
			return m, "MM/dd/yyyy HH:mm:ss zzz", true
		}
		return m, "MM/dd/yyyy HH:mm:ss", true
	case "G":
		return m, "MM/dd/yyyy HH:mm:ss", true
	case "g":
		return m, "MM/dd/yyyy HH:mm", true
	case "d":
		return m, "MM/dd/yyyy", true
	case "D":
		return m, "dddd, dd MMMM yyyy", true
	case "f":
		return m, "dddd, dd MMMM yyyy HH:mm", true
	case "F":
		return m, "dddd, dd MMMM yyyy HH:mm:ss", true
	case "U":
		return m, "dddd, dd MMMM yyyy HH:mm:ss", !m.isOff
	case "M", "m":
		return m, "MMMM dd", true
	case "O", "o":
		if m.isOff {
			return m, "yyyy-MM-ddTHH:mm:ss.fffffffzzz", true
		}
		return m, "yyyy-MM-ddTHH:mm:ss.fffffffK", true
	case "R", "r":
		return utc(), "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'", true
	case "s":
		return m, "yyyy-MM-ddTHH:mm:ss", true
	case "t":
		return m, "HH:mm", true
	case "T":
		return m, "HH:mm:ss", true
	case "u":
		return utc(), "yyyy-MM-dd HH:mm:ss'Z'", true
	case "Y", "y":
		return m, "yyyy MMMM", true
	}
	return m, "", false
}

func (m moment) custom(f string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(f); {
		c := f[i]
		n := 1
		for i+n < len(f) && f[i+n] == c {
			n++
		}
		switch c {
		case '\\':
			if i+1 >= len(f) {
				return "", textError("Input string was not in a correct format.")
			}
			out.WriteByte(f[i+1])
			n = 2
		case '\'', '"':
			end := strings.IndexByte(f[i+1:], c)
			if end < 0 {
				return "", textError("Cannot find a matching quote character for the character '" + string(rune(c)) + "'.")
			}
			out.WriteString(f[i+1 : i+1+end])
			n = end + 2
		case '%':
			if i+1 >= len(f) || f[i+1] == '%' {
				return "", textError("Input string was not in a correct format.")
			}
			s, err := m.custom(f[i+1 : i+2])
			if err != nil {
				return "", err
			}
			out.WriteString(s)
			n = 2
		default:
			if !m.field(&out, c, n) {
				out.WriteString(f[i : i+n])
			}
		}
		i += n
	}
	return out.String(), nil
}

func digits(out *strings.Builder, v, n int) {
	s := strconv.Itoa(v)
	out.WriteString(strings.Repeat("0", max(0, n-len(s))) + s)
}

// field writes one field of a custom date format; false when c is no field.
func (m moment) field(out *strings.Builder, c byte, n int) bool {
	t := m.t
	switch c {
	case 'd':
		switch {
		case n <= 2:
			digits(out, t.Day(), n)
		case n == 3:
			out.WriteString(t.Weekday().String()[:3])
		default:
			out.WriteString(t.Weekday().String())
		}
	case 'M':
		switch {
		case n <= 2:
			digits(out, int(t.Month()), n)
		case n == 3:
			out.WriteString(t.Month().String()[:3])
		default:
			out.WriteString(t.Month().String())
		}
	case 'y':
		if n <= 2 {
			digits(out, t.Year()%100, n)
		} else {
			digits(out, t.Year(), n)
		}
	case 'H':
		digits(out, t.Hour(), min(n, 2))
	case 'h':
		digits(out, (t.Hour()+11)%12+1, min(n, 2))
	case 'm':
		digits(out, t.Minute(), min(n, 2))
	case 's':
		digits(out, t.Second(), min(n, 2))
	case 't':
		out.WriteString([]string{"AM", "PM"}[t.Hour()/12][:min(n, 2)])
	case 'f', 'F':
		if n > 7 {
			return false
		}
		s := strconv.FormatInt(m.ticks%TicksPerSecond+TicksPerSecond, 10)[1 : n+1]
		if c == 'F' {
			s = strings.TrimRight(s, "0")
			if s == "" && strings.HasSuffix(out.String(), ".") { // the point goes with the digits
				keep := strings.TrimSuffix(out.String(), ".")
				out.Reset()
				out.WriteString(keep)
			}
		}
		out.WriteString(s)
	case 'g':
		out.WriteString("A.D.")
	case 'K':
		switch {
		case m.isOff, m.kind == Local:
			m.zone(out, 3)
		case m.kind == UTC:
			out.WriteByte('Z')
		}
	case 'z':
		m.zone(out, n)
	default:
		return false
	}
	return true
}

func (m moment) zone(out *strings.Builder, n int) {
	o := m.offset
	sign := byte('+')
	if o < 0 {
		sign, o = '-', -o
	}
	out.WriteByte(sign)
	digits(out, o/60, min(n, 2))
	if n >= 3 {
		out.WriteByte(':')
		digits(out, o%60, 2)
	}
}

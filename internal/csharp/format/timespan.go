package format

import (
	"strconv"
	"strings"
)

var errSpan = textError("Input string was not in a correct format.")

// TimeSpan writes a TimeSpan in a format that is known to be right.
func TimeSpan(ticks int64, f string) string {
	s, _ := FormatTimeSpan(ticks, f)
	return s
}

type span struct {
	neg                           bool
	days, hours, mins, secs, frac int
}

func splitSpan(ticks int64) span {
	u := uint64(ticks)
	s := span{neg: ticks < 0}
	if s.neg {
		u = -u
	}
	s.days = int(u / TicksPerDay)
	s.hours = int(u / TicksPerHour % 24)
	s.mins = int(u / TicksPerMinute % 60)
	s.secs = int(u / TicksPerSecond % 60)
	s.frac = int(u % TicksPerSecond)
	return s
}

// FormatTimeSpan writes ticks in the formats c, g, G or a custom one.
func FormatTimeSpan(ticks int64, f string) (string, error) {
	s := splitSpan(ticks)
	var out strings.Builder
	if s.neg && len(f) <= 1 {
		out.WriteByte('-')
	}
	switch f {
	case "", "c", "t", "T":
		if s.days > 0 {
			out.WriteString(strconv.Itoa(s.days) + ".")
		}
		digits(&out, s.hours, 2)
		out.WriteByte(':')
		digits(&out, s.mins, 2)
		out.WriteByte(':')
		digits(&out, s.secs, 2)
		if s.frac > 0 {
			out.WriteByte('.')
			digits(&out, s.frac, 7)
		}
	case "g", "G":
		if s.days > 0 || f == "G" {
			out.WriteString(strconv.Itoa(s.days) + ":")
		}
		digits(&out, s.hours, map[string]int{"g": 1, "G": 2}[f])
		out.WriteByte(':')
		digits(&out, s.mins, 2)
		out.WriteByte(':')
		digits(&out, s.secs, 2)
		if f == "G" {
			out.WriteByte('.')
			digits(&out, s.frac, 7)
		} else if s.frac > 0 {
			var fr strings.Builder
			digits(&fr, s.frac, 7)
			out.WriteString("." + strings.TrimRight(fr.String(), "0"))
		}
	default:
		if len(f) == 1 {
			return "", errSpan
		}
		return s.custom(f)
	}
	return out.String(), nil
}

func (s span) custom(f string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(f); {
		c := f[i]
		n := 1
		for i+n < len(f) && f[i+n] == c {
			n++
		}
		switch c {
		case 'd':
			digits(&out, s.days, n)
		case 'h':
			digits(&out, s.hours, n)
		case 'm':
			digits(&out, s.mins, n)
		case 's':
			digits(&out, s.secs, n)
		case 'f', 'F':
			if n > 7 {
				return "", errSpan
			}
			var fr strings.Builder
			digits(&fr, s.frac, 7)
			text := fr.String()[:n]
			if c == 'F' {
				text = strings.TrimRight(text, "0")
			}
			out.WriteString(text)
		case '%':
			if i+1 >= len(f) || f[i+1] == '%' {
				return "", errSpan
			}
			text, err := s.custom(f[i+1 : i+2])
			if err != nil {
				return "", err
			}
			out.WriteString(text)
			n = 2
		case '\\':
			if i+1 >= len(f) {
				return "", errSpan
			}
			out.WriteByte(f[i+1])
			n = 2
		case '\'', '"':
			end := strings.IndexByte(f[i+1:], c)
			if end < 0 {
				return "", errSpan
			}
			out.WriteString(f[i+1 : i+1+end])
			n = end + 2
		default:
			return "", errSpan
		}
		i += n
	}
	return out.String(), nil
}

// ParseTimeSpan reads [-][d.]hh:mm[:ss[.fffffff]], a number of days, or d:hh:mm:ss.
func ParseTimeSpan(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	num := func(t string, limit int) (int64, bool) {
		if t == "" || len(t) > 8 || strings.Trim(t, "0123456789") != "" {
			return 0, false
		}
		n, _ := strconv.Atoi(t)
		return int64(n), limit == 0 || n < limit
	}
	var days string
	parts := strings.Split(s, ":")
	if len(parts) == 4 {
		days, parts = parts[0], parts[1:]
	} else if d, h, ok := strings.Cut(parts[0], "."); ok && len(parts) > 1 {
		days, parts[0] = d, h
	}
	var total int64
	if len(parts) == 1 && days == "" {
		d, ok := num(parts[0], 10675200)
		total = d * TicksPerDay
		if neg {
			total = -total
		}
		return total, ok
	}
	if len(parts) > 3 || len(parts) < 2 {
		return 0, false
	}
	if days != "" {
		d, ok := num(days, 10675199)
		if !ok {
			return 0, false
		}
		total = d * TicksPerDay
	}
	if len(parts) == 3 {
		sec, frac, has := strings.Cut(parts[2], ".")
		if has {
			if frac == "" || len(frac) > 7 {
				return 0, false
			}
			fr, ok := num(frac+strings.Repeat("0", 7-len(frac)), 0)
			if !ok {
				return 0, false
			}
			total += fr
		}
		parts[2] = sec
	}
	for i, unit := range []int64{TicksPerHour, TicksPerMinute, TicksPerSecond}[:len(parts)] {
		v, ok := num(parts[i], []int{24, 60, 60}[i])
		if !ok {
			return 0, false
		}
		total += v * unit
	}
	if neg {
		total = -total
	}
	return total, true
}

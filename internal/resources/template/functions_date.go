package template

import (
	"strconv"
	"strings"
	"time"

	"tandem/internal/csharp/format"
)

func dateFunctions() map[string]builtin {
	return map[string]builtin{
		"utcnow": {min: 0, max: 1, where: inDefaults, call: func(a *arguments) (any, error) {
			picture := "yyyyMMddTHHmmssZ"
			if a.has(0) {
				picture = a.text(0)
			}
			return a.writeTime(a.e.scope.Now, picture), nil
		}},
		"newguid":         {min: 0, max: 0, where: inDefaults, call: func(a *arguments) (any, error) { return a.e.scope.NewGUID(), nil }},
		"datetimeadd":     {min: 2, max: 3, call: dateTimeAdd},
		"datetimetoepoch": {min: 1, max: 1, call: func(a *arguments) (any, error) { return a.readTime(0).Unix(), nil }},
		"datetimefromepoch": {min: 1, max: 1, call: func(a *arguments) (any, error) {
			return time.Unix(a.integer(0), 0).UTC().Format("2006-01-02T15:04:05Z"), nil
		}},
	}
}

func (a *arguments) writeTime(t time.Time, picture string) string {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		a.fail("the year %d is outside of 1 to 9999", y)
		return ""
	}
	text, err := format.FormatDateTime(uint64(format.Ticks(t.UTC())), picture) //nolint:gosec // ticks of the years 1 to 9999
	if err != nil {
		a.fail("the format %q is not one of .NET's for times", picture)
	}
	return text
}

// readTime reads a time as templates write them: ISO 8601, basic or extended, or .NET's general format.
func (a *arguments) readTime(i int) time.Time {
	s := strings.TrimSpace(a.text(i))
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "20060102T150405Z07:00",
		"2006-01-02", "1/2/2006 3:04:05 PM", "1/2/2006 15:04:05", "1/2/2006", time.RFC1123} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	a.fail("%q is not a time; write it in ISO 8601", s)
	return time.Time{}
}

// dateTimeAdd adds an ISO 8601 duration. Without a format the result is in .NET's general one, as Azure's examples show it.
func dateTimeAdd(a *arguments) (any, error) {
	t, picture := a.readTime(0), "M/d/yyyy h:mm:ss tt"
	if a.has(2) {
		picture = a.text(2)
	}
	t, ok := addDuration(t, a.text(1))
	if !ok {
		a.fail("%q is not an ISO 8601 duration, as P1Y2M10DT2H30M", a.v[1])
	}
	if a.err != nil {
		return nil, nil
	}
	return a.writeTime(t, picture), nil
}

// addDuration adds [-]P[nY][nM][nW][nD][T[nH][nM][nS]].
func addDuration(t time.Time, s string) (time.Time, bool) {
	sign := 1
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		sign, s = -1, rest
	}
	s, ok := strings.CutPrefix(strings.ToUpper(s), "P")
	if !ok || s == "" {
		return t, false
	}
	inTime := false
	for s != "" {
		if s[0] == 'T' && !inTime && len(s) > 1 {
			inTime, s = true, s[1:]
			continue
		}
		end := strings.IndexFunc(s, func(c rune) bool { return c < '0' || c > '9' })
		if end <= 0 || end > 9 {
			return t, false
		}
		n, err := strconv.Atoi(s[:end])
		if err != nil {
			return t, false
		}
		n *= sign
		switch unit := s[end]; {
		case unit == 'Y' && !inTime && n <= 9999 && n >= -9999:
			t = addMonths(t, 12*n)
		case unit == 'M' && !inTime && n <= 120_000 && n >= -120_000:
			t = addMonths(t, n)
		case unit == 'W' && !inTime:
			t = t.AddDate(0, 0, 7*n)
		case unit == 'D' && !inTime:
			t = t.AddDate(0, 0, n)
		case unit == 'H' && inTime && n <= 2_000_000 && n >= -2_000_000:
			t = t.Add(time.Duration(n) * time.Hour)
		case unit == 'M' && inTime && n <= 100_000_000 && n >= -100_000_000:
			t = t.Add(time.Duration(n) * time.Minute)
		case unit == 'S' && inTime:
			t = t.Add(time.Duration(n) * time.Second)
		default:
			return t, false
		}
		s = s[end+1:]
	}
	return t, true
}

// addMonths keeps to the end of a shorter month, as .NET does.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location()).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

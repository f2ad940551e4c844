package dotnet

import (
	"fmt"
	"strings"
	"time"

	"tandem"
)

// DateTime is a point in time as System.DateTime holds it: a wall time that is in UTC, or in no known zone.
type DateTime struct {
	Time time.Time // its location is UTC; ticks of 100 ns
	UTC  bool      // false: of kind Unspecified
}

// UTC makes a DateTime of a moment.
func UTC(t time.Time) DateTime { return DateTime{Time: t.UTC().Truncate(100), UTC: true} }

// Ticks counts 100 ns since the year 1.
func (d DateTime) Ticks() int64 {
	const secondsToUnix = 62135596800
	return (d.Time.Unix()+secondsToUnix)*1e7 + int64(d.Time.Nanosecond())/100
}

// String writes the round-trip format "o".
func (d DateTime) String() string {
	s, _ := Format(d, "o") // a known format cannot fail
	return s
}

func layouts() []string {
	var out []string
	dates := []string{"2006-1-2", "2006/1/2", "1/2/2006", "January 2, 2006", "Jan 2, 2006", "2 January 2006", "2 Jan 2006",
		"Monday, January 2, 2006", "Monday, 2 January 2006", "Monday January 2 2006", "Mon, 2 Jan 2006", "2006-1", "January 2006"}
	times := []string{"", "15:4:5", "15:4", "3:4:5 PM", "3:4 PM", "3:4:5PM", "3:4PM", "3 PM", "3PM"}
	zones := []string{"", "Z07:00", " Z07:00", " -0700", " GMT", "Z0700"}
	for _, d := range dates {
		for _, t := range times {
			for _, z := range zones {
				switch {
				case t == "" && z != "":
				case t == "":
					out = append(out, d)
				default:
					out = append(out, d+" "+t+z)
				}
			}
		}
	}
	return out
}

// Parse reads a timestamp in any of the forms that .NET's DateTime.Parse knows under the invariant culture and that
// stand for a date: ISO 8601, month/day/year, RFC 1123, written-out months. What has an offset is turned to UTC.
func Parse(s string) (DateTime, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return UTC(t), nil
	}
	text := strings.Join(strings.Fields(s), " ")
	if len(text) > 10 && text[10] == 'T' {
		text = text[:10] + " " + text[11:]
	}
	if strings.HasSuffix(text, "z") {
		text = text[:len(text)-1] + "Z"
	}
	if len(text) >= 7 && len(text) < 64 {
		for _, l := range layouts() {
			t, err := time.Parse(l, text)
			if err != nil {
				continue
			}
			zoned := strings.HasSuffix(l, "Z07:00") || strings.HasSuffix(l, "-0700") || strings.HasSuffix(l, "GMT") || strings.HasSuffix(l, "Z0700")
			return DateTime{Time: t.UTC().Truncate(100), UTC: zoned}, nil
		}
	}
	return DateTime{}, &tandem.Error{Op: "read timestamp", Subject: fmt.Sprintf("%q", s), Kind: tandem.Invalid,
		Remedy: "write it in ISO 8601, for example 2026-11-22T15:30:00Z, or read it with parseDateTime and its format"}
}

// In shows the moment on the clocks of a zone; the result's kind is Unspecified, as .NET's conversion gives it.
func (d DateTime) In(zone *time.Location) DateTime {
	return DateTime{Time: Wall(d.Time.In(zone))}
}

// From takes the wall time as one of a zone and gives the moment in UTC.
func (d DateTime) From(zone *time.Location) DateTime { return UTC(Local(d.Time, zone)) }

// Add adds a duration.
func (d DateTime) Add(by time.Duration) DateTime { d.Time = d.Time.Add(by).Truncate(100); return d }

// AddMonths adds calendar months; a day that the month does not have becomes its last one.
func (d DateTime) AddMonths(n int) DateTime {
	y, m, day := d.Time.Date()
	first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	h, mi, s := d.Time.Clock()
	d.Time = time.Date(first.Year(), first.Month(), min(day, last), h, mi, s, d.Time.Nanosecond(), time.UTC)
	return d
}

// Span writes a duration as System.TimeSpan does: [-][d.]hh:mm:ss[.fffffff].
func Span(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	days := d / (24 * time.Hour)
	d -= days * 24 * time.Hour
	out := fmt.Sprintf("%02d:%02d:%02d", d/time.Hour, d/time.Minute%60, d/time.Second%60)
	if frac := d % time.Second / 100; frac != 0 {
		out += fmt.Sprintf(".%07d", int64(frac))
	}
	if days != 0 {
		out = fmt.Sprintf("%d.%s", days, out)
	}
	return sign + out
}

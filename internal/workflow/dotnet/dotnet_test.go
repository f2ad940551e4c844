package dotnet

import (
	"strings"
	"testing"
	"time"
)

// TestZones: every Windows name leads to a zone that the binary has.
func TestZones(t *testing.T) {
	n := 0
	for line := range strings.Lines(windowsZones) {
		name, iana, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		n++
		if z, err := Zone(name); err != nil || z.String() != iana {
			t.Errorf("%s: %v %v", name, z, err)
		}
	}
	if n < 130 {
		t.Errorf("only %d zones", n)
	}
	for _, name := range []string{"", "Local", "Nowhere Standard Time", "../etc/passwd"} {
		if _, err := Zone(name); err == nil {
			t.Errorf("%q is a zone", name)
		}
	}
}

func TestFormats(t *testing.T) {
	d, err := Parse("2009-06-15T13:45:30.6170000Z")
	if err != nil {
		t.Fatal(err)
	}
	for format, want := range map[string]string{
		"d": "06/15/2009", "D": "Monday, 15 June 2009", "f": "Monday, 15 June 2009 13:45", "g": "06/15/2009 13:45", "m": "June 15",
		"o": "2009-06-15T13:45:30.6170000Z", "r": "Mon, 15 Jun 2009 13:45:30 GMT", "s": "2009-06-15T13:45:30", "u": "2009-06-15 13:45:30Z",
		"y": "2009 June", "hh:mm t": "01:45 P", "yy-M-d": "09-6-15", "ss.FFFFFF": "30.617", "ff": "61", "%d": "15", "'day' d": "day 15", `\d d`: "d 15",
		"zzz": "+00:00", "ddd": "Mon", "yyyyMMddTHHmmssZ": "20090615T134530Z",
	} {
		got, err := Format(d, format)
		if err != nil || got != want {
			t.Errorf("%s: %q %v, want %q", format, got, err, want)
		}
	}
	for _, format := range []string{"q", "'open", "ffffffff", `x\`, "%%"} {
		if _, err := Format(d, format); err == nil {
			t.Errorf("%q is a format", format)
		}
	}
}

// FuzzDates: reading never panics, and what was read is written and read again as the same time.
func FuzzDates(f *testing.F) {
	f.Add("2018-03-15T13:30:30Z", "yyyy-MM-ddTHH:mm:ss.fffffffK")
	f.Add("03/15/2018 1:00 PM", "MM/dd/yyyy h:mm tt")
	f.Fuzz(func(t *testing.T, s, format string) {
		d, err := Parse(s)
		if err != nil {
			_, _ = ParseExact(s, format)
			return
		}
		if y := d.Time.Year(); y < 1 || y > 9999 {
			return
		}
		_, _ = Format(d, format)
		if again, err := Parse(d.String()); err != nil || !again.Time.Equal(d.Time) || again.UTC != d.UTC {
			t.Fatalf("%q is %v, again %v: %v", s, d, again, err)
		}
	})
}

func TestLocal(t *testing.T) {
	z, err := Zone("Eastern Standard Time")
	if err != nil {
		t.Fatal(err)
	}
	for wall, want := range map[string]string{"2026-03-08T02:30:00Z": "2026-03-08T03:30:00-04:00", "2026-11-01T01:30:00Z": "2026-11-01T01:30:00-04:00", "2026-07-01T12:00:00Z": "2026-07-01T12:00:00-04:00"} {
		w, _ := time.Parse(time.RFC3339, wall)
		if got := Local(w, z).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s", wall, got)
		}
	}
}

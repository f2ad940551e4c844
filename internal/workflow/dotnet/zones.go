// Package dotnet writes and reads dates, times and numbers as the .NET library does under the invariant culture, and
// knows the names that Windows gives to time zones. Its functions are pure.
package dotnet

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the zones must be there on a bare machine

	"tandem"
)

// Zone finds a time zone by its Windows name ("India Standard Time") or its IANA name ("Asia/Kolkata").
func Zone(name string) (*time.Location, error) {
	if iana, ok := ianaName(name); ok {
		name = iana
	} else if !strings.Contains(name, "/") && !strings.EqualFold(name, "UTC") {
		return nil, unknownZone(name, nil)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, unknownZone(name, err)
	}
	return zone, nil
}

func unknownZone(name string, err error) error {
	return &tandem.Error{Op: "find time zone", Subject: fmt.Sprintf("%q", name), Kind: tandem.Invalid, Err: err,
		Remedy: `use a Windows name such as "India Standard Time" or an IANA name such as "Asia/Kolkata"`}
}

func ianaName(windows string) (string, bool) {
	for line := range strings.Lines(windowsZones) {
		name, iana, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && strings.EqualFold(name, windows) {
			return iana, true
		}
	}
	return "", false
}

// Local is the moment at which the clocks of a zone show the given wall time. Where the clocks jump over it, the moment
// is as much later as the clocks jump; where they show it twice, it is the first time.
func Local(wall time.Time, zone *time.Location) time.Time {
	y, mo, d := wall.Date()
	h, mi, s := wall.Clock()
	t := time.Date(y, mo, d, h, mi, s, wall.Nanosecond(), zone)
	asUTC := time.Date(y, mo, d, h, mi, s, wall.Nanosecond(), time.UTC)
	var found *time.Time
	for _, probe := range []time.Time{t.Add(-26 * time.Hour), t.Add(26 * time.Hour)} {
		_, offset := probe.Zone()
		c := asUTC.Add(-time.Duration(offset) * time.Second).In(zone)
		if Wall(c).Equal(asUTC) && (found == nil || c.Before(*found)) {
			found = &c
		}
	}
	if found != nil {
		return *found
	}
	// The wall time does not exist, or the zone changed twice within two days: the offset before the jump moves it forward.
	if Wall(t).Equal(asUTC) {
		return t
	}
	_, offset := t.Add(-26 * time.Hour).Zone()
	return asUTC.Add(-time.Duration(offset) * time.Second).In(zone)
}

// Wall is what a clock in t's zone shows, as if it were UTC: wall times compare and add up without any zone.
func Wall(t time.Time) time.Time {
	y, mo, d := t.Date()
	h, mi, s := t.Clock()
	return time.Date(y, mo, d, h, mi, s, t.Nanosecond(), time.UTC)
}

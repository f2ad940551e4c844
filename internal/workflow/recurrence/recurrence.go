// Package recurrence computes when a Recurrence trigger fires. It is pure: no clock, no state.
//
// Seconds, minutes and hours count elapsed time. Days, weeks and months count on the clocks of the trigger's zone: each
// run is one slot of local wall time and has it as its key, so that the hour which autumn shows twice fires once, and what
// falls into the hour that spring leaves out fires as much later as the clocks jump.
package recurrence

import (
	"slices"
	"time"

	"tandem/internal/workflow/dotnet"
)

// Frequency is the unit of a recurrence.
type Frequency string

// The frequencies.
const (
	Second Frequency = "Second"
	Minute Frequency = "Minute"
	Hour   Frequency = "Hour"
	Day    Frequency = "Day"
	Week   Frequency = "Week"
	Month  Frequency = "Month"
)

// Recurrence says when a trigger fires.
type Recurrence struct {
	Frequency Frequency
	Interval  int
	Zone      *time.Location
	Start     *time.Time // nil: from when the trigger was enabled
	End       *time.Time // nil: for ever; a slot at End still fires
	Schedule  Schedule
}

// Schedule names the hours and days within a day, a week or a month.
type Schedule struct {
	Hours, Minutes []int
	WeekDays       []time.Weekday
	MonthDays      []int // 1 to 31, or -1 to -31 from the month's end
	Occurrences    []Occurrence
}

// Occurrence is a weekday of the month: the first Monday is {Monday, 1}, the last one {Monday, -1}.
type Occurrence struct {
	Day time.Weekday
	Nth int // 1 to 5, or -1 to -5
}

func (s Schedule) empty() bool {
	return s.Hours == nil && s.Minutes == nil && s.WeekDays == nil && s.MonthDays == nil && s.Occurrences == nil
}

// Slot is one planned run.
type Slot struct {
	Time time.Time
	Key  string // equal keys are the same slot
}

const wallLayout = "2006-01-02T15:04:05"

// First is the first slot of a trigger that is enabled at a moment: without a start time and a schedule it fires at once.
func (r *Recurrence) First(enabled time.Time) (Slot, bool) {
	if r.Start == nil && r.Schedule.empty() {
		return r.within(r.slot(enabled))
	}
	return r.Next(enabled, enabled.Add(-1))
}

// Next is the first slot after a moment, of a trigger that was enabled at another; false where there is none any more.
func (r *Recurrence) Next(enabled, after time.Time) (Slot, bool) {
	anchor := enabled
	if r.Start != nil {
		anchor = *r.Start
	}
	if after.Before(anchor) {
		after = anchor.Add(-1)
	}
	switch r.Frequency {
	case Second, Minute, Hour:
		step := map[Frequency]time.Duration{Second: time.Second, Minute: time.Minute, Hour: time.Hour}[r.Frequency] * time.Duration(r.Interval)
		n := after.Sub(anchor)/step + 1
		if after.Before(anchor) {
			n = 0
		}
		return r.within(r.slot(anchor.Add(n * step)))
	}
	return r.calendar(anchor, after)
}

func (r *Recurrence) slot(t time.Time) Slot {
	t = t.In(r.Zone)
	if r.Frequency == Second || r.Frequency == Minute || r.Frequency == Hour {
		return Slot{Time: t, Key: t.UTC().Format(time.RFC3339Nano)}
	}
	return Slot{Time: t, Key: t.Format(wallLayout)}
}

func (r *Recurrence) within(s Slot) (Slot, bool) {
	if r.End != nil && s.Time.After(*r.End) {
		return Slot{}, false
	}
	return s, true
}

// calendar walks the days of the zone's calendar from the one before "after" on.
func (r *Recurrence) calendar(anchor, after time.Time) (Slot, bool) {
	start := dotnet.Wall(anchor.In(r.Zone))
	from := dotnet.Wall(after.In(r.Zone)).AddDate(0, 0, -1)
	day := midnight(from)
	if first := midnight(start); day.Before(first) {
		day = first
	}
	// The rarest schedule, the 29th of February of each 16th month, comes within this many days.
	const horizon = 366 * 50
	for i := range horizon {
		d := day.AddDate(0, 0, i)
		if !r.fires(start, d) {
			continue
		}
		// Where the clocks jump forward, an earlier wall time may be the later moment: the earliest moment wins.
		var best *Slot
		for _, clock := range r.clocks(start) {
			wall := d.Add(clock)
			if wall.Before(start) && !r.Schedule.empty() || wall.Before(start.Truncate(time.Second)) {
				continue
			}
			t := dotnet.Local(wall, r.Zone)
			if t.After(after) && !t.Before(anchor.Truncate(time.Second)) && (best == nil || t.Before(best.Time)) {
				best = &Slot{Time: t, Key: wall.Format(wallLayout)}
			}
		}
		if best != nil {
			return r.within(*best)
		}
		if r.End != nil && d.After(dotnet.Wall(r.End.In(r.Zone)).AddDate(0, 0, 1)) {
			break
		}
	}
	return Slot{}, false
}

func midnight(wall time.Time) time.Time { return wall.Truncate(24 * time.Hour) }

// clocks are the times of day, in order.
func (r *Recurrence) clocks(start time.Time) []time.Duration {
	if r.Schedule.Hours == nil && r.Schedule.Minutes == nil {
		return []time.Duration{start.Sub(midnight(start)).Truncate(time.Second)}
	}
	hours, minutes := r.Schedule.Hours, r.Schedule.Minutes
	if hours == nil {
		hours = []int{start.Hour()}
	}
	if minutes == nil {
		minutes = []int{0} // on the hour, unless the start time says which minute
		if r.Start != nil {
			minutes = []int{start.Minute()}
		}
	}
	var out []time.Duration
	for _, h := range hours {
		for _, m := range minutes {
			out = append(out, time.Duration(h)*time.Hour+time.Duration(m)*time.Minute)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fires tells whether the schedule has a slot on the day.
func (r *Recurrence) fires(start, day time.Time) bool {
	first := midnight(start)
	switch r.Frequency {
	case Day:
		return int(day.Sub(first)/(24*time.Hour))%r.Interval == 0
	case Week:
		days := r.Schedule.WeekDays
		if days == nil {
			return day.Weekday() == first.Weekday() && weeks(first, day)%r.Interval == 0
		}
		return slices.Contains(days, day.Weekday()) && weeks(first, day)%r.Interval == 0
	}
	months := (day.Year()-first.Year())*12 + int(day.Month()) - int(first.Month())
	if months%r.Interval != 0 {
		return false
	}
	last := time.Date(day.Year(), day.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if r.Schedule.MonthDays == nil && r.Schedule.Occurrences == nil {
		return day.Day() == min(first.Day(), last)
	}
	for _, d := range r.Schedule.MonthDays {
		if day.Day() == d || d < 0 && day.Day() == last+1+d {
			return true
		}
	}
	for _, o := range r.Schedule.Occurrences {
		if day.Weekday() == o.Day && (o.Nth == (day.Day()-1)/7+1 || o.Nth == -((last-day.Day())/7+1)) {
			return true
		}
	}
	return false
}

// weeks counts how many Mondays lie between two days.
func weeks(first, day time.Time) int {
	monday := func(t time.Time) time.Time { return t.AddDate(0, 0, -(int(t.Weekday())+6)%7) }
	return int(monday(day).Sub(monday(first)) / (7 * 24 * time.Hour))
}

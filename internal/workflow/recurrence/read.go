package recurrence

import (
	"fmt"
	"strings"
	"time"

	"tandem/internal/workflow/dotnet"
	"tandem/internal/workflow/value"
)

// Problem is what is wrong in a recurrence, at a path below it.
type Problem struct {
	Path, Message, Remedy string
}

// Limits of Azure Logic Apps on the interval.
func maxInterval(f Frequency) int {
	return map[Frequency]int{Second: 9_999_999, Minute: 72_000, Hour: 12_000, Day: 500, Week: 71, Month: 16}[f]
}

// Read reads the recurrence object of a trigger and reports all that is wrong with it.
func Read(v any) (*Recurrence, []Problem) {
	var problems []Problem
	bad := func(path, remedy, format string, args ...any) {
		problems = append(problems, Problem{Path: path, Message: fmt.Sprintf(format, args...), Remedy: remedy})
	}
	o, ok := v.(*value.Object)
	if !ok {
		bad("", `write an object such as {"frequency": "Day", "interval": 1}`, "a recurrence is an object, not a value of type %s", value.Type(v))
		return nil, problems
	}
	r := &Recurrence{Zone: time.UTC}
	o.Walk(func(name string, v any) {
		switch name {
		case "frequency", "interval", "startTime", "endTime", "timeZone", "schedule":
		default:
			bad(name, "remove it", "a recurrence has no property %q", name)
		}
	})
	for _, f := range []Frequency{Second, Minute, Hour, Day, Week, Month} {
		if strings.EqualFold(o.String("frequency"), string(f)) {
			r.Frequency = f
		}
	}
	if r.Frequency == "" {
		bad("frequency", "use Second, Minute, Hour, Day, Week or Month", "the frequency %q is not known", o.String("frequency"))
	}
	interval, _ := o.Get("interval")
	n, ok := interval.(int64)
	if !ok || n < 1 || r.Frequency != "" && n > int64(maxInterval(r.Frequency)) {
		bad("interval", fmt.Sprintf("use a whole number from 1 to %d", maxInterval(r.Frequency)), "the interval must be a positive whole number within its limit")
	}
	r.Interval = int(n)
	if name, ok := o.Get("timeZone"); ok {
		zone, err := dotnet.Zone(value.Text(name))
		if err != nil {
			bad("timeZone", `use a Windows name such as "India Standard Time"`, "the time zone %q is not known", value.Text(name))
		} else {
			r.Zone = zone
		}
	}
	r.Start = readTime(o, "startTime", r.Zone, bad)
	r.End = readTime(o, "endTime", r.Zone, bad)
	if r.Start != nil && r.End != nil && r.End.Before(*r.Start) {
		bad("endTime", "put it after startTime", "the end lies before the start")
	}
	if s, ok := o.Get("schedule"); ok {
		r.readSchedule(s, bad)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return r, nil
}

func readTime(o *value.Object, name string, zone *time.Location, bad func(path, remedy, format string, args ...any)) *time.Time {
	v, ok := o.Get(name)
	if !ok || v == nil {
		return nil
	}
	d, err := dotnet.Parse(value.Text(v))
	if err != nil {
		bad(name, "write it like 2026-11-22T15:30:00Z, or without Z in the trigger's time zone", "%q is no timestamp", value.Text(v))
		return nil
	}
	t := d.Time
	if !d.UTC {
		t = dotnet.Local(d.Time, zone)
	}
	return &t
}

func (r *Recurrence) readSchedule(v any, bad func(path, remedy, format string, args ...any)) {
	o, ok := v.(*value.Object)
	if !ok {
		bad("schedule", `write an object such as {"hours": [2], "minutes": [30]}`, "a schedule is an object")
		return
	}
	only := func(name string, allowed ...Frequency) {
		for _, f := range allowed {
			if f == r.Frequency || r.Frequency == "" {
				return
			}
		}
		bad("schedule."+name, "remove it, or change the frequency", "%s cannot be used with the frequency %s", name, r.Frequency)
	}
	o.Walk(func(name string, v any) {
		path := "schedule." + name
		switch name {
		case "hours":
			only(name, Day, Week, Month)
			r.Schedule.Hours = numbers(path, v, 0, 23, bad)
		case "minutes":
			only(name, Day, Week, Month)
			r.Schedule.Minutes = numbers(path, v, 0, 59, bad)
		case "weekDays":
			only(name, Week)
			list, _ := v.([]any)
			if len(list) == 0 {
				bad(path, `write an array such as ["Monday"]`, "weekDays must name at least one day")
			}
			for i, e := range list {
				d, ok := weekday(value.Text(e))
				if !ok {
					bad(fmt.Sprintf("%s[%d]", path, i), "use Sunday to Saturday", "%q is no day of the week", value.Text(e))
				}
				r.Schedule.WeekDays = append(r.Schedule.WeekDays, d)
			}
		case "monthDays":
			only(name, Month)
			r.Schedule.MonthDays = numbers(path, v, -31, 31, bad)
		case "monthlyOccurrences":
			only(name, Month)
			list, _ := v.([]any)
			if len(list) == 0 {
				bad(path, `write an array such as [{"day": "Monday", "occurrence": 1}]`, "monthlyOccurrences must name at least one day")
			}
			for i, e := range list {
				item, _ := e.(*value.Object)
				d, ok := weekday(item.String("day"))
				n, _ := item.Get("occurrence")
				nth, whole := n.(int64)
				if !ok || !whole || nth == 0 || nth > 5 || nth < -5 {
					bad(fmt.Sprintf("%s[%d]", path, i), `write {"day": "Monday", "occurrence": 1}; -1 is the last`, "it is no occurrence of a weekday in a month")
				}
				r.Schedule.Occurrences = append(r.Schedule.Occurrences, Occurrence{Day: d, Nth: int(nth)})
			}
		default:
			bad(path, "remove it", "a schedule has no property %q", name)
		}
	})
}

func weekday(name string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(d.String(), name) {
			return d, true
		}
	}
	return 0, false
}

func numbers(path string, v any, low, high int64, bad func(path, remedy, format string, args ...any)) []int {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) == 0 {
		bad(path, "name at least one, or remove it", "the list is empty")
	}
	var out []int
	for i, e := range list {
		n, ok := e.(int64)
		if s, isText := e.(string); isText { // the designer writes hours as text
			m, whole := value.Number(s).(int64)
			n, ok = m, whole
		}
		if !ok || n < low || n > high || low < 0 && n == 0 {
			bad(fmt.Sprintf("%s[%d]", path, i), fmt.Sprintf("use whole numbers from %d to %d", low, high), "%s is not allowed", value.Text(e))
		}
		out = append(out, int(n))
	}
	return out
}

package expr

import (
	"fmt"
	"math"
	"strings"
	"time"

	"tandem/internal/workflow/dotnet"
	"tandem/internal/workflow/value"
)

// stamp gives an argument as a date.
func (a *args) stamp(i int) dotnet.DateTime {
	d, err := dotnet.Parse(a.text(i))
	if a.err == nil && err != nil {
		a.err = err
	}
	return d
}

// written formats a date by the optional format in argument i.
func (a *args) written(d dotnet.DateTime, i int) (any, error) {
	if a.err != nil {
		return nil, a.err
	}
	if y := d.Time.Year(); y < 1 || y > 9999 {
		return nil, fmt.Errorf("the year %d is outside of 1 to 9999", y)
	}
	return dotnet.Format(d, a.textOr(i, "o"))
}

func (a *args) zone(i int) *time.Location {
	z, err := dotnet.Zone(a.text(i))
	if err != nil {
		if a.err == nil {
			a.err = err
		}
		return time.UTC
	}
	return z
}

func checkDateFormat(i int) func(c *call) error {
	return func(c *call) error {
		if v, ok := c.constant(i); ok && v != nil {
			return dotnet.CheckFormat(value.Text(v))
		}
		return nil
	}
}

func checkZones(format int, zones ...int) func(c *call) error {
	return func(c *call) error {
		for _, i := range zones {
			if v, ok := c.constant(i); ok {
				if _, err := dotnet.Zone(value.Text(v)); err != nil {
					return err
				}
			}
		}
		return checkDateFormat(format)(c)
	}
}

// adding makes addDays and its like.
func adding(name string, unit time.Duration) function {
	return function{name: name, min: 2, max: 3, check: checkDateFormat(2), eval: func(a *args) (any, error) {
		d, n := a.stamp(0), a.float(1)
		by := n * float64(unit)
		if math.Abs(by) > math.MaxInt64/2 {
			return nil, fmt.Errorf("%v is too much to add", n)
		}
		return a.written(d.Add(time.Duration(math.Round(by))), 2)
	}}
}

// shift adds n time units, months and years by the calendar.
func shift(d dotnet.DateTime, n int64, unit string) (dotnet.DateTime, error) {
	if n > 1e6*366*24 || n < -1e6*366*24 {
		return d, fmt.Errorf("%d is too much to add", n)
	}
	switch strings.ToLower(unit) {
	case "second":
		return d.Add(time.Duration(n) * time.Second), nil
	case "minute":
		return d.Add(time.Duration(n) * time.Minute), nil
	case "hour", "day", "week":
		hours := map[string]int64{"hour": 1, "day": 24, "week": 168}[strings.ToLower(unit)] * n
		if hours > 2_500_000 || hours < -2_500_000 { // a Duration holds 292 years
			d.Time = d.Time.AddDate(0, 0, int(hours/24))
			hours %= 24
		}
		return d.Add(time.Duration(hours) * time.Hour), nil
	case "month":
		return d.AddMonths(int(n)), nil
	case "year":
		return d.AddMonths(int(n) * 12), nil
	}
	return d, fmt.Errorf("%q is no time unit; use Second, Minute, Hour, Day, Week, Month or Year", unit)
}

func shifting(name string, first, sign int, fromNow bool) function {
	check := func(c *call) error {
		if u, ok := c.constant(first + 1); ok {
			if _, err := shift(dotnet.DateTime{}, 0, value.Text(u)); err != nil {
				return err
			}
		}
		return checkDateFormat(first + 2)(c)
	}
	return function{name: name, min: first + 2, max: first + 3, check: check, eval: func(a *args) (any, error) {
		var d dotnet.DateTime
		if fromNow {
			d = dotnet.UTC(a.env.Now())
		} else {
			d = a.stamp(0)
		}
		n, unit := a.integer(first), a.text(first+1)
		if a.err != nil {
			return nil, a.err
		}
		d, err := shift(d, int64(sign)*n, unit)
		if err != nil {
			return nil, err
		}
		return a.written(d, first+2)
	}}
}

// starting makes startOfDay and its like.
func starting(name string, begin func(t time.Time) time.Time) function {
	return function{name: name, min: 1, max: 2, check: checkDateFormat(1), eval: func(a *args) (any, error) {
		d := a.stamp(0)
		d.Time = begin(d.Time)
		return a.written(d, 1)
	}}
}

func dateFunctions() []function {
	integer := func(name string, get func(t time.Time) int) function {
		return function{name: name, min: 1, max: 1, eval: func(a *args) (any, error) { return int64(get(a.stamp(0).Time)), nil }}
	}
	return []function{
		adding("addDays", 24*time.Hour), adding("addHours", time.Hour), adding("addMinutes", time.Minute), adding("addSeconds", time.Second),
		shifting("addToTime", 1, 1, false), shifting("subtractFromTime", 1, -1, false),
		shifting("getFutureTime", 0, 1, true), shifting("getPastTime", 0, -1, true),
		{name: "convertFromUtc", min: 2, max: 3, check: checkZones(2, 1), eval: func(a *args) (any, error) {
			return a.written(a.stamp(0).In(a.zone(1)), 2)
		}},
		{name: "convertToUtc", min: 2, max: 3, check: checkZones(2, 1), eval: func(a *args) (any, error) {
			d := a.stamp(0)
			if !d.UTC {
				d = d.From(a.zone(1))
			}
			return a.written(d, 2)
		}},
		{name: "convertTimeZone", min: 3, max: 4, check: checkZones(3, 1, 2), eval: func(a *args) (any, error) {
			d := a.stamp(0)
			if !d.UTC {
				d = d.From(a.zone(1))
			}
			return a.written(d.In(a.zone(2)), 3)
		}},
		{name: "dateDifference", min: 2, max: 2, eval: func(a *args) (any, error) {
			from, to := a.stamp(0), a.stamp(1)
			if y := to.Time.Year() - from.Time.Year(); y > 290 || y < -290 {
				return nil, fmt.Errorf("the dates are more than 290 years apart")
			}
			return dotnet.Span(to.Time.Sub(from.Time)), nil
		}},
		integer("dayOfMonth", time.Time.Day),
		integer("dayOfWeek", func(t time.Time) int { return int(t.Weekday()) }),
		integer("dayOfYear", time.Time.YearDay),
		{name: "formatDateTime", min: 1, max: 3, eval: func(a *args) (any, error) {
			if err := supportedLocale(a.textOr(2, "")); err != nil {
				return nil, err
			}
			return a.written(a.stamp(0), 1)
		}, check: func(c *call) error {
			if err := checkLocale(c, 2); err != nil {
				return err
			}
			return checkDateFormat(1)(c)
		}},
		{name: "parseDateTime", min: 1, max: 3, eval: parseDateTime, check: func(c *call) error {
			if err := checkLocale(c, 1); err != nil {
				return err
			}
			return checkDateFormat(2)(c)
		}},
		starting("startOfDay", func(t time.Time) time.Time {
			return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
		}),
		starting("startOfHour", func(t time.Time) time.Time {
			return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), 0, 0, 0, time.UTC)
		}),
		starting("startOfMonth", func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }),
		{name: "ticks", min: 1, max: 1, eval: func(a *args) (any, error) { return a.stamp(0).Ticks(), nil }},
		{name: "utcNow", min: 0, max: 1, check: checkDateFormat(0), eval: func(a *args) (any, error) {
			return a.written(dotnet.UTC(a.env.Now()), 0)
		}},
	}
}

func parseDateTime(a *args) (any, error) {
	if err := supportedLocale(a.textOr(1, "")); err != nil {
		return nil, err
	}
	format := a.textOr(2, "")
	if format == "" || a.err != nil {
		return a.written(a.stamp(0), 3)
	}
	d, err := dotnet.ParseExact(a.text(0), format)
	if err != nil {
		return nil, err
	}
	return a.written(d, 3)
}

package repository

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem"
)

// Policy says which snapshots of a service are kept: grandfather, father, son. Of each of the newest so many hours, days, weeks
// (ISO 8601, from Monday), months and years (UTC) that have a snapshot, the newest one is kept; and the newest Last ones.
type Policy struct {
	Last, Hourly, Daily, Weekly, Monthly, Yearly int
}

// Check refuses a policy that keeps nothing.
func (p Policy) Check() error {
	all := []int{p.Last, p.Hourly, p.Daily, p.Weekly, p.Monthly, p.Yearly}
	if slices.Min(all) < 0 || slices.Max(all) == 0 {
		return &tandem.Error{Op: "read retention policy", Kind: tandem.Invalid, Err: errors.New("it names nothing to keep"), Remedy: "say how many to keep, for example 7 daily, 5 weekly and 12 monthly ones"}
	}
	return nil
}

// Candidate is a snapshot on which a policy decides.
type Candidate struct {
	Name   Name
	Proven bool      // its last verification said so
	Until  time.Time // it must be kept until then; zero: no minimum
	Young  bool      // by the vault's own clock its minimum retention has not passed
}

// Decision is what becomes of a snapshot, and why.
type Decision struct {
	Name    Name     `json:"-"`
	Service string   `json:"service"`
	ID      string   `json:"id"`
	Keep    bool     `json:"keep"`
	Why     []string `json:"why"`
}

// Decide applies the policy to the snapshots of one service. Never deleted, whatever the policy says, are the newest one, the
// newest that was proven, and those whose minimum retention has not passed. Which period a snapshot belongs to is told by its
// name; now is compared with minimum retentions alone.
func (p Policy) Decide(all []Candidate, now time.Time) []Decision {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Candidate) int { return strings.Compare(b.Name.ID, a.Name.ID) }) // the newest first
	why := make([][]string, len(all))
	keep := func(i int, format string, args ...any) { why[i] = append(why[i], fmt.Sprintf(format, args...)) }
	if len(all) > 0 {
		keep(0, "the newest")
	}
	if i := slices.IndexFunc(all, func(c Candidate) bool { return c.Proven }); i >= 0 {
		keep(i, "the newest that was proven")
	}
	for i := range min(p.Last, len(all)) {
		keep(i, "one of the last %d", p.Last)
	}
	for _, rule := range []struct {
		n    int
		what string
		of   func(time.Time) string
	}{
		{p.Hourly, "hour", func(t time.Time) string { return t.Format("2006-01-02T15") }},
		{p.Daily, "day", func(t time.Time) string { return t.Format(time.DateOnly) }},
		{p.Weekly, "week", func(t time.Time) string { y, w := t.ISOWeek(); return fmt.Sprintf("%d-W%02d", y, w) }},
		{p.Monthly, "month", func(t time.Time) string { return t.Format("2006-01") }},
		{p.Yearly, "year", func(t time.Time) string { return t.Format("2006") }},
	} {
		left, last := rule.n, ""
		for i, c := range all {
			if period := rule.of(c.Name.Time()); left > 0 && period != last {
				keep(i, "the newest of %s %s", rule.what, period)
				last = period
				left--
			}
		}
	}
	out := make([]Decision, len(all))
	for i, c := range all {
		switch {
		case c.Until.After(now):
			keep(i, "minimum retention until %s", c.Until.UTC().Format(time.RFC3339))
		case c.Young:
			keep(i, "minimum retention, by the vault's clock")
		}
		out[i] = Decision{Name: c.Name, Service: c.Name.Service, ID: c.Name.ID, Keep: len(why[i]) > 0, Why: why[i]}
		if !out[i].Keep {
			out[i].Why = []string{"no rule keeps it"}
		}
	}
	return out
}

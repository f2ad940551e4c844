package recovery

import (
	"time"

	"github.com/netresearch/go-cron"

	"tandem"
	"tandem/internal/workflow/dotnet"
)

// next is the first moment after t at which the schedule fires. The zone's clock changes are the parser's: an hour that is
// skipped does not swallow a run, and one that comes twice fires once.
func (s Schedule) next(t time.Time) (time.Time, error) {
	bad := func(what string, err error, remedy string) (time.Time, error) {
		return time.Time{}, &tandem.Error{Op: "read schedule", Subject: what, Kind: tandem.Invalid, Err: err, Remedy: remedy}
	}
	zone := time.UTC
	if s.TimeZone != "" {
		z, err := dotnet.Zone(s.TimeZone)
		if err != nil {
			return bad(s.TimeZone, err, `name a zone such as "Asia/Kolkata" or "India Standard Time"`)
		}
		zone = z
	}
	parser, err := cron.TryNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	if err != nil {
		return bad(s.Cron, err, "report this")
	}
	plan, err := parser.Parse(s.Cron)
	if err != nil {
		return bad(s.Cron, err, `write five fields, minute first: "0 2 * * *" is every night at two`)
	}
	// The parser carries no zone in a specification without CRON_TZ: it works in the zone of the time it is given.
	next := plan.Next(t.In(zone))
	if next.IsZero() {
		return bad(s.Cron, nil, "name a day that exists")
	}
	// In autumn an hour comes twice; the second one is the same run.
	if earlier := next.Add(-time.Hour); sameWall(earlier, next) && !earlier.After(t) {
		if _, a := earlier.Zone(); a != offset(next) {
			return s.next(next)
		}
	}
	return next, nil
}

func offset(t time.Time) int { _, o := t.Zone(); return o }

func sameWall(a, b time.Time) bool {
	return a.Format("2006-01-02T15:04") == b.Format("2006-01-02T15:04")
}

package dotnet

import (
	"time"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

func offsetVal(utc int64, minutes int) val {
	if utc < 0 || utc > format.MaxTicks {
		csharp.ThrowRange("value", "The UTC time represented when the offset is applied must be between year 0 and 10,000.")
	}
	return csharp.OffsetOf(csharp.DateTimeOffset{UTC: utc, Minutes: int16(minutes)})
}

func wall(v val) int64         { o := v.Offset(); return o.UTC + int64(o.Minutes)*format.TicksPerMinute }
func wallTime(v val) time.Time { return format.GoTime(wall(v)) }

func parseOffset(s string, style int) (csharp.DateTimeOffset, bool) {
	t, ok := written(s)
	utc := t.ticks - int64(t.minutes)*format.TicksPerMinute
	if style&adjustToUniversal != 0 {
		t.minutes = 0
	}
	return csharp.DateTimeOffset{UTC: utc, Minutes: int16(t.minutes)}, ok && utc >= 0 && utc <= format.MaxTicks
}

func mustOffset(s string) csharp.DateTimeOffset {
	o, ok := parseOffset(s, 0)
	if !ok {
		csharp.Throw("FormatException", "String '"+s+"' was not recognized as a valid DateTime.")
	}
	return o
}

func offsetTypes() []def {
	rows := clockParts(wallTime, wall)
	minutes := func(v val) int {
		t := int64(v.N)
		if t%format.TicksPerMinute != 0 {
			csharp.Throw("ArgumentException", "Offset must be specified in whole minutes. (Parameter 'offset')")
		}
		if t > 14*format.TicksPerHour || t < -14*format.TicksPerHour {
			csharp.ThrowRange("offset", "Offset must be within plus or minus 14 hours.")
		}
		return int(t / format.TicksPerMinute)
	}
	moved := func(v val, d int64) val { o := v.Offset(); return offsetVal(o.UTC+d, int(o.Minutes)) }
	add := func(name string, unit int64) member {
		return f("DateTimeOffset "+name+"(double value)", pure(func(a []val) val { return moved(a[0], scaled(a[1].Float(), unit)) }))
	}
	unix := func(name string, per int64) []member {
		return []member{
			f("long ToUnixTime"+name+"()", pure(func(a []val) val {
				t := a[0].Offset().UTC - format.UnixTicks
				q := t / per
				if t%per < 0 {
					q--
				}
				return csharp.Long(q)
			})),
			f("static DateTimeOffset FromUnixTime"+name+"(long value)", pure(func(a []val) val {
				v := int64(a[0].N)
				if v > format.MaxTicks/per || v < -format.MaxTicks/per {
					csharp.ThrowRange("value", "Valid values are between -62135596800 and 253402300799, inclusive.")
				}
				return offsetVal(v*per+format.UnixTicks, 0)
			})),
		}
	}
	months := func(v val, n int) val {
		o := v.Offset()
		t := format.Ticks(addMonths(wallTime(v), n))
		return offsetVal(t-int64(o.Minutes)*format.TicksPerMinute, int(o.Minutes))
	}
	rows = append(rows, unix("Seconds", format.TicksPerSecond)...)
	rows = append(rows, unix("Milliseconds", format.TicksPerMillisecond)...)
	rows = append(rows,
		f("new(DateTime dateTime)", pure(func(a []val) val { return offsetVal(ticksOf(a[0]), 0) })),
		f("new(DateTime dateTime, TimeSpan offset)", pure(func(a []val) val {
			m := minutes(a[1])
			return offsetVal(ticksOf(a[0])-int64(m)*format.TicksPerMinute, m)
		})),
		f("new(long ticks, TimeSpan offset)", pure(func(a []val) val {
			m := minutes(a[1])
			return offsetVal(int64(a[0].N)-int64(m)*format.TicksPerMinute, m)
		})),
		f("new(int year, int month, int day, int hour, int minute, int second, TimeSpan offset)", pure(func(a []val) val {
			m := minutes(a[6])
			return offsetVal(makeDate(ints(a[:6])...)-int64(m)*format.TicksPerMinute, m)
		})),
		f("static DateTimeOffset UtcNow", func(m *mach, _ []val) val { return offsetVal(nowTicks(m), 0) }),
		f("static DateTimeOffset Now", func(m *mach, _ []val) val { return offsetVal(nowTicks(m), 0) }),
		f("static DateTimeOffset MinValue", pure(func([]val) val { return val{} })),
		f("static DateTimeOffset MaxValue", pure(func([]val) val { return offsetVal(format.MaxTicks, 0) })),
		f("static DateTimeOffset UnixEpoch", pure(func([]val) val { return offsetVal(format.UnixTicks, 0) })),
		f("DateTime DateTime", pure(func(a []val) val { return dateOf(wall(a[0]), 0) })),
		f("DateTime UtcDateTime", pure(func(a []val) val { return dateOf(a[0].Offset().UTC, format.UTC) })),
		f("DateTime LocalDateTime", pure(func(a []val) val { return dateOf(a[0].Offset().UTC, format.Local) })),
		f("DateTime Date", pure(func(a []val) val { return dateOf(wall(a[0])-wall(a[0])%format.TicksPerDay, 0) })),
		f("TimeSpan Offset", pure(func(a []val) val { return csharp.Long(int64(a[0].Offset().Minutes) * format.TicksPerMinute) })),
		f("long UtcTicks", pure(func(a []val) val { return csharp.Long(a[0].Offset().UTC) })),
		add("AddDays", format.TicksPerDay), add("AddHours", format.TicksPerHour), add("AddMinutes", format.TicksPerMinute),
		add("AddSeconds", format.TicksPerSecond), add("AddMilliseconds", format.TicksPerMillisecond),
		f("DateTimeOffset AddTicks(long ticks)", pure(func(a []val) val { return moved(a[0], int64(a[1].N)) })),
		f("DateTimeOffset AddMonths(int months)", pure(func(a []val) val { return months(a[0], a[1].Int()) })),
		f("DateTimeOffset AddYears(int years)", pure(func(a []val) val { return months(a[0], 12*a[1].Int()) })),
		f("DateTimeOffset Add(TimeSpan timeSpan)", pure(func(a []val) val { return moved(a[0], int64(a[1].N)) })),
		f("DateTimeOffset Subtract(TimeSpan value)", pure(func(a []val) val { return moved(a[0], -int64(a[1].N)) })),
		f("TimeSpan Subtract(DateTimeOffset value)", pure(func(a []val) val { return csharp.Long(a[0].Offset().UTC - a[1].Offset().UTC) })),
		f("DateTimeOffset ToOffset(TimeSpan offset)", pure(func(a []val) val { return offsetVal(a[0].Offset().UTC, minutes(a[1])) })),
		f("DateTimeOffset ToUniversalTime()", pure(func(a []val) val { return offsetVal(a[0].Offset().UTC, 0) })),
		f("DateTimeOffset ToLocalTime()", pure(func(a []val) val { return offsetVal(a[0].Offset().UTC, 0) })),
		f("static DateTimeOffset Parse(string input)", pure(func(a []val) val { return csharp.OffsetOf(mustOffset(needString(a[0], "input"))) })),
		f("static DateTimeOffset Parse(string input, IFormatProvider formatProvider)", pure(func(a []val) val { return csharp.OffsetOf(mustOffset(needString(a[0], "input"))) })),
		f("static bool TryParse(string input, out DateTimeOffset result)", pure(func(a []val) val {
			o, ok := parseOffset(a[0].S, 0)
			if ok {
				a[1] = csharp.OffsetOf(o)
			} else {
				a[1] = val{}
			}
			return yes(ok)
		})),
		f("static DateTimeOffset ParseExact(string input, string format, IFormatProvider formatProvider)", pure(func(a []val) val {
			t, ok := exact(a[0].S, a[1].S)
			if !ok {
				csharp.Throw("FormatException", "String '"+a[0].S+"' was not recognized as a valid DateTime.")
			}
			return offsetVal(t.ticks-int64(t.minutes)*format.TicksPerMinute, t.minutes)
		})),
		f("int CompareTo(DateTimeOffset other)", pure(func(a []val) val { return num(compareFor(csharp.DateTimeOffT)(a[0], a[1])) })),
		f("bool Equals(DateTimeOffset other)", pure(func(a []val) val { return yes(a[0].N == a[1].N) })),
		f("implicit DateTimeOffset(DateTime dateTime)", pure(func(a []val) val { return offsetVal(ticksOf(a[0]), 0) })),
		f("operator TimeSpan -(DateTimeOffset a, DateTimeOffset b)", pure(func(a []val) val { return csharp.Long(int64(a[0].N) - int64(a[1].N)) })),
		f("operator DateTimeOffset -(DateTimeOffset a, TimeSpan b)", pure(func(a []val) val { return moved(a[0], -int64(a[1].N)) })),
		f("operator DateTimeOffset +(DateTimeOffset a, TimeSpan b)", pure(func(a []val) val { return moved(a[0], int64(a[1].N)) })))
	rows = append(rows, textMembers(csharp.DateTimeOffT)...)
	return []def{{Decl: "extend DateTimeOffset", Members: append(rows, relations(csharp.DateTimeOffT)...)}}
}

func spanOf(t float64) val {
	return csharp.Long(scaledSpan(t))
}

func scaledSpan(t float64) int64 {
	if t != t || t > 9.2e18 || t < -9.2e18 {
		csharp.Throw("OverflowException", "TimeSpan overflowed because the duration is too long.")
	}
	if t < 0 {
		return int64(t - 0.5)
	}
	return int64(t + 0.5)
}

func mustSpan(s string) val {
	t, ok := format.ParseTimeSpan(s)
	if !ok {
		csharp.Throw("FormatException", "String '"+s+"' was not recognized as a valid TimeSpan.")
	}
	return csharp.Long(t)
}

func spanTypes() []def {
	var rows []member
	for _, u := range []struct {
		name       string
		unit, wrap int64
	}{{"Days", format.TicksPerDay, 0}, {"Hours", format.TicksPerHour, 24}, {"Minutes", format.TicksPerMinute, 60}, {"Seconds", format.TicksPerSecond, 60}, {"Milliseconds", format.TicksPerMillisecond, 1000}} {
		rows = append(rows,
			f("static TimeSpan From"+u.name+"(double value)", pure(func(a []val) val { return spanOf(a[0].Float() * float64(u.unit)) })),
			f("double Total"+u.name, pure(func(a []val) val { return csharp.Double(float64(int64(a[0].N)) / float64(u.unit)) })),
			f("int "+u.name, pure(func(a []val) val {
				q := int64(a[0].N) / u.unit
				if u.wrap > 0 {
					q %= u.wrap
				}
				return num(int(q))
			})))
	}
	sum := func(h, m, s int64) int64 {
		return h*format.TicksPerHour + m*format.TicksPerMinute + s*format.TicksPerSecond
	}
	n := func(a []val, i int) int64 { return int64(a[i].N) }
	add := func(x, y int64) val {
		s := x + y
		if (s > x) != (y > 0) && y != 0 {
			csharp.Throw("OverflowException", "TimeSpan overflowed because the duration is too long.")
		}
		return csharp.Long(s)
	}
	rows = append(rows,
		f("new(long ticks)", pure(func(a []val) val { return a[0] })),
		f("new(int hours, int minutes, int seconds)", pure(func(a []val) val { return csharp.Long(sum(n(a, 0), n(a, 1), n(a, 2))) })),
		f("new(int days, int hours, int minutes, int seconds)", pure(func(a []val) val { return csharp.Long(n(a, 0)*format.TicksPerDay + sum(n(a, 1), n(a, 2), n(a, 3))) })),
		f("new(int days, int hours, int minutes, int seconds, int milliseconds)", pure(func(a []val) val {
			return csharp.Long(n(a, 0)*format.TicksPerDay + sum(n(a, 1), n(a, 2), n(a, 3)) + n(a, 4)*format.TicksPerMillisecond)
		})),
		f("static TimeSpan Zero", pure(func([]val) val { return val{} })),
		f("static TimeSpan MaxValue", pure(func([]val) val { return csharp.Long(1<<63 - 1) })),
		f("static TimeSpan MinValue", pure(func([]val) val { return csharp.Long(-1 << 63) })),
		f("static TimeSpan FromTicks(long value)", pure(func(a []val) val { return a[0] })),
		f("static long TicksPerSecond", pure(func([]val) val { return csharp.Long(format.TicksPerSecond) })),
		f("static long TicksPerMillisecond", pure(func([]val) val { return csharp.Long(format.TicksPerMillisecond) })),
		f("long Ticks", pure(func(a []val) val { return a[0] })),
		f("TimeSpan Add(TimeSpan ts)", pure(func(a []val) val { return add(n(a, 0), n(a, 1)) })),
		f("TimeSpan Subtract(TimeSpan ts)", pure(func(a []val) val { return add(n(a, 0), -n(a, 1)) })),
		f("TimeSpan Negate()", pure(func(a []val) val { return csharp.Long(-n(a, 0)) })),
		f("TimeSpan Duration()", pure(func(a []val) val { return csharp.Long(max(n(a, 0), -n(a, 0))) })),
		f("static TimeSpan Parse(string s)", pure(func(a []val) val { return mustSpan(needString(a[0], "s")) })),
		f("static bool TryParse(string s, out TimeSpan result)", pure(func(a []val) val {
			t, ok := format.ParseTimeSpan(a[0].S)
			a[1] = csharp.Long(t)
			return yes(ok)
		})),
		f("int CompareTo(TimeSpan value)", pure(func(a []val) val { return num(compareFor(csharp.TimeSpanT)(a[0], a[1])) })),
		f("bool Equals(TimeSpan obj)", pure(func(a []val) val { return yes(a[0].N == a[1].N) })),
		f("operator TimeSpan +(TimeSpan a, TimeSpan b)", pure(func(a []val) val { return add(n(a, 0), n(a, 1)) })),
		f("operator TimeSpan -(TimeSpan a, TimeSpan b)", pure(func(a []val) val { return add(n(a, 0), -n(a, 1)) })),
		f("operator TimeSpan -(TimeSpan a)", pure(func(a []val) val { return csharp.Long(-n(a, 0)) })))
	rows = append(rows, textMembers(csharp.TimeSpanT)...)
	return []def{{Decl: "extend TimeSpan", Members: append(rows, relations(csharp.TimeSpanT)...)}}
}

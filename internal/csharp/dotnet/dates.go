package dotnet

import (
	"math"
	"time"

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

func dateOf(ticks int64, kind uint64) val {
	if ticks < 0 || ticks > format.MaxTicks {
		csharp.ThrowRange("value", "The added or subtracted value results in an un-representable DateTime.")
	}
	return val{N: uint64(ticks) | kind}
}

func ticksOf(v val) int64    { t, _ := format.Split(v.N); return t }
func kindOf(v val) uint64    { _, k := format.Split(v.N); return k }
func goTime(v val) time.Time { return format.GoTime(ticksOf(v)) }
func nowTicks(m *mach) int64 { return format.Ticks(m.Now().UTC()) }
func addTicks(v val, d int64) val {
	return dateOf(ticksOf(v)+d, kindOf(v))
}

// scaled is a number of units in ticks; .NET rounds AddX of a double to milliseconds in the Framework, to ticks later.
func scaled(x float64, unit int64) int64 {
	t := x * float64(unit)
	if math.IsNaN(t) || math.Abs(t) > float64(format.MaxTicks) {
		csharp.ThrowRange("value", "Value to add was out of range.")
	}
	return int64(math.Round(t))
}

// addMonths keeps the day where the month has it, else the month's last.
func addMonths(t time.Time, n int) time.Time {
	y, mo, d := t.Date()
	first := time.Date(y, mo+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	if first.Year() < 1 || first.Year() > 9999 {
		csharp.ThrowRange("months", "The added or subtracted value results in an un-representable DateTime.")
	}
	d = min(d, daysIn(first.Year(), first.Month()))
	return time.Date(first.Year(), first.Month(), d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

func daysIn(y int, m time.Month) int { return time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day() }

func makeDate(p ...int) int64 {
	for len(p) < 7 {
		p = append(p, 0)
	}
	if p[0] < 1 || p[0] > 9999 || p[1] < 1 || p[1] > 12 || p[2] < 1 || p[2] > daysIn(p[0], time.Month(p[1])) {
		csharp.ThrowRange("", "Year, Month, and Day parameters describe an un-representable DateTime.")
	}
	if p[3] < 0 || p[3] > 23 || p[4] < 0 || p[4] > 59 || p[5] < 0 || p[5] > 59 || p[6] < 0 || p[6] > 999 {
		csharp.ThrowRange("", "Hour, Minute, and Second parameters describe an un-representable DateTime.")
	}
	return format.Ticks(time.Date(p[0], time.Month(p[1]), p[2], p[3], p[4], p[5], p[6]*1e6, time.UTC))
}

func ints(a []val) []int {
	out := make([]int, len(a))
	for i, v := range a {
		out[i] = v.Int()
	}
	return out
}

// parts are the properties that DateTime and DateTimeOffset share.
func clockParts(get func(v val) time.Time, ticks func(v val) int64) []member {
	p := func(name string, fn func(t time.Time) int) member {
		return f("int "+name, pure(func(a []val) val { return num(fn(get(a[0]))) }))
	}
	return []member{
		p("Year", time.Time.Year), p("Month", func(t time.Time) int { return int(t.Month()) }), p("Day", time.Time.Day), p("Hour", time.Time.Hour),
		p("Minute", time.Time.Minute), p("Second", time.Time.Second), p("Millisecond", func(t time.Time) int { return t.Nanosecond() / 1e6 }), p("DayOfYear", time.Time.YearDay),
		f("DayOfWeek DayOfWeek", pure(func(a []val) val { return num(int(get(a[0]).Weekday())) })),
		f("long Ticks", pure(func(a []val) val { return csharp.Long(ticks(a[0])) })),
		f("TimeSpan TimeOfDay", pure(func(a []val) val { return csharp.Long(ticks(a[0]) % format.TicksPerDay) })),
	}
}

func dateTypes() []def {
	rows := clockParts(goTime, ticksOf)
	kinds := func(v val) uint64 { return uint64(v.N) << 62 }
	for _, sig := range []string{"int year, int month, int day", "int year, int month, int day, int hour, int minute, int second",
		"int year, int month, int day, int hour, int minute, int second, int millisecond"} {
		rows = append(rows, f("new("+sig+")", pure(func(a []val) val { return dateOf(makeDate(ints(a)...), 0) })))
		if len(sig) > 40 {
			rows = append(rows, f("new("+sig+", DateTimeKind kind)", pure(func(a []val) val {
				return dateOf(makeDate(ints(a[:len(a)-1])...), kinds(a[len(a)-1]))
			})))
		}
	}
	add := func(name string, unit int64) member {
		return f("DateTime "+name+"(double value)", pure(func(a []val) val { return addTicks(a[0], scaled(a[1].Float(), unit)) }))
	}
	same := func(v val, kind uint64) val { return dateOf(ticksOf(v), kind) }
	span := func(v val) int64 { return int64(v.N) }
	rows = append(rows,
		f("new(long ticks)", pure(func(a []val) val { return dateOf(span(a[0]), 0) })),
		f("new(long ticks, DateTimeKind kind)", pure(func(a []val) val { return dateOf(span(a[0]), kinds(a[1])) })),
		f("static DateTime UtcNow", func(m *mach, _ []val) val { return dateOf(nowTicks(m), format.UTC) }),
		f("static DateTime Now", func(m *mach, _ []val) val { return dateOf(nowTicks(m), format.Local) }),
		f("static DateTime Today", func(m *mach, _ []val) val { t := nowTicks(m); return dateOf(t-t%format.TicksPerDay, format.Local) }),
		f("static DateTime MinValue", pure(func([]val) val { return val{} })),
		f("static DateTime MaxValue", pure(func([]val) val { return dateOf(format.MaxTicks, 0) })),
		f("static DateTime UnixEpoch", pure(func([]val) val { return dateOf(format.UnixTicks, format.UTC) })),
		f("DateTime Date", pure(func(a []val) val { return addTicks(a[0], -(ticksOf(a[0]) % format.TicksPerDay)) })),
		f("DateTimeKind Kind", pure(func(a []val) val { return num(int(kindOf(a[0]) >> 62)) })),
		add("AddDays", format.TicksPerDay), add("AddHours", format.TicksPerHour), add("AddMinutes", format.TicksPerMinute),
		add("AddSeconds", format.TicksPerSecond), add("AddMilliseconds", format.TicksPerMillisecond),
		f("DateTime AddTicks(long value)", pure(func(a []val) val { return addTicks(a[0], span(a[1])) })),
		f("DateTime Add(TimeSpan value)", pure(func(a []val) val { return addTicks(a[0], span(a[1])) })),
		f("DateTime Subtract(TimeSpan value)", pure(func(a []val) val { return addTicks(a[0], -span(a[1])) })),
		f("TimeSpan Subtract(DateTime value)", pure(func(a []val) val { return csharp.Long(ticksOf(a[0]) - ticksOf(a[1])) })),
		f("DateTime AddMonths(int months)", pure(func(a []val) val { return monthsLater(a[0], a[1].Int()) })),
		f("DateTime AddYears(int value)", pure(func(a []val) val { return monthsLater(a[0], 12*a[1].Int()) })),
		f("DateTime ToUniversalTime()", pure(func(a []val) val { return same(a[0], format.UTC) })),
		f("DateTime ToLocalTime()", pure(func(a []val) val { return same(a[0], format.Local) })),
		f("bool IsDaylightSavingTime()", pure(func([]val) val { return yes(false) })),
		f("static DateTime SpecifyKind(DateTime value, DateTimeKind kind)", pure(func(a []val) val { return same(a[0], kinds(a[1])) })),
		f("static bool IsLeapYear(int year)", pure(func(a []val) val { return yes(daysIn(a[0].Int(), 2) == 29) })),
		f("static int DaysInMonth(int year, int month)", pure(func(a []val) val {
			if a[1].Int() < 1 || a[1].Int() > 12 {
				csharp.ThrowRange("month", "Month must be between one and twelve.")
			}
			return num(daysIn(a[0].Int(), time.Month(a[1].Int())))
		})),
		f("static DateTime Parse(string s)", pure(func(a []val) val { return mustDate(needString(a[0], "s")) })),
		f("static DateTime Parse(string s, IFormatProvider provider)", pure(func(a []val) val { return mustDate(needString(a[0], "s")) })),
		f("static DateTime Parse(string s, IFormatProvider provider, DateTimeStyles styles)", pure(func(a []val) val { return styledDate(needString(a[0], "s"), a[2].Int()) })),
		f("static bool TryParse(string s, out DateTime result)", pure(func(a []val) val {
			v, ok := parseDate(a[0].S, 0)
			a[1] = v
			return yes(ok)
		})),
		f("static bool TryParse(string s, IFormatProvider provider, DateTimeStyles styles, out DateTime result)", pure(func(a []val) val {
			v, ok := parseDate(a[0].S, a[2].Int())
			a[3] = v
			return yes(ok)
		})),
		f("static DateTime ParseExact(string s, string format, IFormatProvider provider)", pure(func(a []val) val { return exactDate(a[0].S, []string{a[1].S}, 0) })),
		f("static DateTime ParseExact(string s, string format, IFormatProvider provider, DateTimeStyles style)", pure(func(a []val) val {
			return exactDate(a[0].S, []string{a[1].S}, a[3].Int())
		})),
		f("static bool TryParseExact(string s, string format, IFormatProvider provider, DateTimeStyles style, out DateTime result)", pure(func(a []val) val {
			v, ok := tryExact(a[0].S, []string{a[1].S}, a[3].Int())
			a[4] = v
			return yes(ok)
		})),
		f("static int Compare(DateTime t1, DateTime t2)", pure(func(a []val) val { return num(compareFor(csharp.DateTimeT)(a[0], a[1])) })),
		f("int CompareTo(DateTime value)", pure(func(a []val) val { return num(compareFor(csharp.DateTimeT)(a[0], a[1])) })),
		f("bool Equals(DateTime value)", pure(func(a []val) val { return yes(ticksOf(a[0]) == ticksOf(a[1])) })),
		f("operator TimeSpan -(DateTime a, DateTime b)", pure(func(a []val) val { return csharp.Long(ticksOf(a[0]) - ticksOf(a[1])) })),
		f("operator DateTime -(DateTime a, TimeSpan b)", pure(func(a []val) val { return addTicks(a[0], -span(a[1])) })),
		f("operator DateTime +(DateTime a, TimeSpan b)", pure(func(a []val) val { return addTicks(a[0], span(a[1])) })),
		f("string ToShortDateString()", pure(func(a []val) val { return str(format.DateTime(a[0].N, "d")) })),
		f("string ToShortTimeString()", pure(func(a []val) val { return str(format.DateTime(a[0].N, "t")) })),
		f("string ToLongDateString()", pure(func(a []val) val { return str(format.DateTime(a[0].N, "D")) })),
		f("string ToLongTimeString()", pure(func(a []val) val { return str(format.DateTime(a[0].N, "T")) })))
	rows = append(rows, textMembers(csharp.DateTimeT)...)
	rows = append(rows, relations(csharp.DateTimeT)...)
	return []def{
		{Decl: "extend DateTime", Members: rows},
		{Decl: "enum DateTimeKind", Namespace: system, Values: []string{"Unspecified", "Utc", "Local"}},
		{Decl: "enum DayOfWeek", Namespace: system, Values: []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}},
		{Decl: "flags enum DateTimeStyles", Namespace: "System.Globalization", Values: []string{"None", "AllowLeadingWhite", "AllowTrailingWhite", "AllowInnerWhite=4", "AllowWhiteSpaces=7",
			"NoCurrentDateDefault=8", "AdjustToUniversal=16", "AssumeLocal=32", "AssumeUniversal=64", "RoundtripKind=128"}},
	}
}

func monthsLater(v val, n int) val {
	if n < -120000 || n > 120000 {
		csharp.ThrowRange("months", "Months value must be between +/-120000.")
	}
	t := addMonths(goTime(v), n)
	return dateOf(format.Ticks(t), kindOf(v))
}

// textMembers are ToString and its forms.
func textMembers(t *typ) []member {
	text := func(fm string, v val) val { return str(csharp.FormatValue(v, t, fm)) }
	return []member{
		f("string ToString()", pure(func(a []val) val { return text("", a[0]) })),
		f("string ToString(string format)", pure(func(a []val) val { return text(a[1].S, a[0]) })),
		f("string ToString(IFormatProvider provider)", pure(func(a []val) val { return text("", a[0]) })),
		f("string ToString(string format, IFormatProvider provider)", pure(func(a []val) val { return text(a[1].S, a[0]) })),
		f("int GetHashCode()", pure(func(a []val) val { return hashText(nil, csharp.Text(a[0], t)) })),
		f("bool Equals(object obj)", pure(func(a []val) val { return yes(a[1].R != nil && objectsEqual(csharp.Box(a[0], t), a[1].R)) })),
	}
}

// relations are == != < > <= >= of a type that has an order.
func relations(t *typ) []member {
	by, n := compareFor(t), t.String()
	var rows []member
	for op, ok := range map[string]func(c int) bool{"==": func(c int) bool { return c == 0 }, "!=": func(c int) bool { return c != 0 }, "<": func(c int) bool { return c < 0 },
		">": func(c int) bool { return c > 0 }, "<=": func(c int) bool { return c <= 0 }, ">=": func(c int) bool { return c >= 0 }} {
		rows = append(rows, f("operator bool "+op+"("+n+" a, "+n+" b)", pure(func(a []val) val { return yes(ok(by(a[0], a[1]))) })))
	}
	return rows
}

package dotnet

import (
	"strings"
	"time"
	_ "time/tzdata" // zones must be there on machines without a zone database

	"tandem/internal/csharp"
	"tandem/internal/csharp/format"
)

// windowsZones maps Windows time zone names to IANA ones (territory 001 of CLDR's windowsZones).
const windowsZones = `Dateline Standard Time=Etc/GMT+12|UTC-11=Etc/GMT+11|Aleutian Standard Time=America/Adak|Hawaiian Standard Time=Pacific/Honolulu|Marquesas Standard Time=Pacific/Marquesas|Alaskan Standard Time=America/Anchorage|UTC-09=Etc/GMT+9|Pacific Standard Time (Mexico)=America/Tijuana|UTC-08=Etc/GMT+8|Pacific Standard Time=America/Los_Angeles|US Mountain Standard Time=America/Phoenix|Mountain Standard Time (Mexico)=America/Mazatlan|Mountain Standard Time=America/Denver|Yukon Standard Time=America/Whitehorse|Central America Standard Time=America/Guatemala|Central Standard Time=America/Chicago|Easter Island Standard Time=Pacific/Easter|Central Standard Time (Mexico)=America/Mexico_City|Canada Central Standard Time=America/Regina|SA Pacific Standard Time=America/Bogota|Eastern Standard Time (Mexico)=America/Cancun|Eastern Standard Time=America/New_York|Haiti Standard Time=America/Port-au-Prince|Cuba Standard Time=America/Havana|US Eastern Standard Time=America/Indianapolis|Turks And Caicos Standard Time=America/Grand_Turk|Paraguay Standard Time=America/Asuncion|Atlantic Standard Time=America/Halifax|Venezuela Standard Time=America/Caracas|Central Brazilian Standard Time=America/Cuiaba|SA Western Standard Time=America/La_Paz|Pacific SA Standard Time=America/Santiago|Newfoundland Standard Time=America/St_Johns|Tocantins Standard Time=America/Araguaina|E. South America Standard Time=America/Sao_Paulo|SA Eastern Standard Time=America/Cayenne|Argentina Standard Time=America/Buenos_Aires|Greenland Standard Time=America/Godthab|Montevideo Standard Time=America/Montevideo|Magallanes Standard Time=America/Punta_Arenas|Saint Pierre Standard Time=America/Miquelon|Bahia Standard Time=America/Bahia|UTC-02=Etc/GMT+2|Azores Standard Time=Atlantic/Azores|Cape Verde Standard Time=Atlantic/Cape_Verde|UTC=Etc/UTC|GMT Standard Time=Europe/London|Greenwich Standard Time=Atlantic/Reykjavik|Sao Tome Standard Time=Africa/Sao_Tome|Morocco Standard Time=Africa/Casablanca|W. Europe Standard Time=Europe/Berlin|Central Europe Standard Time=Europe/Budapest|Romance Standard Time=Europe/Paris|Central European Standard Time=Europe/Warsaw|W. Central Africa Standard Time=Africa/Lagos|Jordan Standard Time=Asia/Amman|GTB Standard Time=Europe/Bucharest|Middle East Standard Time=Asia/Beirut|Egypt Standard Time=Africa/Cairo|E. Europe Standard Time=Europe/Chisinau|Syria Standard Time=Asia/Damascus|West Bank Standard Time=Asia/Hebron|South Africa Standard Time=Africa/Johannesburg|FLE Standard Time=Europe/Kiev|Israel Standard Time=Asia/Jerusalem|South Sudan Standard Time=Africa/Juba|Kaliningrad Standard Time=Europe/Kaliningrad|Sudan Standard Time=Africa/Khartoum|Libya Standard Time=Africa/Tripoli|Namibia Standard Time=Africa/Windhoek|Arabic Standard Time=Asia/Baghdad|Turkey Standard Time=Europe/Istanbul|Arab Standard Time=Asia/Riyadh|Belarus Standard Time=Europe/Minsk|Russian Standard Time=Europe/Moscow|E. Africa Standard Time=Africa/Nairobi|Iran Standard Time=Asia/Tehran|Arabian Standard Time=Asia/Dubai|Astrakhan Standard Time=Europe/Astrakhan|Azerbaijan Standard Time=Asia/Baku|Russia Time Zone 3=Europe/Samara|Mauritius Standard Time=Indian/Mauritius|Saratov Standard Time=Europe/Saratov|Georgian Standard Time=Asia/Tbilisi|Volgograd Standard Time=Europe/Volgograd|Caucasus Standard Time=Asia/Yerevan|Afghanistan Standard Time=Asia/Kabul|West Asia Standard Time=Asia/Tashkent|Ekaterinburg Standard Time=Asia/Yekaterinburg|Pakistan Standard Time=Asia/Karachi|Qyzylorda Standard Time=Asia/Qyzylorda|India Standard Time=Asia/Calcutta|Sri Lanka Standard Time=Asia/Colombo|Nepal Standard Time=Asia/Katmandu|Central Asia Standard Time=Asia/Bishkek|Bangladesh Standard Time=Asia/Dhaka|Omsk Standard Time=Asia/Omsk|Myanmar Standard Time=Asia/Rangoon|SE Asia Standard Time=Asia/Bangkok|Altai Standard Time=Asia/Barnaul|W. Mongolia Standard Time=Asia/Hovd|North Asia Standard Time=Asia/Krasnoyarsk|N. Central Asia Standard Time=Asia/Novosibirsk|Tomsk Standard Time=Asia/Tomsk|China Standard Time=Asia/Shanghai|North Asia East Standard Time=Asia/Irkutsk|Singapore Standard Time=Asia/Singapore|W. Australia Standard Time=Australia/Perth|Taipei Standard Time=Asia/Taipei|Ulaanbaatar Standard Time=Asia/Ulaanbaatar|Aus Central W. Standard Time=Australia/Eucla|Transbaikal Standard Time=Asia/Chita|Tokyo Standard Time=Asia/Tokyo|North Korea Standard Time=Asia/Pyongyang|Korea Standard Time=Asia/Seoul|Yakutsk Standard Time=Asia/Yakutsk|Cen. Australia Standard Time=Australia/Adelaide|AUS Central Standard Time=Australia/Darwin|E. Australia Standard Time=Australia/Brisbane|AUS Eastern Standard Time=Australia/Sydney|West Pacific Standard Time=Pacific/Port_Moresby|Tasmania Standard Time=Australia/Hobart|Vladivostok Standard Time=Asia/Vladivostok|Lord Howe Standard Time=Australia/Lord_Howe|Bougainville Standard Time=Pacific/Bougainville|Russia Time Zone 10=Asia/Srednekolymsk|Magadan Standard Time=Asia/Magadan|Norfolk Standard Time=Pacific/Norfolk|Sakhalin Standard Time=Asia/Sakhalin|Central Pacific Standard Time=Pacific/Guadalcanal|Russia Time Zone 11=Asia/Kamchatka|New Zealand Standard Time=Pacific/Auckland|UTC+12=Etc/GMT-12|Fiji Standard Time=Pacific/Fiji|Chatham Islands Standard Time=Pacific/Chatham|UTC+13=Etc/GMT-13|Tonga Standard Time=Pacific/Tongatapu|Samoa Standard Time=Pacific/Apia|Line Islands Standard Time=Pacific/Kiritimati`

// zone is a TimeZoneInfo.
type zone struct {
	id  string
	loc *time.Location
}

// NetString implements csharp.Texter.
func (z *zone) NetString() string { return z.id }

// NetKey implements csharp.Equaler.
func (z *zone) NetKey() any { return "zone " + z.id }

func findZone(id string) *zone {
	iana := id
	for pair := range strings.SplitSeq(windowsZones, "|") {
		if win, name, _ := strings.Cut(pair, "="); strings.EqualFold(win, id) {
			id, iana = win, name
			break
		}
	}
	loc, err := time.LoadLocation(iana)
	if err != nil || id == "" || id == "Local" {
		csharp.Throw("TimeZoneNotFoundException", "The time zone ID '"+id+"' was not found on the local computer.")
	}
	return &zone{id, loc}
}

// at is the offset of the zone at a UTC time, in ticks.
func (z *zone) at(utc int64) int64 {
	_, sec := format.GoTime(utc).In(z.loc).Zone()
	return int64(sec) * format.TicksPerSecond
}

// utc converts the zone's wall clock; of two candidates .NET takes standard time, and it refuses times that do not exist.
func (z *zone) utc(wall int64) int64 {
	t := format.GoTime(wall)
	y, mo, d := t.Date()
	l := time.Date(y, mo, d, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), z.loc)
	if l.Hour() != t.Hour() || l.Minute() != t.Minute() {
		csharp.Throw("ArgumentException", "The supplied DateTime represents an invalid time. For example, when the clock is adjusted forward, any time in the period that is skipped is invalid. (Parameter 'dateTime')")
	}
	utc := l.Unix()*format.TicksPerSecond + format.UnixTicks + wall%format.TicksPerSecond
	if later := utc + format.TicksPerHour; l.IsDST() && later+z.at(later) == wall {
		return later
	}
	return utc
}

func zoneTypes() []def {
	me := self[*zone]
	to := func(v val, z *zone) val {
		t := ticksOf(v)
		if z.loc == time.UTC || z.id == "UTC" {
			return dateOf(t, format.UTC)
		}
		return dateOf(t+z.at(t), 0)
	}
	from := func(v val, z *zone) val {
		if kindOf(v) == format.UTC {
			return v
		}
		return dateOf(z.utc(ticksOf(v)), format.UTC)
	}
	arg := func(v val) *zone {
		z, ok := v.R.(*zone)
		if !ok {
			csharp.ThrowNull("sourceTimeZone")
		}
		return z
	}
	offset := func(z *zone, v val) int64 {
		if kindOf(v) == format.Unspecified {
			return ticksOf(v) - z.utc(ticksOf(v))
		}
		return z.at(ticksOf(v))
	}
	move := func(v val, z *zone) val {
		o := v.Offset()
		return offsetVal(o.UTC, int(z.at(o.UTC)/format.TicksPerMinute))
	}
	utc := &zone{"UTC", time.UTC}
	return []def{{Decl: "class TimeZoneInfo", Namespace: system, Is: is[*zone], Members: []member{
		f("static TimeZoneInfo Utc", pure(func([]val) val { return ref(utc) })),
		f("static TimeZoneInfo Local", pure(func([]val) val { return ref(utc) })),
		f("static TimeZoneInfo FindSystemTimeZoneById(string id)", pure(func(a []val) val { return ref(findZone(needString(a[0], "id"))) })),
		f("static DateTime ConvertTimeToUtc(DateTime dateTime)", pure(func(a []val) val { return dateOf(ticksOf(a[0]), format.UTC) })),
		f("static DateTime ConvertTimeToUtc(DateTime dateTime, TimeZoneInfo sourceTimeZone)", pure(func(a []val) val { return from(a[0], arg(a[1])) })),
		f("static DateTime ConvertTimeFromUtc(DateTime dateTime, TimeZoneInfo destinationTimeZone)", pure(func(a []val) val { return to(a[0], arg(a[1])) })),
		f("static DateTime ConvertTime(DateTime dateTime, TimeZoneInfo destinationTimeZone)", pure(func(a []val) val { return to(a[0], arg(a[1])) })),
		f("static DateTime ConvertTime(DateTime dateTime, TimeZoneInfo sourceTimeZone, TimeZoneInfo destinationTimeZone)", pure(func(a []val) val {
			return to(from(a[0], arg(a[1])), arg(a[2]))
		})),
		f("static DateTimeOffset ConvertTime(DateTimeOffset dateTimeOffset, TimeZoneInfo destinationTimeZone)", pure(func(a []val) val { return move(a[0], arg(a[1])) })),
		f("static DateTime ConvertTimeBySystemTimeZoneId(DateTime dateTime, string destinationTimeZoneId)", pure(func(a []val) val { return to(a[0], findZone(a[1].S)) })),
		f("static DateTimeOffset ConvertTimeBySystemTimeZoneId(DateTimeOffset dateTimeOffset, string destinationTimeZoneId)", pure(func(a []val) val { return move(a[0], findZone(a[1].S)) })),
		f("string Id", pure(func(a []val) val { return str(me(a).id) })),
		f("string DisplayName", pure(func(a []val) val { return str(me(a).id) })),
		f("string StandardName", pure(func(a []val) val { return str(me(a).id) })),
		f("TimeSpan BaseUtcOffset", pure(func(a []val) val {
			_, sec := time.Date(2020, 1, 1, 0, 0, 0, 0, me(a).loc).Zone()
			_, july := time.Date(2020, 7, 1, 0, 0, 0, 0, me(a).loc).Zone()
			return csharp.Long(int64(min(sec, july)) * format.TicksPerSecond)
		})),
		f("TimeSpan GetUtcOffset(DateTime dateTime)", pure(func(a []val) val { return csharp.Long(offset(me(a), a[1])) })),
		f("TimeSpan GetUtcOffset(DateTimeOffset dateTimeOffset)", pure(func(a []val) val { return csharp.Long(me(a).at(a[1].Offset().UTC)) })),
		f("bool IsDaylightSavingTime(DateTime dateTime)", pure(func(a []val) val {
			t := ticksOf(a[1])
			return yes(format.GoTime(t - offset(me(a), a[1])).In(me(a).loc).IsDST())
		})),
		f("bool SupportsDaylightSavingTime", pure(func(a []val) val {
			return yes(time.Date(2024, 1, 1, 0, 0, 0, 0, me(a).loc).IsDST() != time.Date(2024, 7, 1, 0, 0, 0, 0, me(a).loc).IsDST())
		})),
	}}}
}

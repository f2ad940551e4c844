package format

import (
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "double")
		if back, err := strconv.ParseFloat(Float(f, 64), 64); !math.IsInf(f, 0) && (err != nil || back != f) {
			t.Errorf("%v is written %s", f, Float(f, 64))
		}
		ticks := rapid.Int64Range(-TicksPerDay*1000, TicksPerDay*1000).Draw(t, "ticks")
		if back, ok := ParseTimeSpan(TimeSpan(ticks, "c")); !ok || back != ticks {
			t.Errorf("%d ticks are written %s and read %d", ticks, TimeSpan(ticks, "c"), back)
		}
		g := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "guid"))
		for _, f := range []string{"D", "N", "B", "P"} {
			if back, ok := ParseGuid(Guid(g, f), f); !ok || back != g {
				t.Errorf("%x is written %s", g, Guid(g, f))
			}
		}
		a, b := DecimalOf(rapid.Int64().Draw(t, "a")), DecimalOf(rapid.Int64().Draw(t, "b"))
		sum, ok := a.Add(b)
		back, ok2 := sum.Sub(b)
		if !ok || !ok2 || back.Cmp(a) != 0 {
			t.Errorf("%s + %s - %s = %s", a, b, b, back)
		}
		now := rapid.Int64Range(0, MaxTicks).Draw(t, "date")
		if Ticks(GoTime(now)) != now {
			t.Errorf("%d ticks become %d", now, Ticks(GoTime(now)))
		}
	})
}

// TestNumberFormats is a table of .NET's documented output.
func TestNumberFormats(t *testing.T) {
	for _, c := range []struct {
		v    float64
		f    string
		want string
	}{{1234.5678, "F2", "1234.57"}, {-1234.5678, "N1", "-1,234.6"}, {1234.5678, "E2", "1.23E+003"}, {0.000012, "G3", "1.2E-05"}, {1234.5678, "G3", "1.23E+03"},
		{123.456, "C", "¤123.46"}, {-5, "C0", "(¤5)"}, {0.256, "P0", "26 %"}, {12, "000.00", "012.00"}, {1234567, "0,,.0M", "1.2M"}, {0.3, "#.##", ".3"}, {5, "#,#", "5"},
		{1234567, "#,#", "1,234,567"}, {86000, "0.0E+0", "8.6E+4"}, {-7, "0;neg 0", "neg 7"}, {3, "'n'0\\%", "n3%"}, {math.NaN(), "F2", "NaN"}} {
		if got, err := Double(c.v, 64, c.f); err != nil || got != c.want {
			t.Errorf("%v in %q: got %q, %v, want %q", c.v, c.f, got, err, c.want)
		}
	}
	if _, err := Double(1, 64, "D2"); err == nil {
		t.Error("a double has no format D")
	}
}

package recurrence

import (
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tandem/internal/workflow/dotnet"
	"tandem/internal/workflow/value"
)

// TestSlots plays testdata/slots.txt: a title, a recurrence and when it is enabled, then the slots one after another.
func TestSlots(t *testing.T) {
	file, err := os.ReadFile("testdata/slots.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(file), "\n")
	for _, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		lines := strings.Split(block, "\n")
		t.Run(lines[0], func(t *testing.T) {
			definition, at, _ := strings.Cut(lines[1], " | ")
			r := read(t, definition)
			enabled, err := time.Parse(time.RFC3339, at)
			if err != nil {
				t.Fatal(err)
			}
			slot, ok := r.First(enabled)
			for i, want := range lines[2:] {
				if i > 0 {
					slot, ok = r.Next(enabled, slot.Time)
				}
				want, key, hasKey := strings.Cut(want, " key ")
				got := "none"
				if ok {
					got = slot.Time.Format(time.RFC3339)
				}
				if got != want || hasKey && slot.Key != key {
					t.Errorf("slot %d is %s with key %s, want %s", i, got, slot.Key, lines[2+i])
				}
			}
		})
	}
}

func read(t interface{ Fatal(...any) }, text string) *Recurrence {
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r, problems := Read(v)
	if problems != nil {
		t.Fatal(problems)
	}
	return r
}

func TestReadRefuses(t *testing.T) {
	for text, path := range map[string]string{
		`[]`:                                                  "",
		`{"frequency":"Fortnight","interval":1}`:              "frequency",
		`{"frequency":"Day","interval":501}`:                  "interval",
		`{"frequency":"Day","interval":0}`:                    "interval",
		`{"frequency":"Day","interval":1.5}`:                  "interval",
		`{"frequency":"Day","interval":1,"timeZone":"Mars"}`:  "timeZone",
		`{"frequency":"Day","interval":1,"startTime":"soon"}`: "startTime",
		`{"frequency":"Day","interval":1,"startTime":"2026-02-01","endTime":"2026-01-01"}`: "endTime",
		`{"frequency":"Hour","interval":1,"schedule":{"minutes":[1]}}`:                     "schedule.minutes",
		`{"frequency":"Day","interval":1,"schedule":{"hours":[24]}}`:                       "schedule.hours[0]",
		`{"frequency":"Day","interval":1,"schedule":{"weekDays":["Monday"]}}`:              "schedule.weekDays",
		`{"frequency":"Week","interval":1,"schedule":{"weekDays":["Funday"]}}`:             "schedule.weekDays[0]",
		`{"frequency":"Month","interval":1,"schedule":{"monthDays":[0]}}`:                  "schedule.monthDays[0]",
		`{"frequency":"Month","interval":1,"schedule":{"monthlyOccurrences":[{}]}}`:        "schedule.monthlyOccurrences[0]",
		`{"frequency":"Day","interval":1,"cron":"* *"}`:                                    "cron",
	} {
		v, err := value.Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		_, problems := Read(v)
		if len(problems) != 1 || problems[0].Path != path || problems[0].Remedy == "" {
			t.Errorf("%s: %v, want one at %q", text, problems, path)
		}
	}
}

// TestSlotsNeverRepeat: through the zone changes of any year, slots only go forward, no key comes twice, and every day of
// a daily schedule has its slot.
func TestSlotsNeverRepeat(t *testing.T) {
	zones := []string{"Eastern Standard Time", "W. Europe Standard Time", "Lord Howe Standard Time", "Samoa Standard Time",
		"India Standard Time", "Morocco Standard Time", "Cuba Standard Time", "Azores Standard Time"}
	rapid.Check(t, func(t *rapid.T) {
		zone, err := dotnet.Zone(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		r := &Recurrence{Frequency: Day, Interval: 1, Zone: zone, Schedule: Schedule{
			Hours:   rapid.SliceOfNDistinct(rapid.IntRange(0, 23), 1, 3, rapid.ID[int]).Draw(t, "hours"),
			Minutes: rapid.SliceOfNDistinct(rapid.IntRange(0, 59), 1, 2, rapid.ID[int]).Draw(t, "minutes"),
		}}
		at := time.Unix(rapid.Int64Range(1_400_000_000, 1_900_000_000).Draw(t, "enabled"), 0)
		seen := map[string]bool{}
		slot, ok := r.First(at)
		if !ok || slot.Time.Before(at) {
			t.Fatalf("first slot %v of a trigger enabled at %v", slot, at)
		}
		for range 40 {
			if seen[slot.Key] {
				t.Fatalf("the slot %s comes twice", slot.Key)
			}
			seen[slot.Key] = true
			next, ok := r.Next(at, slot.Time)
			if !ok || !next.Time.After(slot.Time) || next.Time.Sub(slot.Time) > 49*time.Hour {
				t.Fatalf("after %v comes %v", slot, next)
			}
			slot = next
		}
	})
}

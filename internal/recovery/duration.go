package recovery

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time as people write it: "500ms", "3s", "26h", and also in ISO 8601: "PT3S", "P1DT2H". It is
// written back in the first form.
type Duration time.Duration

func (d Duration) or(fallback time.Duration) time.Duration {
	if d == 0 {
		return fallback
	}
	return time.Duration(d)
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(plainDuration(time.Duration(d))), nil }

// plainDuration is d without the zero units that String writes: "26h", not "26h0m0s".
func plainDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// ParseDuration reads a duration. Years and months have no length of their own and are refused.
func ParseDuration(s string) (time.Duration, error) {
	v, err := time.ParseDuration(s)
	if err != nil {
		v, err = isoDuration(s)
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no length of time; write 500ms, 3s, 26h or PT3S", s)
	case v < 0:
		return 0, fmt.Errorf("%q is below zero", s)
	case v > 0 && v < time.Millisecond:
		return 0, fmt.Errorf("%q is shorter than a millisecond", s)
	}
	return v, nil
}

func isoDuration(s string) (time.Duration, error) {
	form := regexp.MustCompile(`^P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9}(?:\.\d{1,3})?)S)?)?$`)
	m := form.FindStringSubmatch(strings.ToUpper(s))
	if m == nil || strings.HasSuffix(strings.ToUpper(s), "T") || strings.EqualFold(s, "P") {
		return 0, errors.New("not ISO 8601")
	}
	var sum float64
	for i, unit := range []float64{7 * 24 * 3600, 24 * 3600, 3600, 60, 1} {
		if m[i+1] != "" {
			n, err := strconv.ParseFloat(m[i+1], 64)
			if err != nil {
				return 0, err
			}
			sum += n * unit
		}
	}
	return time.Duration(sum * float64(time.Second)).Round(time.Millisecond), nil
}

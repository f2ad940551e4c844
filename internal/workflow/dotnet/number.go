package dotnet

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"tandem"
)

func badNumberFormat(format, why string) error {
	return &tandem.Error{Op: "read .NET number format", Subject: fmt.Sprintf("%q", format), Kind: tandem.Invalid, Err: fmt.Errorf("%s", why),
		Remedy: "use a standard format (C D E F G N P X with digits, as in N2) or a custom one such as #,##0.00"}
}

// FormatNumber writes a number by a standard or custom .NET format. Currency is that of en-US, everything else the
// invariant culture. Ties round away from zero, as .NET Framework does.
func FormatNumber(v float64, integer bool, format string) (string, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "", badNumberFormat(format, "the number is not finite")
	}
	if format == "" {
		format = "G"
	}
	letter, digits, standard := standardNumber(format)
	if !standard {
		return customNumber(v, format)
	}
	sign, abs := "", math.Abs(v)
	places := func(def int) int {
		if digits < 0 {
			return def
		}
		return digits
	}
	minus := func(s string) string {
		if v < 0 && strings.ContainsAny(s, "123456789") {
			sign = "-"
		}
		return sign + s
	}
	switch letter &^ 0x20 {
	case 'C':
		s := group(fixed(abs, places(2)))
		if v < 0 && strings.ContainsAny(s, "123456789") {
			return "($" + s + ")", nil
		}
		return "$" + s, nil
	case 'D':
		if !integer {
			return "", badNumberFormat(format, "D is for whole numbers")
		}
		s := strconv.FormatInt(int64(abs), 10)
		return minus(strings.Repeat("0", max(0, places(0)-len(s))) + s), nil
	case 'E':
		return exponent(v, places(6), letter == 'E'), nil
	case 'F':
		return minus(fixed(abs, places(2))), nil
	case 'N':
		return minus(group(fixed(abs, places(2)))), nil
	case 'P':
		return minus(group(fixed(abs*100, places(2)))) + " %", nil
	case 'X':
		if !integer {
			return "", badNumberFormat(format, "X is for whole numbers")
		}
		s := strconv.FormatUint(uint64(int64(v)), 16)
		if letter == 'X' {
			s = strings.ToUpper(s)
		}
		return strings.Repeat("0", max(0, places(0)-len(s))) + s, nil
	case 'R':
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	default: // G
		if digits <= 0 {
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		}
		return strings.ToUpper(strconv.FormatFloat(v, 'g', digits, 64)), nil
	}
}

func standardNumber(format string) (letter byte, digits int, ok bool) {
	if strings.IndexByte("CDEFGNPRXcdefgnprx", format[0]) < 0 || len(format) > 3 {
		return 0, 0, false
	}
	if len(format) == 1 {
		return format[0], -1, true
	}
	n, err := strconv.Atoi(format[1:])
	return format[0], n, err == nil && n >= 0
}

// fixed rounds half away from zero on the shortest decimal that stands for v, as .NET Framework does.
func fixed(v float64, places int) string {
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(v, 'g', 15, 64))
	if !ok {
		return strconv.FormatFloat(v, 'f', places, 64)
	}
	return r.FloatString(places) // rounds half away from zero
}

func group(s string) string {
	whole, frac, _ := strings.Cut(s, ".")
	var b strings.Builder
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	if frac != "" {
		b.WriteString("." + frac)
	}
	return b.String()
}

func exponent(v float64, places int, upper bool) string {
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(v, 'e', 14, 64), "e")
	if r, ok := new(big.Rat).SetString(mantissa); ok {
		mantissa = r.FloatString(places)
	}
	power, _ := strconv.Atoi(exp) // FormatFloat wrote it
	if strings.HasPrefix(strings.TrimPrefix(mantissa, "-"), "10") {
		mantissa = strings.Replace(mantissa, "10", "1", 1)
		power++
	}
	e := "e"
	if upper {
		e = "E"
	}
	return fmt.Sprintf("%s%s%+04d", mantissa, e, power)
}

// customNumber writes by a format of 0 # . , % and literals, with sections for positive, negative and zero.
func customNumber(v float64, format string) (string, error) {
	sections := splitSections(format)
	section, abs, sign := sections[0], math.Abs(v), ""
	switch {
	case v < 0 && len(sections) > 1 && sections[1] != "":
		section = sections[1]
	case v < 0:
		sign = "-"
	case v == 0 && len(sections) > 2 && sections[2] != "":
		section = sections[2]
	}
	p, err := readPicture(format, section)
	if err != nil {
		return "", err
	}
	for range p.percent {
		abs *= 100
	}
	for range p.thousandths {
		abs /= 1000
	}
	out := p.write(abs)
	if sign != "" && !strings.ContainsAny(out, "123456789") {
		sign = ""
	}
	return sign + out, nil
}

func splitSections(format string) []string {
	var out []string
	start, quote := 0, byte(0)
	for i := 0; i < len(format); i++ {
		switch c := format[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '\\':
			i++
		case c == ';':
			out = append(out, format[start:i])
			start = i + 1
		}
	}
	return append(out, format[start:])
}

package dotnet

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"tandem/internal/csharp"
)

// .NET counts strings in UTF-16 units, Go keeps them in UTF-8. For ASCII, which is nearly all there is, both agree.

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func units(s string) []uint16 { return utf16.Encode([]rune(s)) }

func fromUnits(u []uint16) string { return string(utf16.Decode(u)) }

func length(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < 0x80 || c >= 0xC0 && c < 0xF0:
			n++
		case c >= 0xF0:
			n += 2
		}
	}
	return n
}

// byteAt gives the byte offset of the unit at i, which is in 0..length(s).
func byteAt(s string, i int) int {
	if i <= 0 {
		return 0
	}
	n := 0
	for at, r := range s {
		if n >= i {
			return at
		}
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return len(s)
}

// unitAt gives the unit index of a byte offset.
func unitAt(s string, at int) int { return length(s[:at]) }

func substring(s string, from, n int) string {
	if ascii(s) {
		if from < 0 || n < 0 || from+n > len(s) {
			substringError(len(s), from, n)
		}
		return s[from : from+n]
	}
	u := units(s)
	if from < 0 || n < 0 || from+n > len(u) {
		substringError(len(u), from, n)
	}
	return fromUnits(u[from : from+n])
}

func substringError(size, from, n int) {
	switch {
	case from < 0:
		csharp.ThrowRange("startIndex", "StartIndex cannot be less than zero.")
	case from > size:
		csharp.ThrowRange("startIndex", "startIndex cannot be larger than length of string.")
	case n < 0:
		csharp.ThrowRange("length", "Length cannot be less than zero.")
	}
	csharp.ThrowRange("length", "Index and length must refer to a location within the string.")
}

// upper and lower map rune by rune, as ToUpperInvariant does.
func upper(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 'ß' || r == 'ı' {
			return r
		}
		return unicode.ToUpper(r)
	}, s)
}

func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 'İ' {
			return r
		}
		return unicode.ToLower(r)
	}, s)
}

func charText(v val) string { return string(rune(uint16(v.N))) }

// charsText makes a string of chars, joining surrogate pairs.
func charsText(chars []val) string {
	u := make([]uint16, len(chars))
	for i, c := range chars {
		u[i] = uint16(c.N)
	}
	return fromUnits(u)
}

func splitTrim(s string) []string {
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// white is .NET's char.IsWhiteSpace.
func white(r rune) bool {
	return unicode.IsSpace(r) || r == 0x1c || r == 0x1d || r == 0x1e || r == 0x1f
}

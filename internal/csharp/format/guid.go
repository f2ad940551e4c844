package format

import (
	"encoding/hex"
	"strings"
)

// Guid writes the 16 bytes of ToByteArray in the format D, N, B, P (or X, see FormatGuid).
func Guid(g [16]byte, f string) string {
	s, _ := FormatGuid(g, f)
	return s
}

// FormatGuid writes a Guid in one of .NET's formats.
func FormatGuid(g [16]byte, f string) (string, error) {
	h := hex.EncodeToString([]byte{g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6]}) + hex.EncodeToString(g[8:])
	d := h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	switch f {
	case "", "D", "d":
		return d, nil
	case "N", "n":
		return h, nil
	case "B", "b":
		return "{" + d + "}", nil
	case "P", "p":
		return "(" + d + ")", nil
	case "X", "x":
		s := "{0x" + h[:8] + ",0x" + h[8:12] + ",0x" + h[12:16] + ",{"
		for i := 16; i < 32; i += 2 {
			if i > 16 {
				s += ","
			}
			s += "0x" + h[i:i+2]
		}
		return s + "}}", nil
	}
	return "", errGuidFormat
}

var errGuidFormat = textError(`Format string can be only "D", "d", "N", "n", "P", "p", "B", "b", "X" or "x".`)

type textError string

func (e textError) Error() string { return string(e) }

// ParseGuid reads a Guid in the formats D, N, B and P. With f set only that one.
func ParseGuid(s, f string) (g [16]byte, ok bool) {
	s = strings.TrimSpace(s)
	form := "D"
	switch {
	case len(s) == 38 && s[0] == '{' && s[37] == '}':
		form, s = "B", s[1:37]
	case len(s) == 38 && s[0] == '(' && s[37] == ')':
		form, s = "P", s[1:37]
	case len(s) == 32:
		form = "N"
	}
	if f != "" && !strings.EqualFold(f, form) {
		return g, false
	}
	if form != "N" {
		if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return g, false
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 16 {
		return g, false
	}
	copy(g[:], []byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6]})
	copy(g[8:], b[8:])
	return g, true
}

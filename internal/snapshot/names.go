package snapshot

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// pieceLen is how long a folder name may become before it is cut: file systems stop at 255 bytes.
const pieceLen = 200

// typeLen is how long a type may be in a file's name; the longest of API Management has 26 characters.
const typeLen = 100

// split takes a resource's path apart; ok is false where it is not made of pairs of type and name.
func split(path string) ([]string, bool) {
	parts := strings.Split(path, "/")
	if len(parts)%2 != 0 {
		return nil, false
	}
	for _, p := range parts {
		if p == "" {
			return nil, false
		}
	}
	return parts, true
}

// stem gives the folder of a resource, and textual whether its type keeps its text in a file of its own.
func stem(path string) (folder string, textual bool, err error) {
	parts, ok := split(path)
	if !ok {
		return "", false, errors.New("the path is not made of pairs of type and name")
	}
	var b strings.Builder
	for i, p := range parts {
		if i%2 == 0 {
			if i > 0 {
				b.WriteByte('/')
			}
			if p = escapeType(p); len(p) > typeLen {
				return "", false, errors.New("a type in the path is too long")
			}
			b.WriteString(p)
			continue
		}
		b.WriteByte('/')
		writePieces(&b, escapeName(p))
	}
	return b.String(), textualType(parts[len(parts)-2]), nil
}

// textualType tells the types whose properties.value is a text that people edit.
func textualType(t string) bool {
	return strings.EqualFold(t, "policies") || strings.EqualFold(t, "policyFragments")
}

// singular names one resource of a type: apis, api; policies, policy.
func singular(t string) string {
	if s, ok := strings.CutSuffix(t, "ies"); ok {
		return s + "y"
	}
	return strings.TrimSuffix(t, "s")
}

// informationFile is the last part of the name of a resource's document.
func informationFile(path string) string {
	parts := strings.Split(path, "/")
	return escapeType(singular(parts[len(parts)-2])) + "Information.json"
}

const upperHex = "0123456789ABCDEF"

func appendHex(b []byte, c byte) []byte { return append(b, '%', upperHex[c>>4], upperHex[c&15]) }

func escapeType(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !typeChar(byte(r)) || r >= utf8.RuneSelf }) {
		return s
	}
	var b []byte
	for i := range len(s) {
		if typeChar(s[i]) {
			b = append(b, s[i])
		} else {
			b = appendHex(b, s[i])
		}
	}
	return string(b)
}

func typeChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// escapeName writes a name so that every file system takes it (docs/format.md, section 4, rule 2).
func escapeName(s string) string {
	dot := -1 // of the suffix that has to be escaped
	for _, suffix := range []string{".xml", ".json"} {
		if len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix) {
			dot = len(s) - len(suffix)
		}
	}
	device := reserved(s)
	var b []byte
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1, r < 0x20, r == 0x7f, r < utf8.RuneSelf && strings.IndexByte(`/\<>:"|?*%`, byte(r)) >= 0,
			r == '.' && (i == 0 || i == dot), (r == '.' || r == ' ') && i == len(s)-1, i == 0 && device:
			b = appendHex(b, s[i])
		default:
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return string(b)
}

// reserved tells the names that Windows keeps for devices.
func reserved(s string) bool {
	base, _, _ := strings.Cut(s, ".")
	switch len(base) {
	case 3:
		return strings.EqualFold(base, "con") || strings.EqualFold(base, "prn") || strings.EqualFold(base, "aux") || strings.EqualFold(base, "nul")
	case 4:
		return (strings.EqualFold(base[:3], "com") || strings.EqualFold(base[:3], "lpt")) && '0' <= base[3] && base[3] <= '9'
	}
	return false
}

// writePieces writes an escaped segment, cut into folders where it is too long.
func writePieces(b *strings.Builder, s string) {
	for len(s) > pieceLen {
		cut := pieceLen
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		if at := strings.LastIndexByte(s[cut-2:cut], '%'); at >= 0 { // not inside of %XX
			cut += at - 2
		}
		b.WriteString(s[:cut] + "%+/")
		s = s[cut:]
	}
	b.WriteString(s)
}

// resourcePath reads a file's name: the path of the resource that it belongs to, and whether it is one of the pair .json
// and .xml of a textual one. ok is false where no path gives that name.
func resourcePath(file string) (path string, paired, ok bool) {
	if file == serviceFile {
		return "", false, true
	}
	folder, ok := strings.CutSuffix(file, ".xml")
	if !ok {
		if folder, ok = strings.CutSuffix(file, ".json"); !ok {
			return "", false, false
		}
		if at := strings.LastIndexByte(file, '/'); at >= 0 && strings.HasSuffix(folder, "Information") {
			if path, ok := unescape(folder[:at]); ok && file[at+1:] == informationFile(path) {
				return path, false, sameStem(path, file[:at])
			}
		}
	}
	path, ok = unescape(folder)
	if !ok {
		return "", false, false
	}
	parts, ok := split(path)
	return path, true, ok && textualType(parts[len(parts)-2]) && sameStem(path, folder)
}

// sameStem tells whether folder is what the mapping gives: any other spelling is refused.
func sameStem(path, folder string) bool {
	again, _, err := stem(path)
	return err == nil && again == folder
}

// unescape joins pieces and decodes %XX. The result is a path of pairs.
func unescape(folder string) (string, bool) {
	folder = strings.ReplaceAll(folder, "%+/", "")
	b := make([]byte, 0, len(folder))
	for i := 0; i < len(folder); i++ {
		if folder[i] != '%' {
			b = append(b, folder[i])
			continue
		}
		if i+2 >= len(folder) {
			return "", false
		}
		high, low := strings.IndexByte(upperHex, folder[i+1]), strings.IndexByte(upperHex, folder[i+2])
		if high < 0 || low < 0 || byte(high<<4|low) == '/' { // a slash ends a segment in a path too
			return "", false
		}
		b = append(b, byte(high<<4|low))
		i += 2
	}
	path := string(b)
	_, ok := split(path)
	return path, ok
}

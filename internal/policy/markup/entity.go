package markup

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// entity decodes the entity at the start of s, which begins with "&": the character, and the length of the entity. Zero
// length: there is none, and the "&" stands for itself, as people write it.
func entity(s string) (string, int) {
	end := strings.IndexByte(s[:min(len(s), 12)], ';')
	if end < 2 {
		return "", 0
	}
	switch s[1:end] {
	case "lt":
		return "<", end + 1
	case "gt":
		return ">", end + 1
	case "amp":
		return "&", end + 1
	case "quot":
		return `"`, end + 1
	case "apos":
		return "'", end + 1
	}
	if s[1] != '#' {
		return "", 0
	}
	digits, base := s[2:end], 10
	if digits != "" && (digits[0] == 'x' || digits[0] == 'X') {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n == 0 || !utf8.ValidRune(rune(n)) {
		return "", 0
	}
	return string(rune(n)), end + 1
}

// hasEntity tells whether s has an entity that decode would change.
func hasEntity(s string) bool {
	for {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			return false
		}
		if _, n := entity(s[i:]); n > 0 {
			return true
		}
		s = s[i+1:]
	}
}

// decode replaces the entities of s, which stands at source offset base, and marks where offsets shift.
func decode(s string, base int) (string, []mark) {
	if !hasEntity(s) {
		return s, nil
	}
	var b strings.Builder
	b.Grow(len(s))
	var marks []mark
	for i := 0; i < len(s); {
		if s[i] == '&' {
			if r, n := entity(s[i:]); n > 0 {
				marks = append(marks, mark{text: b.Len(), src: base + i})
				b.WriteString(r)
				i += n
				marks = append(marks, mark{text: b.Len(), src: base + i})
				continue
			}
		}
		next := strings.IndexByte(s[i+1:], '&')
		if next < 0 {
			b.WriteString(s[i:])
			break
		}
		b.WriteString(s[i : i+1+next])
		i += 1 + next
	}
	return b.String(), marks
}

// sourceOf turns an offset in decoded text back into one in the source, given the marks.
func sourceOf(marks []mark, base, i int) int {
	n := sort.Search(len(marks), func(k int) bool { return marks[k].text > i })
	if n == 0 {
		return base + i
	}
	m := marks[n-1]
	if m.flat {
		return m.src
	}
	return m.src + i - m.text
}

// Decode replaces the entities of s.
func Decode(s string) string {
	out, _ := decode(s, 0)
	return out
}

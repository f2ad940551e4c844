package template

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

func encodingFunctions() map[string]builtin {
	one := func(f func(a *arguments, s string) any) builtin {
		return builtin{min: 1, max: 1, call: func(a *arguments) (any, error) { return f(a, a.text(0)), nil }}
	}
	return map[string]builtin{
		"base64":         one(func(_ *arguments, s string) any { return base64.StdEncoding.EncodeToString([]byte(s)) }),
		"base64tostring": one(func(a *arguments, s string) any { return a.unbase64(s) }),
		"base64tojson":   one(func(a *arguments, s string) any { return a.readJSON(a.unbase64(s)) }),
		"json":           one(func(a *arguments, s string) any { return a.readJSON(s) }),
		"datauri": one(func(_ *arguments, s string) any {
			return "data:text/plain;charset=utf8;base64," + base64.StdEncoding.EncodeToString([]byte(s))
		}),
		"datauritostring": one(func(a *arguments, s string) any { return a.readDataURI(s) }),
		"uricomponent":    one(func(_ *arguments, s string) any { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }),
		"uricomponenttostring": one(func(a *arguments, s string) any {
			out, err := url.PathUnescape(s)
			if err != nil {
				a.fail("%q is not percent-encoded", s)
			}
			return out
		}),
		"uri":          {min: 2, max: 2, call: joinURI},
		"guid":         {min: 1, max: -1, call: func(a *arguments) (any, error) { return guid(a.texts(0)), nil }},
		"uniquestring": {min: 1, max: -1, call: func(a *arguments) (any, error) { return uniqueString(a.texts(0)), nil }},
	}
}

func (a *arguments) unbase64(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		a.fail("the text is not base64")
	}
	return string(b)
}

func (a *arguments) readJSON(s string) any {
	if a.err != nil {
		return nil
	}
	v, err := ReadJSON([]byte(s))
	if err != nil {
		a.fail("the text is not JSON: %v", err)
	}
	return v
}

func (a *arguments) readDataURI(s string) string {
	head, body, ok := strings.Cut(s, ",")
	if !ok || !strings.HasPrefix(strings.ToLower(head), "data:") {
		a.fail("the text is not a data URI")
		return ""
	}
	if strings.HasSuffix(strings.ToLower(head), ";base64") {
		return a.unbase64(body)
	}
	out, err := url.PathUnescape(body)
	if err != nil {
		a.fail("the text is not a data URI")
	}
	return out
}

func joinURI(a *arguments) (any, error) {
	base, err := url.Parse(a.text(0))
	if err == nil && !base.IsAbs() {
		a.fail("the first argument must be an absolute address")
		return nil, nil
	}
	rest, restErr := url.Parse(a.text(1))
	if err != nil || restErr != nil {
		a.fail("the arguments must be addresses")
		return nil, nil
	}
	return base.ResolveReference(rest).String(), nil
}

// guid is a version 5 UUID of the values, joined by hyphens, in the name space that Azure documents for it.
func guid(values []string) string {
	space := uuid.MustParse("11fb06fb-712d-4ddd-98c7-e71bbd588830")
	return uuid.NewSHA1(space, []byte(strings.Join(values, "-"))).String()
}

// uniqueString is Azure's: a 64-bit hash of the values, joined by hyphens, in 13 letters and digits. Azure does not document
// the hash; it is a variant of MurmurHash3 that was worked out from its results.
func uniqueString(values []string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	h := murmur([]byte(strings.Join(values, "-")))
	out := make([]byte, 13)
	for i := range out {
		out[i] = letters[h>>59]
		h <<= 5
	}
	return string(out)
}

func murmur(data []byte) uint64 {
	const c1, c2 = 0x239b961b, 0xab0e9789
	one := func(k uint32) uint32 { return bits.RotateLeft32(k*c1, 15) * c2 }
	two := func(k uint32) uint32 { return bits.RotateLeft32(k*c2, 17) * c1 }
	last := func(b []byte) uint32 {
		var four [4]byte
		copy(four[:], b)
		return binary.LittleEndian.Uint32(four[:])
	}
	var h1, h2 uint32
	rest := data
	for ; len(rest) >= 8; rest = rest[8:] {
		h1 ^= one(binary.LittleEndian.Uint32(rest))
		h1 = (bits.RotateLeft32(h1, 19)+h2)*5 + 0x561ccd1b
		h2 ^= two(binary.LittleEndian.Uint32(rest[4:]))
		h2 = (bits.RotateLeft32(h2, 13)+h1)*5 + 0x0bcaa747
	}
	if len(rest) > 0 {
		h1 ^= one(last(rest[:min(4, len(rest))]))
	}
	if len(rest) > 4 {
		h2 ^= two(last(rest[4:]))
	}
	h1 ^= uint32(len(data)) //nolint:gosec // an expression is short
	h2 ^= uint32(len(data)) //nolint:gosec // likewise
	mix := func() { h1 += h2; h2 += h1 }
	end := func(h uint32) uint32 {
		h = (h ^ h>>16) * 0x85ebca6b
		h = (h ^ h>>13) * 0xc2b2ae35
		return h ^ h>>16
	}
	mix()
	h1, h2 = end(h1), end(h2)
	mix()
	return uint64(h2)<<32 | uint64(h1)
}

// compact writes a value as JSON in one line.
func compact(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

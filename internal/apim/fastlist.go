package apim

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// A list of resources that are shown as they are stored is written from the stored bytes: nothing is decoded and encoded
// again. That is most of a page's time.

// splitDocument finds ids and properties in a stored document without decoding it; false where it is not written as
// Document.encode writes, or an id needs decoding.
func splitDocument(value []byte) (ids []string, properties []byte, ok bool) {
	rest, ok := bytes.CutPrefix(value, []byte(`{"ids":[`))
	if !ok {
		return nil, nil, false
	}
	for {
		if len(rest) == 0 || rest[0] != '"' {
			return nil, nil, false
		}
		end := bytes.IndexByte(rest[1:], '"')
		if end < 0 || bytes.IndexByte(rest[1:1+end], '\\') >= 0 {
			return nil, nil, false
		}
		ids, rest = append(ids, string(rest[1:1+end])), rest[2+end:]
		if len(rest) > 0 && rest[0] == ',' {
			rest = rest[1:]
			continue
		}
		break
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(`],"properties":`)); !ok {
		return nil, nil, false
	}
	end := objectEnd(rest)
	return ids, rest[:max(end, 0)], end > 0
}

// objectEnd is where the object ends that JSON begins with; -1 where it does not begin with one.
func objectEnd(b []byte) int {
	if len(b) == 0 || b[0] != '{' {
		return -1
	}
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			for {
				skip := bytes.IndexByte(b[i+1:], '"')
				if skip < 0 {
					return -1
				}
				i += skip + 1
				escapes := 0
				for b[i-1-escapes] == '\\' {
					escapes++
				}
				if escapes%2 == 0 {
					break
				}
			}
		}
	}
	return -1
}

// appendText appends text as JSON.
func appendText(to []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(text)
			if err != nil { // text is always encodable
				return append(to, `""`...)
			}
			return append(to, quoted...)
		}
	}
	return append(append(append(to, '"'), text...), '"')
}

// appendResource appends a resource's envelope around properties that are JSON already.
func appendResource(to []byte, id, name, typ string, properties []byte) []byte {
	to = appendText(append(to, `{"id":`...), id)
	to = appendText(append(to, `,"name":`...), name)
	to = appendText(append(to, `,"type":`...), typ)
	to = append(append(to, `,"properties":`...), properties...)
	return append(to, '}')
}

// encoded is the answer of a list whose items were written as JSON one after the other, with commas.
func encoded(items []byte, count *int64, next string) json.RawMessage {
	out := make([]byte, 0, len(items)+len(next)+64)
	out = append(append(append(out, `{"value":[`...), items...), ']')
	if count != nil {
		out = strconv.AppendInt(append(out, `,"count":`...), *count, 10)
	}
	if next != "" {
		out = appendText(append(out, `,"nextLink":`...), next)
	}
	return append(out, '}')
}

package expr

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"tandem/internal/workflow/value"
)

func decode64(s string) ([]byte, error) {
	s = strings.Join(strings.Fields(s), "")
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("the text is not base64: %w", err)
	}
	return data, nil
}

// readDataURI reads data:[<type>][;base64],<data> (RFC 2397).
func readDataURI(s string) ([]byte, string, error) {
	rest, ok := strings.CutPrefix(s, "data:")
	head, data, comma := strings.Cut(rest, ",")
	if !ok || !comma {
		return nil, "", fmt.Errorf("%q is no data URI; it begins with data: and has a comma", clip(s))
	}
	mediaType, encoded := strings.CutSuffix(head, ";base64")
	if mediaType == "" {
		mediaType = "text/plain;charset=US-ASCII"
	}
	if !encoded {
		return []byte(unescape(data)), mediaType, nil
	}
	out, err := decode64(unescape(data))
	return out, mediaType, err
}

func conversionFunctions() []function {
	base64ToString := func(a *args) (any, error) {
		data, err := decode64(a.text(0))
		return string(data), err
	}
	dataURIToBinary := func(a *args) (any, error) {
		data, mediaType, err := readDataURI(a.text(0))
		return NewContent(data, mediaType), err
	}
	encodeComponent := func(a *args) (any, error) { return escape(string(bytesOf(a.any(0)))), nil }
	decodeComponent := func(a *args) (any, error) { return unescape(a.text(0)), nil }
	return []function{
		{name: "array", min: 1, max: 1, eval: func(a *args) (any, error) {
			if list, ok := a.any(0).([]any); ok {
				return list, nil
			}
			return []any{a.any(0)}, nil
		}},
		{name: "createArray", min: 1, max: -1, eval: func(a *args) (any, error) { return append([]any{}, a.values...), nil }},
		{name: "base64", min: 1, max: 1, eval: func(a *args) (any, error) {
			return base64.StdEncoding.EncodeToString(bytesOf(a.any(0))), nil
		}},
		{name: "base64ToBinary", min: 1, max: 1, eval: func(a *args) (any, error) {
			data, err := decode64(a.text(0))
			return NewContent(data, OctetStream), err
		}},
		{name: "base64ToString", min: 1, max: 1, eval: base64ToString},
		{name: "decodeBase64", min: 1, max: 1, eval: base64ToString},
		{name: "binary", min: 1, max: 1, eval: func(a *args) (any, error) { return NewContent(bytesOf(a.any(0)), OctetStream), nil }},
		{name: "bool", min: 1, max: 1, eval: toBool},
		{name: "dataUri", min: 1, max: 1, eval: func(a *args) (any, error) {
			data, mediaType, ok := Content(a.any(0))
			if !ok {
				data, mediaType = bytesOf(a.any(0)), "text/plain;charset=utf-8"
			}
			return "data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(data), nil
		}},
		{name: "dataUriToBinary", min: 1, max: 1, eval: dataURIToBinary},
		{name: "decodeDataUri", min: 1, max: 1, eval: dataURIToBinary},
		{name: "dataUriToString", min: 1, max: 1, eval: func(a *args) (any, error) {
			data, _, err := readDataURI(a.text(0))
			return string(data), err
		}},
		{name: "decimal", min: 1, max: 1, eval: func(a *args) (any, error) {
			if _, ok := value.Float(a.any(0)); ok {
				return a.any(0), nil
			}
			s := strings.TrimPrefix(strings.TrimSpace(a.text(0)), "+")
			if !decimalText.MatchString(s) {
				return nil, fmt.Errorf("%q is no decimal number", clip(s))
			}
			return value.Number(s), nil
		}},
		{name: "decodeUriComponent", min: 1, max: 1, eval: decodeComponent},
		{name: "encodeUriComponent", min: 1, max: 1, eval: encodeComponent},
		{name: "float", min: 1, max: 2, check: func(c *call) error { return checkLocale(c, 1) }, eval: toFloat},
		{name: "int", min: 1, max: 1, eval: toInt},
		{name: "json", min: 1, max: 1, eval: toJSON},
		{name: "string", min: 1, max: 1, eval: func(a *args) (any, error) { return ContentText(a.any(0)), nil }},
		{name: "uriComponent", min: 1, max: 1, eval: encodeComponent},
		{name: "uriComponentToBinary", min: 1, max: 1, eval: func(a *args) (any, error) {
			return NewContent([]byte(unescape(a.text(0))), OctetStream), nil
		}},
		{name: "uriComponentToString", min: 1, max: 1, eval: decodeComponent},
	}
}

var decimalText = regexp.MustCompile(`^-?(0|[1-9]\d{0,28})(\.\d{1,28})?$`)

func toBool(a *args) (any, error) {
	switch v := a.any(0).(type) {
	case bool:
		return v, nil
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "1":
			return true, nil
		case "false", "0":
			return false, nil
		}
		return nil, fmt.Errorf(`%q is neither "true" nor "false"`, clip(v))
	}
	if f, ok := value.Float(a.any(0)); ok {
		return f != 0, nil
	}
	a.wrong(0, "a Boolean, a number or a string")
	return nil, nil
}

func toFloat(a *args) (any, error) {
	if err := supportedLocale(a.textOr(1, "")); err != nil {
		return nil, err
	}
	if f, ok := value.Float(a.any(0)); ok {
		return f, nil
	}
	f, ok := readFloat(a.text(0))
	if a.err == nil && !ok {
		return nil, fmt.Errorf("%q is no number", clip(a.text(0)))
	}
	return f, nil
}

func toInt(a *args) (any, error) {
	switch v := a.any(0).(type) {
	case int64:
		return v, nil
	case bool:
		return map[bool]int64{true: 1}[v], nil
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no integer of 64 bits", clip(v))
		}
		return n, nil
	case float64:
		if math.Abs(v) < 1<<62 {
			return int64(math.RoundToEven(v)), nil
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && math.Abs(f) < 1<<62 {
			return int64(math.RoundToEven(f)), nil
		}
	}
	a.wrong(0, "a number or a string that fits into 64 bits")
	return nil, nil
}

func toJSON(a *args) (any, error) {
	if data, mediaType, ok := Content(a.any(0)); ok {
		if isXML(mediaType) {
			return xmlToJSON(data)
		}
		return value.Decode(data)
	}
	switch v := a.any(0).(type) {
	case string:
		return value.Decode([]byte(v))
	default:
		return v, nil
	}
}

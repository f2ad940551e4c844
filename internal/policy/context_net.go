package policy

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tandem/internal/csharp"
	"tandem/internal/csharp/dotnet"
	"tandem/internal/exchange"
)

type exchangeBody = exchange.Body

// Programs over one string by which Go reaches .NET's parsers.
var (
	parseObject     = &helper{src: "@(JObject.Parse(it))", typ: "string"}
	parseToken      = &helper{src: "@(JToken.Parse(it))", typ: "string"}
	parseDictionary = &helper{src: "@(JsonConvert.DeserializeObject<Dictionary<string, object>>(it))", typ: "string"}
	tokenJSON       = &helper{src: "@(it.ToString(Formatting.None))", typ: "JToken"}
	bodyParsers     = map[string]*helper{
		"JObject":   parseObject,
		"JToken":    parseToken,
		"JArray":    {src: "@(JArray.Parse(it))", typ: "string"},
		"XElement":  {src: "@(XElement.Parse(it))", typ: "string"},
		"XNode":     {src: "@(XElement.Parse(it))", typ: "string"},
		"XDocument": {src: "@(XDocument.Parse(it))", typ: "string"},
	}
)

func uriOf(s string) csharp.Value {
	v, ok := dotnet.NewURI(s)
	if !ok {
		csharp.Throw("UriFormatException", "Invalid URI: The format of the URI could not be determined.")
	}
	return v
}

func statusText(code int) string { return http.StatusText(code) }

// contextType gives a type of the context by name.
func contextType(name string) *csharp.Type {
	lib, _ := library()
	t, err := lib.Type(name)
	if err != nil {
		return csharp.Object
	}
	return t
}

// formatDate writes a time by a .NET format.
func formatDate(t time.Time, format string) (string, error) {
	var out string
	err := csharp.Catch(func() { out = csharp.FormatValue(dateTime(t), csharp.DateTimeT, format) })
	return out, err
}

// encodeBoxed writes a value for a cache: its type in one letter, then its text.
func encodeBoxed(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return []byte("n"), nil
	case string:
		return append([]byte("s"), v...), nil
	case bool:
		return fmt.Appendf(nil, "b%t", v), nil
	case int32:
		return fmt.Appendf(nil, "i%d", v), nil
	case int64:
		return fmt.Appendf(nil, "l%d", v), nil
	case float64:
		return fmt.Appendf(nil, "d%v", v), nil
	case csharp.DateTime:
		return fmt.Appendf(nil, "t%d", uint64(v)), nil
	case csharp.Guid:
		return append([]byte("g"), v[:]...), nil
	case *csharp.Array:
		if v.Elem.Kind == csharp.KindByte {
			return append([]byte("y"), v.Bytes...), nil
		}
	case *Answer:
		body, err := v.Body.Bytes(1 << 40)
		if err != nil {
			return nil, err
		}
		b, err := json.Marshal(storedResponse{Status: v.Status, Reason: v.Reason, Header: v.Header, Body: body})
		return append([]byte("r"), b...), err
	case *dotnet.Jwt:
		return append([]byte("w"), v.Raw...), nil
	}
	t := csharp.TypeOf(v)
	switch t.String() {
	case "JObject", "JArray", "JToken", "JValue":
		s, err := tokenJSON.run(csharp.Ref(v))
		return append([]byte("j"), s.S...), err
	case "XElement":
		return append([]byte("x"), csharp.ObjectText(v)...), nil
	}
	return nil, fmt.Errorf("a value of type %s cannot be kept in the cache", t)
}

// decodeBoxed reads what encodeBoxed wrote.
func decodeBoxed(b []byte) (any, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("the cached value is empty")
	}
	kind, text := b[0], string(b[1:])
	switch kind {
	case 'n':
		return nil, nil
	case 's':
		return text, nil
	case 'b':
		return text == "true", nil
	case 'i':
		var i int32
		_, err := fmt.Sscan(text, &i)
		return i, err
	case 'l':
		var i int64
		_, err := fmt.Sscan(text, &i)
		return i, err
	case 'd':
		var f float64
		_, err := fmt.Sscan(text, &f)
		return f, err
	case 't':
		var u uint64
		_, err := fmt.Sscan(text, &u)
		return csharp.DateTime(u), err
	case 'g':
		var g csharp.Guid
		copy(g[:], text)
		return g, nil
	case 'y':
		return csharp.BytesValue(bytes.Clone(b[1:])).R, nil
	case 'r':
		var r storedResponse
		err := json.Unmarshal(b[1:], &r)
		return &Answer{Response: exchange.Response{Message: exchange.Message{Header: r.Header, Body: exchange.Bytes(r.Body)}, Status: r.Status, Reason: r.Reason}}, err
	case 'w':
		j, _ := dotnet.ReadJwt(text)
		return j, nil
	case 'j':
		v, err := parseToken.run(netString(text))
		return v.R, err
	case 'x':
		v, err := bodyParsers["XElement"].run(netString(text))
		return v.R, err
	}
	return nil, fmt.Errorf("the cached value is of an unknown kind")
}

// traceValue is a variable's value as a debugger shows it.
func traceValue(v any) any {
	switch v := v.(type) {
	case nil, bool, int32, int64, float64, string:
		return v
	case *Answer:
		b, err := v.Body.Bytes(1 << 40)
		if err != nil {
			return nil
		}
		return map[string]any{"status": v.Status, "body": string(b[:min(len(b), 4096)])}
	}
	return csharp.ObjectText(v)
}

// Forms are read and written by small programs too, so that what expressions get are .NET's own collections.
var (
	parseForm = &helper{typ: "string", src: `@{
		var form = new Dictionary<string, IList<string>>();
		foreach (var pair in it.Split(new[] { '&' }, StringSplitOptions.RemoveEmptyEntries)) {
			var i = pair.IndexOf('=');
			var name = WebUtility.UrlDecode(i < 0 ? pair : pair.Substring(0, i));
			var value = i < 0 ? "" : WebUtility.UrlDecode(pair.Substring(i + 1));
			if (!form.ContainsKey(name)) { form[name] = new List<string>(); }
			form[name].Add(value);
		}
		return form;
	}`}
	writeForm = &helper{typ: "IDictionary<string, IList<string>>", src: `@{
		var parts = new List<string>();
		foreach (var pair in it) {
			foreach (var value in pair.Value) { parts.Add(WebUtility.UrlEncode(pair.Key) + "=" + WebUtility.UrlEncode(value)); }
		}
		return string.Join("&", parts);
	}`}
)

func formContent(s string) csharp.Value { return throwing(parseForm.run(netString(s))) }

// netCertificate makes an X509Certificate2.
func netCertificate(c *x509.Certificate, key crypto.PrivateKey) csharp.Value {
	return csharp.Ref(&dotnet.Certificate{X509: c, Key: key})
}

// quoteJSON writes a JSON string.
func quoteJSON(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

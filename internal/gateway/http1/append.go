package http1

import (
	"net/http"
	"strconv"

	"tandem/internal/exchange"
)

func appendStatusLine(b []byte, status int, reason string) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	if reason == "" {
		reason = http.StatusText(status)
	}
	b = appendText(b, reason)
	return append(b, "\r\n"...)
}

// appendText appends a field value or a reason phrase. Policies may have put anything into it: control characters become
// spaces, so that no text can begin a new line.
func appendText(b []byte, s string) []byte {
	if cleanText(s) {
		return append(b, s...)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < ' ' && c != '\t' || c == 0x7f {
			c = ' '
		}
		b = append(b, c)
	}
	return b
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = appendText(b, value)
	return append(b, "\r\n"...)
}

// appendTrailer appends the trailer section and the empty line that ends a chunked body.
func appendTrailer(b []byte, trailer exchange.Header) []byte {
	b = append(b, "0\r\n"...)
	for _, f := range trailer {
		if validToken(f.Name) && !forbiddenTrailer(f.Name) {
			b = appendField(b, f.Name, f.Value)
		}
	}
	return append(b, "\r\n"...)
}

// chunkRoom is what a chunk of at most 64 KiB needs beside its data: four digits, CRLF before and CRLF after.
const chunkRoom = 8

// putChunkSize writes the size line of a chunk of n bytes, six bytes long, to b.
func putChunkSize(b []byte, n int) {
	const digits = "0123456789abcdef"
	b[0], b[1], b[2], b[3] = digits[n>>12&15], digits[n>>8&15], digits[n>>4&15], digits[n&15]
	b[4], b[5] = '\r', '\n'
}

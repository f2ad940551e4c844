package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"tandem/internal/exchange"
)

func limitsForTest() *Limits {
	l := Limits{}.withDefaults()
	return &l
}

// What the strict parser takes, the standard library reads the same way; and what is written of it reads the same again.
func FuzzRequestHead(f *testing.F) {
	f.Add([]byte("GET /a?b=c HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"))
	f.Add([]byte("POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close, x\r\n\r\n"))
	f.Add([]byte("PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nUpgrade: z\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: [::1]:80\r\nExpect: 100-continue\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		end, _, err := headEnd(data, 0)
		if err != nil || end <= 2 {
			return
		}
		var r exchange.Request
		var fa facts
		if _, err := parseRequest(string(data[:end]), &r, limitsForTest(), &fa); err != nil {
			return
		}
		std, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data[:end])))
		if err != nil {
			// The standard library also reads the URL's inside; it must at least agree on the framing.
			if !strings.Contains(err.Error(), "parse ") && !strings.Contains(err.Error(), "URI") {
				t.Fatalf("taken: %q; the standard library: %v", data[:end], err)
			}
			return
		}
		if std.Method != r.Method || std.ContentLength != lengthOf(&fa) {
			t.Fatalf("%q: method %q, length %d; the standard library: %q, %d", data[:end], r.Method, lengthOf(&fa), std.Method, std.ContentLength)
		}
		for _, field := range r.Header {
			if !validToken(field.Name) || !cleanText(field.Value) || field.Value != trimOWS(field.Value) {
				t.Fatalf("field %q", field)
			}
		}
		if r.URL.Host == "" {
			return // HTTP/1.0; a policy gives it a backend's host
		}
		c := &call{}
		head, _ := c.appendHead(nil, &r, false)
		var again exchange.Request
		var fb facts
		if _, err := parseRequest(string(head), &again, limitsForTest(), &fb); err != nil {
			t.Fatalf("written %q of %q: %v", head, data[:end], err)
		}
		if again.URL.Path != r.URL.Path || again.URL.Query != r.URL.Query || again.Method != r.Method || fb.coding {
			t.Fatalf("written %q of %q", head, data[:end])
		}
	})
}

func lengthOf(f *facts) int64 {
	if f.chunked {
		return -1
	}
	return max(f.length, 0)
}

func FuzzResponseHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 404\r\nConnection: keep-alive\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		end, _, err := headEnd(data, 0)
		if err != nil || end <= 2 {
			return
		}
		var r exchange.Response
		var fa facts
		if _, err := parseResponse(string(data[:end]), &r, maxResponseFields, &fa); err != nil {
			return
		}
		std, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data[:end])), &http.Request{Method: "GET"})
		if err != nil {
			t.Fatalf("taken: %q; the standard library: %v", data[:end], err)
		}
		if std.StatusCode != r.Status || hasBody("GET", r.Status) && (fa.length >= 0 || fa.chunked) && std.ContentLength != lengthOf(&fa) {
			t.Fatalf("%q: %d %d; the standard library: %d %d", data[:end], r.Status, lengthOf(&fa), std.StatusCode, std.ContentLength)
		}
	})
}

// slowSource gives data in small pieces, as a connection may.
type slowSource struct {
	data  []byte
	piece int
	over  int // calls of ended
}

func (s *slowSource) receive(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.data[:min(len(s.data), s.piece)])
	s.data = s.data[n:]
	return n, nil
}

func (s *slowSource) ended(error) { s.over++ }

func readChunks(data []byte, piece, part int) (body []byte, trailer exchange.Header, rest int, err error, over int) {
	src := &slowSource{data: data, piece: piece}
	b := &bodyReader{source: src, in: &input{buf: make([]byte, smallBuffer)}, kind: bodyChunked, room: -1, trailer: &trailer, maxTrail: 100}
	p := make([]byte, part)
	for err == nil {
		var n int
		n, err = b.Read(p)
		body = append(body, p[:n]...)
	}
	return body, trailer, len(src.data) + b.in.w - b.in.r, err, src.over
}

// The chunks read the same however they are cut, and as the standard library reads them.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"), uint8(1), uint8(1))
	f.Add([]byte("a;x=\"y\"\r\n0123456789\r\n0\r\nX: y\r\n\r\nmore"), uint8(7), uint8(3))
	f.Add([]byte("0\r\n\r\n"), uint8(100), uint8(100))
	f.Add([]byte("3\r\nabcX\r\n"), uint8(5), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, piece, part uint8) {
		whole, trailer, rest, err, over := readChunks(data, 1<<20, 1<<16)
		cut, trailer2, rest2, err2, over2 := readChunks(data, int(piece)+1, int(part)+1)
		if !bytes.Equal(whole, cut) || rest != rest2 || (err == io.EOF) != (err2 == io.EOF) || len(trailer) != len(trailer2) {
			t.Fatalf("at once %q %d %v, in pieces %q %d %v", whole, rest, err, cut, rest2, err2)
		}
		if over != 1 || over2 != 1 {
			t.Fatalf("ended %d and %d times", over, over2)
		}
		if err != io.EOF {
			return
		}
		req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(
			strings.NewReader("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), bytes.NewReader(data))))
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(req.Body); err != nil || !bytes.Equal(body, whole) {
			t.Fatalf("taken %q; the standard library: %q, %v", whole, body, err)
		}
	})
}

func TestCleanText(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			s := []byte(strings.Repeat("\xe9", 20))
			s[at] = byte(c)
			want := c >= ' ' && c != 0x7f || c == '\t'
			if cleanText(string(s)) != want {
				t.Fatalf("byte %#x at %d: want %v", c, at, want)
			}
		}
	}
}

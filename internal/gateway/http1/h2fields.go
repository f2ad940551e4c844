package http1

import (
	"golang.org/x/net/http2/hpack"
)

// hopField is a field name of one connection as HPACK writes it.
type hopField struct{ plain, huffman string }

func hopFieldOf(name string) hopField {
	return hopField{name, string(hpack.AppendHuffmanString(nil, name))}
}

// Fields that RFC 9113, section 8.2.2 forbids, TE apart, which may say "trailers" and nothing else.
var (
	h2Forbidden = [...]hopField{hopFieldOf("connection"), hopFieldOf("keep-alive"), hopFieldOf("proxy-connection"), hopFieldOf("transfer-encoding"), hopFieldOf("upgrade")}
	h2TE        = hopFieldOf("te")
	h2Trailers  = hopFieldOf("trailers")
)

// staticTransferEncoding is the place of transfer-encoding in HPACK's static table (RFC 7541, appendix A).
const staticTransferEncoding = 57

// oneHopOnly tells whether a field block names a field of one connection, as far as that shows without HPACK's state: names
// are spelled out the first time that a connection uses them, and such a stream is refused. What uses a name again from the
// dynamic table is the server's to refuse. A block that is not well formed is the server's, too.
func oneHopOnly(block []byte) bool {
	for len(block) > 0 {
		b := block[0]
		var index int
		var ok bool
		switch {
		case b&0x80 != 0: // indexed field
			if index, block, ok = hpackInt(block, 7); !ok {
				return false
			}
			if index == staticTransferEncoding {
				return true
			}
			continue
		case b&0xe0 == 0x20: // size of the table
			if _, block, ok = hpackInt(block, 5); !ok {
				return false
			}
			continue
		case b&0xc0 == 0x40: // literal that goes into the table
			index, block, ok = hpackInt(block, 6)
		default: // literal that does not
			index, block, ok = hpackInt(block, 4)
		}
		if !ok {
			return false
		}
		te := false
		if index == 0 {
			var name hpackText
			if name, block, ok = hpackString(block); !ok {
				return false
			}
			for i := range h2Forbidden {
				if name.is(&h2Forbidden[i]) {
					return true
				}
			}
			te = name.is(&h2TE)
		}
		value, rest, ok := hpackString(block)
		if !ok {
			return false
		}
		if index == staticTransferEncoding || te && !value.is(&h2Trailers) {
			return true
		}
		block = rest
	}
	return false
}

// hpackText is a string literal, maybe in Huffman's code.
type hpackText struct {
	huffman bool
	raw     []byte
}

func (t hpackText) is(f *hopField) bool {
	if t.huffman {
		return string(t.raw) == f.huffman
	}
	return string(t.raw) == f.plain
}

func hpackString(b []byte) (t hpackText, rest []byte, ok bool) {
	if len(b) == 0 {
		return t, b, false
	}
	t.huffman = b[0]&0x80 != 0
	n, b, ok := hpackInt(b, 7)
	if !ok || n > len(b) {
		return t, b, false
	}
	t.raw = b[:n]
	return t, b[n:], true
}

// hpackInt reads an integer with a prefix of so many bits (RFC 7541, section 5.1).
func hpackInt(b []byte, prefix uint) (n int, rest []byte, ok bool) {
	most := 1<<prefix - 1
	n = int(b[0]) & most
	b = b[1:]
	if n < most {
		return n, b, true
	}
	for shift := uint(0); len(b) > 0 && shift <= 21; shift += 7 {
		c := b[0]
		b = b[1:]
		n += int(c&0x7f) << shift
		if c&0x80 == 0 {
			return n, b, true
		}
	}
	return 0, b, false
}

package http1

import (
	"crypto/tls"
	"encoding/binary"
	"net"
)

// h2Guard stands between an HTTP/2 connection and the standard library's server, where that is laxer or stricter than RFC
// 9113. It looks at two kinds of frame and passes all others on as they are:
//
//   - HEADERS with a field that belongs to one connection (section 8.2.2) are a stream error of type PROTOCOL_ERROR. The
//     server would answer 400; the guard gives it a priority that it must refuse so (RFC 7540, section 5.3.1), which leaves
//     the field block, and with it the state of HPACK, untouched.
//   - SETTINGS that give one value several times are taken in order (section 6.5.3): the last value counts. The server
//     would end the connection.
type h2Guard struct {
	net.Conn
	buf  []byte
	r, w int // buf[r:w] was received and not passed on
	pass int // bytes that may be passed on without looking at them
}

// Frame types, flags and settings of RFC 9113, sections 6.2 and 6.5.
const (
	frameHead     = 9
	frameHeaders  = 1
	frameSettings = 4
	flagAck       = 0x1
	flagPadded    = 0x8
	flagPriority  = 0x20
	maxFrame      = 16 << 10 // the size that both sides begin with; larger frames are the server's to refuse
)

// newH2Guard guards nc. The client's preface is still to come from it.
func newH2Guard(nc net.Conn) *h2Guard {
	return &h2Guard{Conn: nc, buf: make([]byte, smallBuffer), pass: len(prefaceHead) + len("SM\r\n\r\n")}
}

// secureGuard is a guard of a TLS connection, whose state the server asks for.
type secureGuard struct {
	*h2Guard
	state tls.ConnectionState
}

// ConnectionState is that of the TLS connection.
func (g secureGuard) ConnectionState() tls.ConnectionState { return g.state }

// Read implements net.Conn.
func (g *h2Guard) Read(p []byte) (int, error) {
	for g.pass == 0 {
		if err := g.next(); err != nil {
			return 0, err
		}
	}
	if g.r == g.w && len(p) >= len(g.buf) && g.pass >= len(g.buf) { // much of a body: no need to hold it
		n, err := g.Conn.Read(p[:min(len(p), g.pass)])
		g.pass -= n
		return n, err
	}
	if err := g.need(1); err != nil {
		return 0, err
	}
	n := copy(p, g.buf[g.r:min(g.w, g.r+g.pass)])
	g.r += n
	g.pass -= n
	return n, nil
}

// need receives until n bytes are there.
func (g *h2Guard) need(n int) error {
	if g.r == g.w {
		g.r, g.w = 0, 0
	}
	for g.w-g.r < n {
		if g.r+n > len(g.buf) {
			g.room(n)
		}
		got, err := g.Conn.Read(g.buf[g.w:])
		g.w += got
		if err != nil && g.w-g.r < n {
			return err
		}
	}
	return nil
}

// room makes place for n bytes from r on.
func (g *h2Guard) room(n int) {
	to := g.buf
	if n > len(to) {
		to = make([]byte, n+priorityBytes)
	}
	g.w = copy(to, g.buf[g.r:g.w])
	g.buf, g.r = to, 0
}

// next looks at the frame that begins at r.
func (g *h2Guard) next() error {
	if err := g.need(frameHead); err != nil {
		return err
	}
	head := g.buf[g.r:]
	length, kind, flags := int(head[0])<<16|int(head[1])<<8|int(head[2]), head[3], head[4]
	whole := kind == frameHeaders || kind == frameSettings && flags&flagAck == 0
	if !whole || length > maxFrame {
		g.pass = frameHead + length
		return nil
	}
	if err := g.need(frameHead + length); err != nil {
		return err
	}
	frame := g.buf[g.r : g.r+frameHead+length]
	switch {
	case kind == frameSettings:
		length = g.settings(frame)
	case oneHopOnly(fieldBlock(frame)):
		length = g.refuse(length)
	}
	g.pass = frameHead + length
	return nil
}

// settings takes out values that a later one in the same frame replaces, and gives the payload's new length. What the
// server refuses for its value stays, and so do the size of HPACK's table, whose smallest value counts too, and ENABLE_PUSH.
func (g *h2Guard) settings(frame []byte) int {
	payload := frame[frameHead:]
	if len(payload)%6 != 0 || len(payload) > 100*6 {
		return len(payload)
	}
	for i := 0; i < len(payload); i += 6 {
		id, value := binary.BigEndian.Uint16(payload[i:]), binary.BigEndian.Uint32(payload[i+2:])
		if id < 3 || id > 6 || id == 4 && value > 1<<31-1 || id == 5 && (value < 1<<14 || value > 1<<24-1) {
			return len(payload)
		}
	}
	kept := payload[:0]
	for i := 0; i < len(payload); i += 6 {
		again := false
		for j := i + 6; j < len(payload); j += 6 {
			again = again || payload[i] == payload[j] && payload[i+1] == payload[j+1]
		}
		if !again {
			kept = append(kept, payload[i:i+6]...)
		}
	}
	if gone := len(payload) - len(kept); gone > 0 {
		g.w = g.r + frameHead + len(kept) + copy(g.buf[g.r+frameHead+len(kept):], g.buf[g.r+frameHead+len(payload):g.w])
		putFrameLength(g.buf[g.r:], len(kept))
	}
	return len(kept)
}

// priorityBytes is the length of a HEADERS frame's priority fields.
const priorityBytes = 5

// refuse makes the stream at r depend on itself, and gives the payload's new length.
func (g *h2Guard) refuse(length int) int {
	frame := g.buf[g.r:]
	at := frameHead
	if frame[4]&flagPadded != 0 {
		at++
	}
	if frame[4]&flagPriority == 0 {
		if g.w+priorityBytes > len(g.buf) {
			bigger := make([]byte, g.w-g.r+priorityBytes)
			g.w = copy(bigger, g.buf[g.r:g.w])
			g.buf, g.r = bigger, 0
			frame = g.buf
		}
		copy(frame[at+priorityBytes:], frame[at:g.w-g.r])
		g.w += priorityBytes
		frame[4] |= flagPriority
		frame[at+4] = 0
		length += priorityBytes
		putFrameLength(frame, length)
	}
	copy(frame[at:at+4], frame[5:9]) // the stream's own number
	return length
}

func putFrameLength(frame []byte, n int) {
	frame[0], frame[1], frame[2] = byte(n>>16), byte(n>>8), byte(n)
}

// fieldBlock is the part of a HEADERS frame that holds fields; nil where the frame is not well formed.
func fieldBlock(frame []byte) []byte {
	flags, block := frame[4], frame[frameHead:]
	if flags&flagPadded != 0 {
		if len(block) == 0 || int(block[0]) >= len(block) {
			return nil
		}
		block = block[1 : len(block)-int(block[0])]
	}
	if flags&flagPriority != 0 {
		if len(block) < priorityBytes {
			return nil
		}
		block = block[priorityBytes:]
	}
	return block
}

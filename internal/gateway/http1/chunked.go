package http1

import "bytes"

// The longest chunk-size line with its extensions, and the most digits: 2^60 bytes are enough for a chunk.
const (
	maxChunkLine   = 256
	maxChunkDigits = 15
)

// readChunked gives what is there of the chunks, waiting only while it has nothing to give (RFC 9112, section 7.1).
func (b *bodyReader) readChunked(p []byte) (n int, err error) {
	for {
		if b.state == chunkData {
			if n == len(p) || n > 0 && b.in.r == b.in.w {
				return n, nil
			}
			part := p[n:]
			if int64(len(part)) > b.left {
				part = part[:b.left]
			}
			got, err := b.take(part)
			n += got
			b.left -= int64(got)
			if b.left == 0 {
				b.state = chunkEnd
			}
			if err != nil && b.left > 0 {
				return n, b.fail(cutShort(err))
			}
			continue
		}
		ok, err := b.step()
		if err != nil {
			return n, b.fail(err)
		}
		if b.complete.Load() {
			return n, b.done
		}
		if ok {
			continue
		}
		if n > 0 {
			return n, nil
		}
		if err := b.more(); err != nil {
			return n, b.fail(cutShort(err))
		}
	}
}

// step takes the next piece of framing from the buffer; false where it is not wholly there.
func (b *bodyReader) step() (bool, error) {
	in := b.in
	rest := in.buf[in.r:in.w]
	switch b.state {
	case chunkEnd:
		if len(rest) > 0 && rest[0] != '\r' || len(rest) > 1 && rest[1] != '\n' {
			return false, errChunk
		}
		if len(rest) < 2 {
			return false, nil
		}
		in.r += 2
		b.state = chunkSize
		return true, nil
	case chunkSize:
		return b.stepSize(rest)
	default:
		return b.stepTrailer(rest)
	}
}

func (b *bodyReader) stepSize(rest []byte) (bool, error) {
	size, used, err := chunkLine(rest)
	if used == 0 || err != nil {
		return false, err
	}
	b.in.r += used
	b.left = size
	b.state = chunkData
	if size == 0 {
		b.state = chunkTrailer
	}
	if b.room >= 0 {
		if size > b.room {
			return false, errBodyLarge
		}
		b.room -= size
	}
	return true, nil
}

// chunkLine reads a chunk's size line: digits, and extensions after a semicolon, which end at this hop. used is 0 while
// the line is not wholly there.
func chunkLine(b []byte) (size int64, used int, err error) {
	digits := 0
	for digits < len(b) && hexValue(b[digits]) >= 0 {
		if digits == maxChunkDigits {
			return 0, 0, errChunk
		}
		size = size<<4 | int64(hexValue(b[digits]))
		digits++
	}
	if digits == len(b) {
		return 0, 0, nil
	}
	if digits == 0 || b[digits] != '\r' && b[digits] != ';' {
		return 0, 0, errChunk
	}
	end := bytes.IndexByte(b[digits:], '\n')
	if end < 0 {
		if len(b) > maxChunkLine {
			return 0, 0, errChunk
		}
		if cr := bytes.IndexByte(b[digits:], '\r'); cr >= 0 && digits+cr != len(b)-1 {
			return 0, 0, errChunk
		}
		return 0, 0, nil
	}
	end += digits
	if end > maxChunkLine || b[end-1] != '\r' || !validExtension(string(b[digits:end-1])) {
		return 0, 0, errChunk
	}
	return size, end + 1, nil
}

// validExtension checks chunk extensions: ";name", ";name=token" or ";name="quoted"", without spaces (those are "bad
// whitespace" that senders must not make, RFC 9112 section 7.1.1).
func validExtension(s string) bool {
	for s != "" {
		if s[0] != ';' {
			return false
		}
		s = s[1:]
		n := tokenLength(s)
		if n == 0 {
			return false
		}
		s = s[n:]
		if s == "" || s[0] != '=' {
			continue
		}
		s = s[1:]
		if s != "" && s[0] == '"' {
			n = quotedLength(s)
		} else {
			n = tokenLength(s)
		}
		if n == 0 {
			return false
		}
		s = s[n:]
	}
	return true
}

func tokenLength(s string) int {
	n := 0
	for n < len(s) && tokenChar[s[n]] {
		n++
	}
	return n
}

// quotedLength is the length of the quoted string that s begins with, 0 where it does not end or has control characters.
func quotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
			if i == len(s) || s[i] < ' ' || s[i] == 0x7f {
				return 0
			}
		case c == '"':
			return i + 1
		case c < ' ' && c != '\t' || c == 0x7f:
			return 0
		}
	}
	return 0
}

func (b *bodyReader) stepTrailer(rest []byte) (bool, error) {
	end, _, err := headEnd(rest, 0)
	if err != nil {
		return false, errTrailer
	}
	if end == 0 {
		if len(rest) >= smallBuffer {
			return false, errTrailer
		}
		return false, nil
	}
	if end > 2 {
		f := facts{length: -1}
		trailer, err := parseFields(string(rest[:end]), (*b.trailer)[:0], b.maxTrail, &f)
		if err != nil {
			return false, errTrailer
		}
		for _, field := range trailer {
			if forbiddenTrailer(field.Name) {
				return false, errTrailer
			}
		}
		*b.trailer = trailer
	}
	b.in.r += end
	b.finish()
	return true, nil
}

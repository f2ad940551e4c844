package exchange

import (
	"bytes"
	"errors"
	"io"
)

// ErrBodyTooLarge is returned by Bytes when the body is longer than the limit.
var ErrBodyTooLarge = errors.New("body is larger than the limit for buffering")

// Body is the content of a message. It streams from its connection until somebody asks for the whole; then it is kept in
// memory and can be read again. The zero Body is "no content".
type Body struct {
	stream io.Reader
	length int64 // of the stream; -1: not known beforehand
	data   []byte
	held   bool      // data is the whole body
	owner  io.Closer // of the stream; nil where nothing needs to be let go
}

// Stream makes a body that is read from r once. length is in bytes, -1 where it is not known. Where r is an io.Closer,
// Close lets go of it.
func Stream(r io.Reader, length int64) Body {
	owner, _ := r.(io.Closer)
	return Body{stream: r, length: length, owner: owner}
}

// Bytes makes a body held in memory.
func Bytes(b []byte) Body { return Body{data: b, held: true} }

// Present tells whether the message has content (possibly of length zero).
func (b *Body) Present() bool { return b.stream != nil || b.held }

// Length in bytes; -1 where it is not known; 0 where there is no content.
func (b *Body) Length() int64 {
	switch {
	case b.held:
		return int64(len(b.data))
	case b.stream != nil:
		return b.length
	}
	return 0
}

// Held tells whether the whole body is in memory.
func (b *Body) Held() bool { return b.held || b.stream == nil }

// Bytes reads the body to its end, keeps it, and returns it; the caller must not change it. More than limit bytes give
// ErrBodyTooLarge; what was read by then is not lost: Reader still gives the whole.
func (b *Body) Bytes(limit int64) ([]byte, error) {
	if b.Held() {
		if int64(len(b.data)) > limit {
			return nil, ErrBodyTooLarge
		}
		return b.data, nil
	}
	var buf bytes.Buffer
	if b.length > 0 && b.length <= limit {
		buf.Grow(int(b.length) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(io.LimitReader(b.stream, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(buf.Len()) > limit {
		b.stream = io.MultiReader(bytes.NewReader(buf.Bytes()), b.stream)
		return nil, ErrBodyTooLarge
	}
	b.stream, b.data, b.held = nil, buf.Bytes(), true
	return b.data, nil
}

// Reader gives the content to be sent on. A held body can be read any number of times, a streamed one once.
func (b *Body) Reader() io.Reader {
	switch {
	case b.held:
		return bytes.NewReader(b.data)
	case b.stream != nil:
		return b.stream
	}
	return bytes.NewReader(nil)
}

// Close lets go of what a streamed body holds (a backend's connection, say). Whoever replaces a body that was not read to
// its end calls it; it may be called more than once, and a held body stays readable.
func (b *Body) Close() error {
	if b.owner == nil {
		return nil
	}
	owner := b.owner
	b.owner = nil
	if !b.held {
		b.stream = nil
	}
	return owner.Close()
}

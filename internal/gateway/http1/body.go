package http1

import (
	"errors"
	"io"
	"sync/atomic"

	"tandem/internal/exchange"
)

// bodySource is the connection that a body arrives on.
type bodySource interface {
	// receive reads from the connection once, within the time a body may be silent.
	receive(p []byte) (int, error)
	// ended is called once: with nil when the body was read to its end, else with what broke it.
	ended(err error)
}

type bodyKind uint8

const (
	bodyLength  bodyKind = iota // Content-Length
	bodyChunked                 // Transfer-Encoding: chunked
	bodyClose                   // a response up to the end of the connection
)

// The states of a chunked body.
const (
	chunkSize uint8 = iota
	chunkData
	chunkEnd
	chunkTrailer
)

// bodyReader reads one message's body. It is made anew for each message, so that a reader kept too long cannot read the
// next one.
type bodyReader struct {
	source   bodySource
	in       *input
	kind     bodyKind
	state    uint8
	left     int64 // bytes to come, of the body or of the present chunk
	room     int64 // bytes that a chunked body may still have; below zero: no limit
	trailer  *exchange.Header
	maxTrail int // fields
	done     error
	complete atomic.Bool // read to the end; for other goroutines than the reader's
}

// Read implements io.Reader. The last bytes come together with io.EOF.
func (b *bodyReader) Read(p []byte) (int, error) {
	if b.done != nil {
		return 0, b.done
	}
	if len(p) == 0 {
		return 0, nil
	}
	switch b.kind {
	case bodyChunked:
		return b.readChunked(p)
	case bodyClose:
		n, err := b.take(p)
		if errors.Is(err, io.EOF) {
			return n, b.finish()
		}
		if err != nil {
			return n, b.fail(err)
		}
		return n, nil
	default:
		return b.readLength(p)
	}
}

func (b *bodyReader) readLength(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.take(p)
	b.left -= int64(n)
	if b.left == 0 {
		return n, b.finish()
	}
	if err != nil {
		return n, b.fail(cutShort(err))
	}
	return n, nil
}

// take gives what the buffer has, else reads once: straight into p where p is large.
func (b *bodyReader) take(p []byte) (int, error) {
	in := b.in
	if in.r == in.w {
		if len(p) >= 1024 || b.kind == bodyLength && int64(len(p)) == b.left {
			return b.source.receive(p)
		}
		if err := b.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.buf[in.r:in.w])
	in.r += n
	return n, nil
}

// more reads once into the buffer.
func (b *bodyReader) more() error {
	in := b.in
	in.compact()
	n, err := b.source.receive(in.buf[in.w:])
	in.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// Buffered is the number of bytes that Read gives without waiting; at least 1 where it can tell the end.
func (b *bodyReader) Buffered() int {
	there := b.in.w - b.in.r
	switch {
	case b.done != nil:
		return 1
	case b.kind == bodyChunked && b.state == chunkSize:
		_, used, err := chunkLine(b.in.buf[b.in.r:b.in.w])
		if used == 0 && err == nil {
			return 0
		}
	case b.kind == bodyChunked && b.state != chunkData:
		return 0
	}
	return there
}

func (b *bodyReader) finish() error {
	b.done = io.EOF
	b.complete.Store(true)
	b.source.ended(nil)
	return io.EOF
}

func (b *bodyReader) fail(err error) error {
	b.done = err
	b.source.ended(err)
	return b.done
}

// cutShort names the end of the connection inside a message.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

package http1

import (
	"io"
)

// buffered is what a body's reader can tell about how much it gives without waiting.
type buffered interface{ Buffered() int }

// ready tells that r gives something at once. A reader that cannot tell may have to wait.
func ready(r io.Reader) bool {
	b, ok := r.(buffered)
	return ok && b.Buffered() > 0
}

// copyBody writes the head in b and a body of length bytes (-1: up to its end). What has been read is written before
// waiting for more.
func (c *serverConn) copyBody(b []byte, r io.Reader, length int64) (sent int64, err error) {
	var large *[]byte
	defer func() {
		if large != nil {
			c.run.buffers.put(large)
		}
	}()
	for left := length; left != 0; {
		if len(b) > 0 && (cap(b)-len(b) < 512 || !ready(r)) {
			if err := c.write(b); err != nil {
				return sent, err
			}
			b = b[:0]
			if large == nil && (left < 0 || left > int64(cap(b))) {
				large = c.run.buffers.get(largeBuffer)
				b = (*large)[:0]
			}
		}
		space := b[len(b):cap(b)]
		if left > 0 && int64(len(space)) > left {
			space = space[:left]
		}
		n, err := r.Read(space)
		b = b[:len(b)+n]
		sent += int64(n)
		if left > 0 {
			left -= int64(n)
		}
		if err == io.EOF {
			if left > 0 {
				return sent, errBodyLonger
			}
			break
		}
		if err != nil {
			return sent, err
		}
	}
	return sent, c.write(b)
}

// copyChunked writes the head in b and a body of unknown length.
func (c *serverConn) copyChunked(b []byte, r io.Reader) (sent int64, err error) {
	var large *[]byte
	defer func() {
		if large != nil {
			c.run.buffers.put(large)
		}
	}()
	filled := false
	for {
		if len(b) > 0 && (cap(b)-len(b) < 512 || !ready(r)) {
			if err := c.write(b); err != nil {
				return sent, err
			}
			b = b[:0]
			if large == nil && filled {
				large = c.run.buffers.get(largeBuffer)
				b = (*large)[:0]
			}
		}
		at := len(b)
		n, err := r.Read(b[at+chunkRoom-2 : cap(b)-2])
		if n > 0 {
			b = b[:at+chunkRoom-2+n]
			putChunkSize(b[at:], n)
			b = append(b, "\r\n"...)
			sent += int64(n)
			filled = cap(b)-len(b) < 512
		}
		if err == io.EOF {
			return sent, c.write(appendTrailer(b, c.x.Response.Trailer))
		}
		if err != nil {
			return sent, err
		}
	}
}

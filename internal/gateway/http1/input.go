package http1

import (
	"sync"
)

const (
	smallBuffer = 4 << 10  // a head and a small body
	largeBuffer = 32 << 10 // copying a body
)

// buffers hands out buffers; the pointers spare an allocation when they are put back.
type buffers struct{ small, large sync.Pool }

func newBuffers() *buffers {
	return &buffers{
		small: sync.Pool{New: func() any { b := make([]byte, smallBuffer); return &b }},
		large: sync.Pool{New: func() any { b := make([]byte, largeBuffer); return &b }},
	}
}

// get gives a buffer of at least n bytes, or the large one.
func (p *buffers) get(n int) *[]byte {
	if n <= smallBuffer {
		return p.small.Get().(*[]byte)
	}
	return p.large.Get().(*[]byte)
}

func (p *buffers) put(b *[]byte) {
	switch len(*b) {
	case smallBuffer:
		p.small.Put(b)
	case largeBuffer:
		p.large.Put(b)
	}
}

// input is the receiving half of a connection: heads are parsed in the buffer, bodies are read through it.
type input struct {
	buf  []byte
	r, w int // buf[r:w] was received and not used yet
}

// compact moves what is there to the front of the buffer.
func (in *input) compact() {
	if in.r > 0 {
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
}

// grow makes room for a head that does not fit, up to most bytes; false where that is reached.
func (in *input) grow(most int) bool {
	in.compact()
	if in.w < len(in.buf) {
		return true
	}
	if len(in.buf) >= most {
		return false
	}
	bigger := make([]byte, min(2*len(in.buf), most))
	copy(bigger, in.buf[:in.w])
	in.buf = bigger
	return true
}

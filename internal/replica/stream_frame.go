package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"tandem"
)

// frameKind is the first byte of a frame's content. docs/journal.md specifies frames.
type frameKind byte

const (
	frameHello     frameKind = 1
	frameCommit    frameKind = 2
	frameBeat      frameKind = 3
	frameFull      frameKind = 4 // a full entry begins
	frameDocuments frameKind = 5 // some of its documents
	frameFullEnd   frameKind = 6
	frameAck       frameKind = 7
	frameEnd       frameKind = 8 // of a journal segment
	frameError     frameKind = 9
)

const (
	// maxFrame bounds the content of a frame: one commit of the largest size, or one document, with room for the rest.
	maxFrame = 4 << 20
	// frameOverhead is the length in front and the checksum behind.
	frameOverhead = 8
)

// appendFrame writes a frame: the length of its content as 4 bytes big-endian, the content (kind and payload), and the
// CRC-32C (Castagnoli, RFC 3720) of length and content as 4 bytes big-endian.
func appendFrame(b []byte, k frameKind, payload []byte) []byte {
	at := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(1+len(payload)))
	b = append(append(b, byte(k)), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[at:], crc32.MakeTable(crc32.Castagnoli)))
}

// readFrame reads one frame. io.EOF means the end between two frames; anything that is no frame is Corrupt.
func readFrame(r io.Reader) (frameKind, []byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:1]); err != nil {
		return 0, nil, err
	}
	if _, err := io.ReadFull(r, head[1:]); err != nil {
		return 0, nil, cut(err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 1 || n > maxFrame {
		return 0, nil, badFrame(fmt.Errorf("its length is %d bytes", n))
	}
	b := make([]byte, 4+int(n)+4)
	copy(b, head[:])
	if _, err := io.ReadFull(r, b[4:]); err != nil {
		return 0, nil, cut(err)
	}
	body := b[:4+n]
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(b[4+n:]) {
		return 0, nil, badFrame(errors.New("its checksum does not match"))
	}
	return frameKind(body[4]), body[5:], nil
}

// cut makes the end inside of a frame an error of its own.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return badFrame(errors.New("it is cut off"))
	}
	return err
}

func badFrame(err error) error {
	return &tandem.Error{Op: "read frame", Kind: tandem.Corrupt, Err: err, Remedy: "read it again from where it was sent"}
}

// decoder takes a payload apart; the first thing that is wrong ends it.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(why string) {
	if d.err == nil {
		d.err = badFrame(errors.New(why))
	}
	d.b = nil
}

// uint reads an unsigned varint in its shortest form.
func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 {
		d.fail("a number is not well formed")
		return 0
	}
	d.b = d.b[n:]
	return v
}

// number reads an unsigned number that fits in 63 bits.
func (d *decoder) number() int64 {
	v := d.uint()
	if v > 1<<63-1 {
		d.fail("a number is too large")
		return 0
	}
	return int64(v)
}

// signed reads a number in zigzag form.
func (d *decoder) signed() int64 {
	v := d.uint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail("it is too short")
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

// bytes reads a length and as many bytes.
func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail("a length reaches past its end")
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// end demands that nothing is left.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail("something follows its end")
	}
	return d.err
}

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

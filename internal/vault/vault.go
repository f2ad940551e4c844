// Package vault is where backups lie: named blobs behind one narrow interface. A directory (package dir), Azure Blob
// storage (azure) and S3 (s3) stand behind it, and each passes the suite in vaulttest.
package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"tandem"
)

// Info describes one blob.
type Info struct {
	Name     string
	Size     int64     // bytes
	Modified time.Time // by the vault's clock; no order of events may be read from it (law 11)
}

// PutOptions say how a blob is stored.
type PutOptions struct {
	IfAbsent bool // Exists where the name is taken, also by a Put that runs at the same time
}

// Range is a part of a blob. The zero value is all of it.
type Range struct {
	Offset int64
	Length int64 // zero: to the end; a range that reaches past the end is cut there
}

// Vault stores blobs. All methods may be called from many goroutines. Errors are of the kinds NotFound, Exists, Invalid,
// Unauthenticated, Denied, TooLarge (full) and Unavailable of package tandem, and never tell a credential.
//
// A blob is seen whole or not at all: Put returns when it is durable, and a reader that has begun sees the blob it began
// with, or an error. After a Put or Delete has returned, Get, Head and List agree with it.
type Vault interface {
	// Put stores what r gives up to io.EOF, in place of an older blob. Any other error of r is returned, and nothing is stored.
	Put(ctx context.Context, name string, r io.Reader, o PutOptions) (Info, error)
	// Get reads a blob or a range of it; the caller closes it. A range that begins at or after the end is Invalid, but for
	// the zero range of an empty blob.
	Get(ctx context.Context, name string, part Range) (io.ReadCloser, Info, error)
	// Head describes a blob.
	Head(ctx context.Context, name string) (Info, error)
	// List yields the blobs whose name has the prefix in the byte order of names. An error ends it.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Delete removes a blob. That it is absent is no error.
	Delete(ctx context.Context, name string) error
}

// CheckName refuses names that not every vault can hold; package azure takes more, since the caller of a native backup names
// its blob. A name has 1 to 900 bytes of UTF-8 in segments between slashes;
// a segment has 1 to 200 bytes, does not begin with a dot, does not end with a dot or a space, and holds no control
// characters and none of \ < > : " | ? *. No name may be a folder of another: where "a/b" is a blob, "a" is none.
func CheckName(name string) error {
	bad := func(why string) error {
		return &tandem.Error{Op: "name blob", Subject: fmt.Sprintf("%q", name), Kind: tandem.Invalid, Err: errors.New(why), Remedy: "choose another name"}
	}
	if name == "" || len(name) > 900 || !utf8.ValidString(name) {
		return bad("it needs 1 to 900 bytes of UTF-8")
	}
	for s := range strings.SplitSeq(name, "/") {
		switch {
		case s == "" || len(s) > 200:
			return bad("each segment needs 1 to 200 bytes")
		case s[0] == '.' || s[len(s)-1] == '.' || s[len(s)-1] == ' ':
			return bad("a segment begins with a dot, or ends with a dot or a space")
		case strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || strings.ContainsRune(`\<>:"|?*`, r) }):
			return bad("it holds a character that not every vault takes")
		}
	}
	return nil
}

// CheckRange refuses negative ranges.
func CheckRange(name string, part Range) error {
	if part.Offset < 0 || part.Length < 0 {
		return &tandem.Error{Op: "read blob", Subject: name, Kind: tandem.Invalid, Err: fmt.Errorf("the range of %d bytes from %d is negative", part.Length, part.Offset), Remedy: "ask for another range"}
	}
	return nil
}

// PastEnd is the error of a range that begins at or after the end.
func PastEnd(name string, part Range, size int64) error {
	return &tandem.Error{Op: "read blob", Subject: name, Kind: tandem.Invalid, Err: fmt.Errorf("offset %d is not inside of its %d bytes", part.Offset, size), Remedy: "ask for another range"}
}

// Reader ends with ctx: what reads from it sees the context's error.
func Reader(ctx context.Context, r io.Reader) io.Reader { return &ctxReader{ctx, r} }

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *ctxReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Source is a reader that keeps its own error back, so that a Put can tell it from an error of the vault, and so that no
// library takes the source's io.ErrUnexpectedEOF for the end of the data.
type Source struct {
	R   io.Reader
	Err error // the first error but io.EOF
}

// Read implements io.Reader.
func (s *Source) Read(p []byte) (int, error) {
	if s.Err != nil {
		return 0, errSource
	}
	n, err := s.R.Read(p)
	if err != nil && err != io.EOF {
		s.Err = err
		err = errSource
	}
	return n, err
}

var errSource = errors.New("the source of the data failed")

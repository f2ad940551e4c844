package blobserver

import (
	"bytes"
	"crypto/md5" // the protocol's checksum against accidents, not a protection
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc64"
	"io"
	"net/http"
	"os"
	"syscall"

	"tandem"
)

const (
	maxBlob  = 5000 << 20 // one Put Blob, as in Azure
	maxBlock = 4000 << 20 // one Put Block
)

// received is a request's body on disk, synced.
type received struct {
	size int64
	md5  []byte
	crc  []byte
}

// receive streams the request's body to a new file and checks it against its declared length and checksums. The file is
// removed when anything fails.
func (c *call) receive(file string, limit int64) (got received, err error) {
	n := c.r.ContentLength
	if n < 0 {
		return got, &wireError{http.StatusLengthRequired, "MissingContentLengthHeader", "The Content-Length header was not specified."}
	}
	if n > limit {
		return got, &wireError{http.StatusRequestEntityTooLarge, "RequestBodyTooLarge", "The request body is too large and exceeds the maximum permissible limit."}
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return got, err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			err = errors.Join(full(err), os.Remove(file))
		}
	}()
	sum, crc := md5.New(), crc64.New(crc64.MakeTable(azureCRC))
	got.size, err = io.Copy(io.MultiWriter(f, sum, crc), c.r.Body)
	if err != nil {
		return got, err
	}
	if got.size != n {
		return got, &wireError{http.StatusBadRequest, "IncompleteBody", "The body ended before its Content-Length."}
	}
	got.md5, got.crc = sum.Sum(nil), binary.LittleEndian.AppendUint64(nil, crc.Sum64())
	if err := same(c.r.Header.Get("Content-MD5"), got.md5, "Md5Mismatch"); err != nil {
		return got, err
	}
	if err := same(c.r.Header.Get("x-ms-content-crc64"), got.crc, "Crc64Mismatch"); err != nil {
		return got, err
	}
	return got, f.Sync()
}

// azureCRC is the reversed polynomial of Azure Storage's CRC-64.
const azureCRC = 0x9A6C9329AC4BC9B5

func same(header string, sum []byte, code string) error {
	if header == "" {
		return nil
	}
	want, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return errHeader("the checksum")
	}
	if !bytes.Equal(want, sum) {
		return &wireError{http.StatusBadRequest, code, "The checksum specified in the request did not match the one calculated by the server."}
	}
	return nil
}

// full marks a full disk, so that the client reads a clear answer.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &tandem.Error{Op: "store blob", Kind: tandem.TooLarge, Err: err, Remedy: "free space on the disk of the blob endpoint"}
	}
	return err
}

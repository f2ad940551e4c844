package blobserver

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// putBlob stores a block blob whole.
func (c *call) putBlob() error {
	if c.r.Header.Get("x-ms-copy-source") != "" {
		return c.unsupported()
	}
	switch t := c.r.Header.Get("x-ms-blob-type"); t {
	case "BlockBlob":
	case "":
		return &wireError{http.StatusBadRequest, "MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified: x-ms-blob-type."}
	default:
		return &wireError{http.StatusNotImplemented, "NotImplemented", "Blobs of the type " + t + " are not served by this endpoint: use BlockBlob."}
	}
	meta, err := c.readMetadata()
	if err != nil {
		return err
	}
	box, err := c.s.disk.get(c.account, c.container)
	if err != nil {
		return err
	}
	if err := c.mayWrite(box); err != nil {
		return err
	}
	id := newID()
	got, err := c.receive(box.dataFile(id), maxBlob)
	if err != nil {
		return err
	}
	return c.commit(box, &record{Data: id, Size: got.size, MD5: got.md5, Headers: c.readHeaders(true), Metadata: meta}, func() {
		h := c.w.Header()
		h.Set("Content-MD5", base64.StdEncoding.EncodeToString(got.md5))
		h.Set("x-ms-content-crc64", base64.StdEncoding.EncodeToString(got.crc))
	})
}

// mayWrite asks before the body is read, to spare a client an upload in vain. commit asks again.
func (c *call) mayWrite(box *container) error {
	old, err := box.find(c.blob)
	var we *wireError
	if err != nil && (!errors.As(err, &we) || we.code != "BlobNotFound") {
		return err
	}
	return c.mayReplaceRecord(old)
}

func (c *call) mayReplaceRecord(old *record) error {
	if err := c.conditions(old, true); err != nil {
		return err
	}
	if old != nil && !c.mayReplace() {
		return &wireError{http.StatusForbidden, "UnauthorizedBlobOverwrite", "This request is not authorized to perform blob overwrites."}
	}
	return nil
}

// commit makes a received data file the blob's content and answers 201.
func (c *call) commit(box *container, next *record, extra func()) error {
	if err := syncDir(box.dataFile("")); err != nil {
		return errors.Join(err, os.Remove(box.dataFile(next.Data)))
	}
	r, err := box.change(c.blob, func(old *record) (*record, error) {
		if err := c.mayReplaceRecord(old); err != nil {
			return nil, err
		}
		next.Created = c.s.config.Clock.Now().UTC()
		if old != nil {
			next.Created = old.Created
		}
		return next, nil
	})
	var refused *wireError
	if errors.As(err, &refused) {
		return errors.Join(err, os.Remove(box.dataFile(next.Data)))
	}
	if err != nil {
		return full(err) // the record may be in place already, so its data stays; the next start sweeps it if not
	}
	// The blob is stored: blocks that are left over have no use, and the next start would sweep them.
	_ = os.RemoveAll(box.blockDir(c.blob))
	extra()
	c.stamp(r.ETag, httpDate(r.Modified))
	c.w.Header().Set("x-ms-request-server-encrypted", "false")
	c.status(http.StatusCreated)
	return nil
}

func (c *call) stamp(etag, modified string) {
	c.w.Header().Set("ETag", etag)
	c.w.Header().Set("Last-Modified", modified)
}

// getBlob answers GET with the bytes or a range of them, and HEAD and comp=metadata with the properties.
func (c *call) getBlob() error {
	if c.q("snapshot") != "" || c.q("versionid") != "" {
		return c.unsupported()
	}
	box, err := c.s.disk.get(c.account, c.container)
	if err != nil {
		return err
	}
	r, f, err := box.open(c.blob)
	if err != nil {
		return err
	}
	defer f.Close()
	c.properties(r)
	if err := c.conditions(r, false); err != nil {
		return err
	}
	if c.q("comp") == "metadata" {
		c.w.Header().Set("Content-Length", "0")
		c.status(http.StatusOK)
		return nil
	}
	from, n, partial, err := c.byteRange(r.Size)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Length", strconv.FormatInt(n, 10))
	if r.MD5 != nil {
		sum := base64.StdEncoding.EncodeToString(r.MD5)
		if partial {
			h.Set("x-ms-blob-content-md5", sum)
		} else {
			h.Set("Content-MD5", sum)
		}
	}
	code := http.StatusOK
	if partial {
		code = http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, from+n-1, r.Size))
	}
	c.status(code)
	if c.r.Method == http.MethodHead {
		return nil
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return err
	}
	_, err = io.CopyN(c.w, f, n)
	return err
}

// properties sets the headers that describe a blob.
func (c *call) properties(r *record) {
	h := c.w.Header()
	for k, v := range r.Headers {
		h.Set(k, v)
	}
	for param, name := range map[string]string{"rscc": "Cache-Control", "rscd": "Content-Disposition", "rsce": "Content-Encoding", "rscl": "Content-Language", "rsct": "Content-Type"} {
		if v := c.q(param); v != "" && c.q("sig") != "" {
			h.Set(name, v)
		}
	}
	writeMetadata(h, r.Metadata)
	c.stamp(r.ETag, httpDate(r.Modified))
	h.Set("Accept-Ranges", "bytes")
	h.Set("x-ms-blob-type", "BlockBlob")
	h.Set("x-ms-creation-time", httpDate(r.Created))
	h.Set("x-ms-lease-status", "unlocked")
	h.Set("x-ms-lease-state", "available")
	h.Set("x-ms-server-encrypted", "false")
}

// byteRange reads x-ms-range or Range: "bytes=a-b" or "bytes=a-". Other forms are ignored, as HTTP allows.
func (c *call) byteRange(size int64) (from, n int64, partial bool, err error) {
	v := c.r.Header.Get("x-ms-range")
	if v == "" {
		v = c.r.Header.Get("Range")
	}
	first, last, ok := strings.Cut(strings.TrimPrefix(v, "bytes="), "-")
	from, err1 := strconv.ParseInt(first, 10, 64)
	if v == "" || !ok || err1 != nil || from < 0 || !strings.HasPrefix(v, "bytes=") || c.r.Method == http.MethodHead {
		return 0, size, false, nil
	}
	to := size - 1
	if last != "" {
		end, err := strconv.ParseInt(last, 10, 64)
		if err != nil || end < from {
			return 0, 0, false, errHeader("Range")
		}
		to = min(end, to)
	}
	if from >= size {
		c.w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		return 0, 0, false, &wireError{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The range specified is invalid for the current size of the resource."}
	}
	return from, to - from + 1, true, nil
}

func (c *call) deleteBlob() error {
	if c.q("snapshot") != "" || c.q("versionid") != "" || c.r.Header.Get("x-ms-delete-snapshots") == "only" {
		return c.unsupported()
	}
	box, err := c.s.disk.get(c.account, c.container)
	if err != nil {
		return err
	}
	_, err = box.change(c.blob, func(old *record) (*record, error) {
		if old == nil {
			return nil, errBlobNotFound()
		}
		return nil, c.conditions(old, true)
	})
	if err != nil {
		return err
	}
	c.w.Header().Set("x-ms-delete-type-permanent", "true")
	c.status(http.StatusAccepted)
	return nil
}

// update changes a blob's record and answers 200.
func (c *call) update(apply func(*record)) error {
	box, err := c.s.disk.get(c.account, c.container)
	if err != nil {
		return err
	}
	r, err := box.change(c.blob, func(old *record) (*record, error) {
		if old == nil {
			return nil, errBlobNotFound()
		}
		if err := c.conditions(old, true); err != nil {
			return nil, err
		}
		next := *old
		apply(&next)
		return &next, nil
	})
	if err != nil {
		return err
	}
	c.stamp(r.ETag, httpDate(r.Modified))
	c.status(http.StatusOK)
	return nil
}

func (c *call) setBlobMetadata() error {
	meta, err := c.readMetadata()
	if err != nil {
		return err
	}
	return c.update(func(r *record) { r.Metadata = meta })
}

func (c *call) setBlobProperties() error {
	md5 := c.r.Header.Get("x-ms-blob-content-md5")
	sum, err := base64.StdEncoding.DecodeString(md5)
	if err != nil {
		return errHeader("x-ms-blob-content-md5")
	}
	headers := c.readHeaders(false)
	return c.update(func(r *record) {
		r.Headers, r.MD5 = headers, nil
		if len(sum) > 0 {
			r.MD5 = sum
		}
	})
}

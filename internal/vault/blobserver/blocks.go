package blobserver

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// maxBlocks is how many blocks one blob may have, as in Azure.
const maxBlocks = 50_000

// blockFile names the file of an uncommitted block; the id's own bytes, 1 to 64, in hex.
func blockFile(dir, id string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(id)
	if err != nil || len(raw) == 0 || len(raw) > 64 {
		return "", errQuery("blockid")
	}
	return filepath.Join(dir, hex.EncodeToString(raw)), nil
}

// putBlock keeps one block aside until a block list names it.
func (c *call) putBlock() error {
	box, err := c.s.disk.get(c.account, c.container)
	if err != nil {
		return err
	}
	if err := c.mayWrite(box); err != nil {
		return err
	}
	dir := box.blockDir(c.blob)
	file, err := blockFile(dir, c.q("blockid"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp := filepath.Join(dir, newID()+".tmp")
	got, err := c.receive(temp, maxBlock)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, file); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	h := c.w.Header()
	h.Set("Content-MD5", base64.StdEncoding.EncodeToString(got.md5))
	h.Set("x-ms-content-crc64", base64.StdEncoding.EncodeToString(got.crc))
	h.Set("x-ms-request-server-encrypted", "false")
	c.status(http.StatusCreated)
	return nil
}

// blockRef is one entry of a block list: Kind is Committed, Uncommitted or Latest.
type blockRef struct{ kind, id string }

// readBlockList keeps the order of the entries, whatever their names.
func readBlockList(r io.Reader) ([]blockRef, error) {
	bad := &wireError{http.StatusBadRequest, "InvalidXmlDocument", "The specified XML is not syntactically valid."}
	d := xml.NewDecoder(io.LimitReader(r, 16<<20))
	var list []blockRef
	seen := false
	for {
		t, err := d.Token()
		if err == io.EOF && seen {
			return list, nil
		}
		if err != nil {
			return nil, bad
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "BlockList":
			seen = true
		case "Committed", "Uncommitted", "Latest":
			var id string
			if err := d.DecodeElement(&id, &start); err != nil || !seen {
				return nil, bad
			}
			if list = append(list, blockRef{start.Name.Local, id}); len(list) > maxBlocks {
				return nil, &wireError{http.StatusBadRequest, "BlockListTooLong", "The block list may not contain more than 50,000 blocks."}
			}
		default:
			return nil, bad
		}
	}
}

// putBlockList joins blocks into the blob's content.
func (c *call) putBlockList() error {
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
	list, err := readBlockList(c.r.Body)
	if err != nil {
		return err
	}
	next := &record{Data: newID(), Headers: c.readHeaders(false), Metadata: meta}
	if v := c.r.Header.Get("x-ms-blob-content-md5"); v != "" {
		if next.MD5, err = base64.StdEncoding.DecodeString(v); err != nil {
			return errHeader("x-ms-blob-content-md5")
		}
	}
	file := box.dataFile(next.Data)
	if err := c.join(box, list, next, file); err != nil {
		if rmErr := os.Remove(file); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
			err = errors.Join(err, rmErr)
		}
		return full(err)
	}
	return c.commit(box, next, func() {})
}

// join writes the listed blocks to file, one after the other, and notes them in next.
func (c *call) join(box *container, list []blockRef, next *record, file string) (err error) {
	old, data, err := box.open(c.blob)
	var we *wireError
	if err != nil && (!errors.As(err, &we) || we.code != "BlobNotFound") {
		return err
	}
	committed := map[string][2]int64{} // where the old content has a block: offset, size
	if data != nil {
		defer data.Close()
		var at int64
		for _, b := range old.Blocks {
			committed[b.ID] = [2]int64{at, b.Size}
			at += b.Size
		}
	}
	out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for _, ref := range list {
		n, found := int64(0), false
		if ref.kind != "Committed" {
			if n, found, err = appendBlock(out, box.blockDir(c.blob), ref.id); err != nil {
				return err
			}
		}
		if place, ok := committed[ref.id]; ok && !found && ref.kind != "Uncommitted" {
			found = true
			if n, err = io.Copy(out, io.NewSectionReader(data, place[0], place[1])); err != nil {
				return err
			}
		}
		if !found {
			return &wireError{http.StatusBadRequest, "InvalidBlockList", "The specified block list is invalid: it names a block that was not uploaded."}
		}
		next.Blocks = append(next.Blocks, blockSize{ref.id, n})
		next.Size += n
	}
	return out.Sync()
}

func appendBlock(out *os.File, dir, id string) (n int64, found bool, err error) {
	file, err := blockFile(dir, id)
	if err != nil {
		return 0, false, &wireError{http.StatusBadRequest, "InvalidBlockId", "The specified block ID is invalid. The block ID must be Base64-encoded."}
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	n, err = io.Copy(out, f)
	return n, true, err
}

type blockXML struct {
	Name string
	Size int64
}

// getBlockList tells committed and uncommitted blocks.
func (c *call) getBlockList() error {
	box, err := c.s.disk.get(c.account, c.container)
	if err != nil {
		return err
	}
	var answer struct {
		XMLName     xml.Name   `xml:"BlockList"`
		Committed   []blockXML `xml:"CommittedBlocks>Block"`
		Uncommitted []blockXML `xml:"UncommittedBlocks>Block"`
	}
	r, err := box.find(c.blob)
	var we *wireError
	if err != nil && (!errors.As(err, &we) || we.code != "BlobNotFound") {
		return err
	}
	which := c.q("blocklisttype")
	if r != nil && which != "uncommitted" {
		for _, b := range r.Blocks {
			answer.Committed = append(answer.Committed, blockXML{b.ID, b.Size})
		}
	}
	entries, derr := os.ReadDir(box.blockDir(c.blob))
	if derr != nil && !errors.Is(derr, fs.ErrNotExist) {
		return derr
	}
	if r == nil && len(entries) == 0 {
		return err
	}
	for _, e := range entries {
		raw, err := hex.DecodeString(e.Name())
		info, ierr := e.Info()
		if err == nil && ierr == nil && (which == "uncommitted" || which == "all") {
			answer.Uncommitted = append(answer.Uncommitted, blockXML{base64.StdEncoding.EncodeToString(raw), info.Size()})
		}
	}
	if r != nil {
		c.stamp(r.ETag, httpDate(r.Modified))
		c.w.Header().Set("x-ms-blob-content-length", strconv.FormatInt(r.Size, 10))
	}
	return c.xml(answer)
}

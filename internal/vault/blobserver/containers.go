package blobserver

import (
	"encoding/xml"
	"net/http"
	"strconv"
)

func (c *call) createContainer() error {
	if c.r.Header.Get("x-ms-blob-public-access") != "" {
		return &wireError{http.StatusConflict, "PublicAccessNotPermitted", "Public access is not permitted on this storage account."}
	}
	meta, err := c.readMetadata()
	if err != nil {
		return err
	}
	box, err := c.s.disk.create(c.account, c.container, meta)
	if err != nil {
		return err
	}
	c.stampContainer(box)
	c.status(http.StatusCreated)
	return nil
}

func (c *call) stampContainer(box *container) containerRecord {
	box.mu.RLock()
	defer box.mu.RUnlock()
	c.stamp(box.rec.ETag, httpDate(box.rec.Modified))
	return box.rec
}

func (c *call) containerProperties() error {
	box, err := c.s.disk.get(c.account, c.container)
	if err != nil {
		return err
	}
	h := c.w.Header()
	writeMetadata(h, c.stampContainer(box).Metadata)
	h.Set("x-ms-lease-status", "unlocked")
	h.Set("x-ms-lease-state", "available")
	h.Set("x-ms-has-immutability-policy", "false")
	h.Set("x-ms-has-legal-hold", "false")
	h.Set("Content-Length", "0")
	c.status(http.StatusOK)
	return nil
}

func (c *call) setContainerMetadata() error {
	meta, err := c.readMetadata()
	if err != nil {
		return err
	}
	box, err := c.s.disk.get(c.account, c.container)
	if err != nil {
		return err
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	if box.gone {
		return errContainerNotFound()
	}
	if err := c.conditions(&record{ETag: box.rec.ETag, Modified: box.rec.Modified}, true); err != nil {
		return err
	}
	rec := containerRecord{ETag: newETag(), Modified: box.clock.Now().UTC(), Metadata: meta}
	if err := writeJSON(box.dir+"/container.json", rec); err != nil {
		return err
	}
	box.rec = rec
	c.stamp(rec.ETag, httpDate(rec.Modified))
	c.status(http.StatusOK)
	return nil
}

func (c *call) deleteContainer() error {
	err := c.s.disk.remove(c.account, c.container, func(box *container) error {
		return c.conditions(&record{ETag: box.rec.ETag, Modified: box.rec.Modified}, true)
	})
	if err != nil {
		return err
	}
	c.status(http.StatusAccepted)
	return nil
}

// xml answers 200 with a document.
func (c *call) xml(v any) error {
	body, err := xml.Marshal(v)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(xml.Header)+len(body)))
	c.status(http.StatusOK)
	if _, err := c.w.Write([]byte(xml.Header)); err != nil {
		return err
	}
	_, err = c.w.Write(body)
	return err
}

package blobserver

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tandem"
)

// blockLife is how long blocks wait for a block list, as in Azure.
const blockLife = 7 * 24 * time.Hour

type containerRecord struct {
	ETag     string            `json:"etag"`
	Modified time.Time         `json:"modified"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// record describes one blob.
type record struct {
	Name     string            `json:"name"`
	Data     string            `json:"data"` // the file below data/
	Size     int64             `json:"size"`
	ETag     string            `json:"etag"`
	Created  time.Time         `json:"created"`
	Modified time.Time         `json:"modified"`
	MD5      []byte            `json:"md5,omitempty"`
	Headers  map[string]string `json:"headers,omitempty"` // Content-Type and its like, by canonical name
	Metadata map[string]string `json:"metadata,omitempty"`
	Blocks   []blockSize       `json:"blocks,omitempty"`
}

// blockSize is one committed block: its id as the client wrote it, in base64.
type blockSize struct {
	ID   string `json:"id"`
	Size int64  `json:"size"`
}

// container holds the index of one container in memory; the records on disk are the truth.
type container struct {
	dir   string
	clock tandem.Clock

	mu    sync.RWMutex
	rec   containerRecord
	blobs map[string]*record // records are never changed once they are in here
	names []string           // sorted
	gone  bool
}

func loadContainer(dir string, clock tandem.Clock) (*container, error) {
	c := &container{dir: dir, clock: clock, blobs: map[string]*record{}}
	if err := readJSON(filepath.Join(dir, "container.json"), &c.rec); err != nil {
		return nil, err
	}
	metas, err := os.ReadDir(filepath.Join(dir, "meta"))
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, m := range metas {
		file := filepath.Join(dir, "meta", m.Name())
		if strings.HasSuffix(m.Name(), ".tmp") { // a crash came before the rename
			if err := os.Remove(file); err != nil {
				return nil, err
			}
			continue
		}
		r := new(record)
		if err := readJSON(file, r); err != nil {
			return nil, err
		}
		c.blobs[r.Name] = r
		c.names = append(c.names, r.Name)
		used[r.Data] = true
	}
	slices.Sort(c.names)
	return c, c.sweep(used)
}

// sweep removes data that no record names and blocks that nobody committed in time.
func (c *container) sweep(used map[string]bool) error {
	data, err := os.ReadDir(filepath.Join(c.dir, "data"))
	if err != nil {
		return err
	}
	for _, f := range data {
		if !used[f.Name()] {
			if err := os.Remove(filepath.Join(c.dir, "data", f.Name())); err != nil {
				return err
			}
		}
	}
	blocks, err := os.ReadDir(filepath.Join(c.dir, "blocks"))
	if err != nil {
		return err
	}
	for _, b := range blocks {
		info, err := b.Info()
		if err != nil {
			return err
		}
		if c.clock.Now().Sub(info.ModTime()) > blockLife {
			if err := os.RemoveAll(filepath.Join(c.dir, "blocks", b.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func readJSON(file string, v any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return &tandem.Error{Op: "read record of blob endpoint", Subject: file, Kind: tandem.Corrupt, Err: err, Remedy: "restore the folder from a copy"}
	}
	return nil
}

func hashName(name string) string {
	h := sha256.Sum256([]byte(name))
	return hex.EncodeToString(h[:])
}

func (c *container) metaFile(name string) string {
	return filepath.Join(c.dir, "meta", hashName(name)+".json")
}

func (c *container) dataFile(id string) string { return filepath.Join(c.dir, "data", id) }

func (c *container) blockDir(name string) string {
	return filepath.Join(c.dir, "blocks", hashName(name))
}

// find gives a blob's record.
func (c *container) find(name string) (*record, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.gone {
		return nil, errContainerNotFound()
	}
	if r, ok := c.blobs[name]; ok {
		return r, nil
	}
	return nil, errBlobNotFound()
}

// open gives a blob's record with its bytes: the file stays readable when the blob is replaced meanwhile.
func (c *container) open(name string) (*record, *os.File, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.gone {
		return nil, nil, errContainerNotFound()
	}
	r, ok := c.blobs[name]
	if !ok {
		return nil, nil, errBlobNotFound()
	}
	f, err := os.Open(c.dataFile(r.Data))
	return r, f, err
}

// change is the one way a blob comes, changes and goes. decide sees the current record (nil: absent) under the lock and
// gives the next one (nil: delete). The data file of a replaced record is removed.
func (c *container) change(name string, decide func(old *record) (*record, error)) (*record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return nil, errContainerNotFound()
	}
	old := c.blobs[name]
	next, err := decide(old)
	if err != nil {
		return nil, err
	}
	at, found := slices.BinarySearch(c.names, name)
	if next != nil {
		next.Name, next.ETag, next.Modified = name, newETag(), c.clock.Now().UTC()
		if err := writeJSON(c.metaFile(name), next); err != nil {
			return nil, err
		}
		c.blobs[name] = next
		if !found {
			c.names = slices.Insert(c.names, at, name)
		}
	} else if found {
		if err := os.Remove(c.metaFile(name)); err != nil {
			return nil, err
		}
		delete(c.blobs, name)
		c.names = slices.Delete(c.names, at, at+1)
		if err := syncDir(filepath.Join(c.dir, "meta")); err != nil {
			return nil, err
		}
	}
	if old != nil && (next == nil || next.Data != old.Data) {
		_ = os.Remove(c.dataFile(old.Data)) // the change has happened; what stays here is swept at the next start
	}
	return next, nil
}

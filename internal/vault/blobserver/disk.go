package blobserver

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"tandem"
)

// disk is the folder: {account}/{container}/ with
//
//	container.json   the container's own record; its presence makes the container exist
//	data/{id}        the bytes of one blob, written once
//	meta/{hash}.json a blob's record, named by the SHA-256 of its name; it names the data
//	blocks/{hash}/   blocks that no block list has committed yet
//
// A blob changes by the rename of its record, so that it is always the old one or the new one.
type disk struct {
	dir   string
	clock tandem.Clock
	lock  *os.File

	mu         sync.Mutex
	containers map[string]*container // by account/name; loaded at first use
}

func openDisk(dir string, clock tandem.Clock) (*disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockFolder(filepath.Join(dir, ".lock"))
	if err != nil {
		return nil, err
	}
	d := &disk{dir: dir, clock: clock, lock: lock, containers: map[string]*container{}}
	if err := os.RemoveAll(filepath.Join(dir, ".trash")); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return d, nil
}

func (d *disk) close() error { return d.lock.Close() }

// get gives a container that exists.
func (d *disk) get(account, name string) (*container, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.load(account, name)
}

func (d *disk) load(account, name string) (*container, error) {
	key := account + "/" + name
	if c, ok := d.containers[key]; ok {
		return c, nil
	}
	c, err := loadContainer(filepath.Join(d.dir, account, name), d.clock)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errContainerNotFound()
	}
	if err != nil {
		return nil, err
	}
	d.containers[key] = c
	return c, nil
}

func (d *disk) create(account, name string, meta map[string]string) (*container, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.load(account, name); err == nil {
		return nil, &wireError{409, "ContainerAlreadyExists", "The specified container already exists."}
	} else if we := (*wireError)(nil); !errors.As(err, &we) {
		return nil, err
	}
	dir := filepath.Join(d.dir, account, name)
	for _, sub := range []string{"data", "meta", "blocks"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	rec := containerRecord{ETag: newETag(), Modified: d.clock.Now().UTC(), Metadata: meta}
	if err := writeJSON(filepath.Join(dir, "container.json"), rec); err != nil {
		return nil, err
	}
	for _, up := range []string{filepath.Dir(dir), d.dir} {
		if err := syncDir(up); err != nil {
			return nil, err
		}
	}
	return d.load(account, name)
}

// remove makes the container absent in one rename and then frees its space. check sees it under the lock.
func (d *disk) remove(account, name string, check func(*container) error) error {
	gone, err := d.discard(account, name, check)
	if err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// discard moves the container to the trash, durably, and gives its place there.
func (d *disk) discard(account, name string, check func(*container) error) (gone string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, err := d.load(account, name)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := check(c); err != nil {
		return "", err
	}
	trash := filepath.Join(d.dir, ".trash")
	if err := os.MkdirAll(trash, 0o700); err != nil {
		return "", err
	}
	gone = filepath.Join(trash, newID())
	if err := os.Rename(c.dir, gone); err != nil {
		return "", err
	}
	c.gone = true
	delete(d.containers, account+"/"+name)
	return gone, syncDir(filepath.Dir(c.dir))
}

// names lists the containers of an account in order.
func (d *disk) names(account string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(d.dir, account))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(d.dir, account, e.Name(), "container.json")); err == nil {
			out = append(out, e.Name())
		}
	}
	slices.Sort(out)
	return out, err
}

// newID names a data file.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails on supported systems
	return hex.EncodeToString(b[:])
}

// newETag has Azure's look. It is random, so it never comes back with other content.
func newETag() string { return `"0x8D` + upper(newID()[:13]) + `"` }

func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'f' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// writeJSON replaces a record whole and durably.
func writeJSON(file string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	temp := file + "." + newID()[:8] + ".tmp"
	if err := writeSynced(temp, data); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, file); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(filepath.Dir(file))
}

func writeSynced(file string, data []byte) (err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// second cuts a time to what HTTP dates carry.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

package identity

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// Sealer seals what must not rest in the open (law 7); package keys has one.
type Sealer interface {
	Seal(plaintext, context []byte) (string, error)
	Open(sealed string, context []byte) ([]byte, error)
}

// Config says where a Directory is kept. Store, Sealer, Clock and Log are needed.
type Config struct {
	AccessConfig
	Store  store.Store
	Sealer Sealer
	Log    *slog.Logger
	// Prefix of the keys in the store; empty: "identity/".
	Prefix string
	// KeyLifetime is how long a signing key is used before the next; zero: 30 days.
	KeyLifetime time.Duration
}

// Directory holds applications, service principals, roles and signing keys in the store, and a copy of them in memory from
// which it answers. A change that a method made is seen by every later call on the same Directory; changes made elsewhere
// arrive through Run.
type Directory struct {
	Access
	c       Config
	mu      sync.Mutex
	docs    map[string]store.Document  // what is in the store, by key without the prefix
	gone    map[string]tandem.Revision // keys deleted here whose deletion the watch has not told yet
	seen    tandem.Revision            // the newest revision that any change had
	newest  tandem.Revision            // of all changes that were seen themselves
	apps    map[string]Application     // by lower-case client id
	signers map[string]*rsa.PrivateKey // by key id
	changed chan struct{}              // closed and replaced at each change
}

var _ arm.Authoriser = (*Directory)(nil)

// The folders of the store below the prefix.
const (
	folderTenants     = "tenants/"
	folderApps        = "applications/"
	folderPrincipals  = "principals/"
	folderRoles       = "roles/"
	folderAssignments = "assignments/"
	folderKeys        = "keys/"
)

// Open loads the directory and makes its first signing key where there is none. Run keeps it up to date.
func Open(ctx context.Context, c Config) (*Directory, error) {
	if c.Store == nil || c.Sealer == nil || c.Clock == nil || c.Log == nil {
		return nil, &tandem.Error{Op: "open directory", Kind: tandem.Invalid, Remedy: "set Store, Sealer, Clock and Log"}
	}
	if c.Prefix == "" {
		c.Prefix = "identity/"
	}
	if c.KeyLifetime == 0 {
		c.KeyLifetime = 30 * 24 * time.Hour
	}
	d := &Directory{c: c, changed: make(chan struct{})}
	c.init(&d.Access)
	if _, err := d.load(ctx); err != nil {
		return nil, err
	}
	return d, d.rotate(ctx)
}

// Run follows the store and rotates the signing keys until ctx ends, and returns nil then.
func (d *Directory) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	rotated := make(chan struct{})
	go func() {
		defer close(rotated)
		for d.c.Clock.Sleep(ctx, time.Hour) == nil {
			if err := d.rotate(ctx); err != nil && ctx.Err() == nil {
				d.c.Log.Error("signing keys cannot be rotated", "error", err)
			}
		}
	}()
	defer func() { stop(); <-rotated }()
	wait := 100 * time.Millisecond
	for {
		at, err := d.load(ctx)
		if err == nil {
			wait = 100 * time.Millisecond
			err = d.c.Store.Watch(ctx, d.c.Prefix, at, d.follow)
		}
		if ctx.Err() != nil {
			return nil
		}
		if tandem.KindOf(err) == tandem.Closed {
			return err
		}
		d.c.Log.Warn("the directory cannot follow its store; it goes on with what it has and tries again", "error", err)
		if d.c.Clock.Sleep(ctx, wait) != nil {
			return nil
		}
		wait = min(2*wait, 10*time.Second)
	}
}

// load reads everything, in pages at one revision.
func (d *Directory) load(ctx context.Context) (tandem.Revision, error) {
	docs := map[string]store.Document{}
	o := store.ListOptions{Limit: 1000}
	for {
		page, err := d.c.Store.List(ctx, d.c.Prefix, o)
		if err != nil {
			return 0, &tandem.Error{Op: "load directory", Err: err, Kind: tandem.KindOf(err), Remedy: "check the store"}
		}
		for _, doc := range page.Documents {
			docs[strings.TrimPrefix(doc.Key, d.c.Prefix)] = doc
			o.After = doc.Key
		}
		o.At = page.Revision
		if !page.More {
			break
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, doc := range d.docs { // what was written here after the read
		if doc.Revision > o.At {
			docs[key] = doc
		}
	}
	for _, doc := range docs {
		d.newest = max(d.newest, doc.Revision)
	}
	for key, at := range d.gone {
		if at > o.At {
			delete(docs, key)
		} else {
			delete(d.gone, key)
		}
	}
	if d.gone == nil {
		d.gone = map[string]tandem.Revision{}
	}
	d.docs, d.seen = docs, max(d.seen, o.At)
	return o.At, d.rebuild()
}

// follow takes one commit of the watch.
func (d *Directory) follow(e store.Event) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range e.Changes {
		key := strings.TrimPrefix(c.Key, d.c.Prefix)
		d.take(key, c.Document, c.Deleted)
	}
	for key, at := range d.gone {
		if at <= e.Revision {
			delete(d.gone, key)
		}
	}
	d.seen = max(d.seen, e.Revision)
	if err := d.rebuild(); err != nil {
		// One bad document must not stop the others that follow; the old view stays.
		d.c.Log.Error("a change of the directory cannot be used", "revision", e.Revision, "error", err)
	}
	return nil
}

// take applies one change unless a newer one was applied already. The caller holds the lock.
func (d *Directory) take(key string, doc store.Document, deleted bool) {
	if doc.Revision < d.docs[key].Revision || doc.Revision < d.gone[key] {
		return
	}
	d.newest = max(d.newest, doc.Revision)
	if deleted {
		delete(d.docs, key)
		return
	}
	d.docs[key] = doc
}

// write is one document to put; a nil Value deletes it.
type write struct {
	key   string
	value any
	// created demands that the key is absent.
	created bool
}

// commit writes documents as one revision, each only if it is as this Directory knows it, and applies them here.
func (d *Directory) commit(ctx context.Context, op string, writes ...write) error {
	var b store.Batch
	d.mu.Lock()
	for _, w := range writes {
		key := d.c.Prefix + w.key
		at := d.docs[w.key].Revision
		if w.created {
			at = 0
		}
		b.If = append(b.If, store.Condition{Key: key, Revision: at})
	}
	d.mu.Unlock()
	for _, w := range writes {
		if w.value == nil {
			b.Delete = append(b.Delete, d.c.Prefix+w.key)
			continue
		}
		value, err := json.Marshal(w.value)
		if err != nil {
			return &tandem.Error{Op: op, Subject: w.key, Kind: tandem.Invalid, Err: err}
		}
		b.Put = append(b.Put, store.Write{Key: d.c.Prefix + w.key, Value: value})
	}
	revision, err := d.c.Store.Commit(ctx, b)
	if err != nil {
		return &tandem.Error{Op: op, Subject: writes[0].key, Kind: tandem.KindOf(err), Err: err, Remedy: "read it again and repeat the change"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range b.Put {
		d.take(strings.TrimPrefix(p.Key, d.c.Prefix), store.Document{Key: p.Key, Value: p.Value, Revision: revision}, false)
	}
	for _, k := range b.Delete {
		key := strings.TrimPrefix(k, d.c.Prefix)
		d.take(key, store.Document{Revision: revision}, true)
		d.gone[key] = max(d.gone[key], revision)
	}
	d.seen = max(d.seen, revision)
	return d.rebuild()
}

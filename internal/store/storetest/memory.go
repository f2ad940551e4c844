package storetest

import (
	"context"
	"slices"
	"sort"
	"strings"
	"sync"

	"tandem"
	"tandem/internal/store"
)

// Memory gives a store in memory, for tests of the packages above: the whole of store.Store, with history, and passing the
// suite. It keeps nothing on disk, so law 1 does not hold for it.
func Memory() store.Store {
	return &memory{revision: 1, commits: map[tandem.Revision][]store.Change{}, versions: map[string][]version{},
		changed: make(chan struct{}), end: make(chan struct{})}
}

// version is what a key held from a revision on.
type version struct {
	document store.Document
	deleted  bool
}

type memory struct {
	mu        sync.RWMutex
	revision  tandem.Revision // like etcd's, that of an empty store is 1
	compacted tandem.Revision
	commits   map[tandem.Revision][]store.Change // by revision; those before compacted are gone
	versions  map[string][]version               // by key, oldest first
	keys      []string                           // of versions, in order
	changed   chan struct{}                      // closed and replaced at each commit
	end       chan struct{}
	closed    bool
}

// ready refuses calls after Close or after ctx. The caller holds the lock.
func (m *memory) ready(ctx context.Context, op, subject string) error {
	if m.closed {
		return &tandem.Error{Op: op, Subject: subject, Kind: tandem.Closed, Remedy: "open the store again"}
	}
	if ctx.Err() != nil {
		return &tandem.Error{Op: op, Subject: subject, Kind: tandem.Unavailable, Err: context.Cause(ctx)}
	}
	return nil
}

// readable gives the revision that a read at at means.
func (m *memory) readable(op, subject string, at tandem.Revision) (tandem.Revision, error) {
	switch {
	case at == 0:
		return m.revision, nil
	case at > 0 && at < m.compacted:
		return 0, &tandem.Error{Op: op, Subject: subject, Kind: tandem.Compacted, Remedy: "list again and go on from there"}
	case at > m.revision || at < 0:
		return 0, &tandem.Error{Op: op, Subject: subject, Kind: tandem.Invalid, Remedy: "give a revision that this store has reached"}
	}
	return at, nil
}

// look finds what key held at a revision.
func (m *memory) look(key string, at tandem.Revision) (store.Document, bool) {
	versions := m.versions[key]
	for i := len(versions) - 1; i >= 0; i-- {
		if v := versions[i]; v.document.Revision <= at {
			d := v.document
			d.Value = slices.Clone(d.Value)
			return d, !v.deleted
		}
	}
	return store.Document{}, false
}

func (m *memory) Get(ctx context.Context, key string, at tandem.Revision) (store.Document, error) {
	if err := store.CheckKey(key); err != nil {
		return store.Document{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.ready(ctx, "get", key); err != nil {
		return store.Document{}, err
	}
	at, err := m.readable("get", key, at)
	if err != nil {
		return store.Document{}, err
	}
	d, found := m.look(key, at)
	if !found {
		return store.Document{}, &tandem.Error{Op: "get", Subject: key, Kind: tandem.NotFound}
	}
	return d, nil
}

func (m *memory) List(ctx context.Context, prefix string, o store.ListOptions) (store.Listing, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.ready(ctx, "list", prefix); err != nil {
		return store.Listing{}, err
	}
	at, err := m.readable("list", prefix, o.At)
	if err != nil {
		return store.Listing{}, err
	}
	l := store.Listing{Revision: at}
	for i := sort.SearchStrings(m.keys, max(prefix, o.After)); i < len(m.keys); i++ {
		key := m.keys[i]
		if !strings.HasPrefix(key, prefix) {
			break
		}
		d, found := m.look(key, at)
		if !found || o.After != "" && key <= o.After {
			continue
		}
		l.Total++
		if o.Limit > 0 && len(l.Documents) == o.Limit {
			l.More = true
			continue
		}
		l.Documents = append(l.Documents, d)
	}
	return l, nil
}

func (m *memory) Commit(ctx context.Context, b store.Batch) (tandem.Revision, error) {
	if err := b.Check(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(ctx, "commit", ""); err != nil {
		return 0, err
	}
	for _, c := range b.If {
		d, found := m.look(c.Key, m.revision)
		if !found {
			d.Revision = 0
		}
		if d.Revision != c.Revision && (c.Revision != store.Any || !found) {
			return 0, &tandem.Error{Op: "commit", Subject: c.Key, Kind: tandem.Precondition, Remedy: "read it again and decide anew"}
		}
	}
	revision := m.revision + 1
	var changes []store.Change
	for _, w := range b.Put {
		d := store.Document{Key: w.Key, Value: slices.Clone(w.Value), Created: revision, Revision: revision}
		if old, found := m.look(w.Key, m.revision); found {
			d.Created = old.Created
		}
		changes = append(changes, store.Change{Document: d})
	}
	for _, key := range b.Delete {
		if _, found := m.look(key, m.revision); found {
			changes = append(changes, store.Change{Document: store.Document{Key: key, Revision: revision}, Deleted: true})
		}
	}
	if len(changes) == 0 {
		return m.revision, nil
	}
	slices.SortFunc(changes, func(a, b store.Change) int { return strings.Compare(a.Key, b.Key) })
	for _, c := range changes {
		if _, known := m.versions[c.Key]; !known {
			m.keys = slices.Insert(m.keys, sort.SearchStrings(m.keys, c.Key), c.Key)
		}
		m.versions[c.Key] = append(m.versions[c.Key], version{c.Document, c.Deleted})
	}
	m.revision, m.commits[revision] = revision, changes
	close(m.changed)
	m.changed = make(chan struct{})
	return revision, nil
}

func (m *memory) Watch(ctx context.Context, prefix string, after tandem.Revision, yield func(store.Event) error) error {
	for {
		event, changed, err := m.next(ctx, prefix, &after)
		switch {
		case err != nil:
			return err
		case changed != nil:
			select {
			case <-changed:
			case <-m.end:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		default:
			if err := yield(event); err != nil {
				return err
			}
		}
	}
}

// next finds the first event after the revision, and moves it there; or gives the channel that tells of more.
func (m *memory) next(ctx context.Context, prefix string, after *tandem.Revision) (store.Event, <-chan struct{}, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if ctx.Err() != nil {
		return store.Event{}, nil, context.Cause(ctx)
	}
	if err := m.ready(ctx, "watch", prefix); err != nil {
		return store.Event{}, nil, err
	}
	if *after+1 < m.compacted {
		return store.Event{}, nil, &tandem.Error{Op: "watch", Subject: prefix, Kind: tandem.Compacted,
			Remedy: "list again and watch from there"}
	}
	for *after < m.revision {
		*after++
		event := store.Event{Revision: *after}
		for _, c := range m.commits[*after] {
			if strings.HasPrefix(c.Key, prefix) {
				c.Value = slices.Clone(c.Value)
				event.Changes = append(event.Changes, c)
			}
		}
		if event.Changes != nil {
			return event, nil, nil
		}
	}
	return store.Event{}, m.changed, nil
}

func (m *memory) Revision(ctx context.Context) (tandem.Revision, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.revision, m.ready(ctx, "read newest revision", "")
}

func (m *memory) Compact(ctx context.Context, before tandem.Revision) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(ctx, "compact", ""); err != nil {
		return err
	}
	if 0 <= before && before <= m.compacted { // done, now or earlier
		return nil
	}
	if _, err := m.readable("compact", "", before); err != nil {
		return err
	}
	for ; m.compacted < before; m.compacted++ {
		delete(m.commits, m.compacted)
	}
	kept := m.keys[:0]
	for _, key := range m.keys {
		versions := m.versions[key]
		i := len(versions) - 1
		for i > 0 && versions[i].document.Revision > before {
			i--
		}
		if versions[i].deleted && versions[i].document.Revision <= before {
			i++
		}
		if versions = versions[i:]; len(versions) == 0 {
			delete(m.versions, key)
			continue
		}
		m.versions[key] = versions
		kept = append(kept, key)
	}
	m.keys = kept
	return nil
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		close(m.end)
	}
	return nil
}

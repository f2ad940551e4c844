package vaulttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"tandem"
	"tandem/internal/vault"
)

// Memory is a vault in memory, and a store that can be told to misbehave. It passes Run. With Retention it keeps blobs by
// a fake object lock: what a store with a real one does is proven against that store alone.
type Memory struct {
	Clock     tandem.Clock // of the vault; nil: the machine's
	Retention bool

	// Before, where given, is called before each call with its verb ("put", "get", "head", "list", "delete") and the name;
	// an error of it is the call's.
	Before func(verb, name string) error

	mu    sync.Mutex
	blobs map[string]memoryBlob
	calls map[string]int
}

type memoryBlob struct {
	data  []byte
	at    time.Time
	until time.Time
}

func (m *Memory) now() time.Time {
	if m.Clock == nil {
		return tandem.SystemClock{}.Now()
	}
	return m.Clock.Now()
}

func (m *Memory) begin(ctx context.Context, verb, name string) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	if m.calls == nil {
		m.calls = map[string]int{}
	}
	m.calls[verb]++
	m.mu.Unlock()
	if m.Before != nil {
		return m.Before(verb, name)
	}
	return nil
}

// Calls is how often a verb was called.
func (m *Memory) Calls(verb string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[verb]
}

// Put implements vault.Vault.
func (m *Memory) Put(ctx context.Context, name string, r io.Reader, o vault.PutOptions) (vault.Info, error) {
	if err := vault.CheckName(name); err != nil {
		return vault.Info{}, err
	}
	if err := m.begin(ctx, "put", name); err != nil {
		return vault.Info{}, err
	}
	data, err := io.ReadAll(vault.Reader(ctx, r))
	if err != nil {
		return vault.Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, taken := m.blobs[name]; taken {
		if o.IfAbsent {
			return vault.Info{}, &tandem.Error{Op: "put blob", Subject: name, Kind: tandem.Exists}
		}
		if old.until.After(m.now()) {
			return vault.Info{}, kept("put blob", name)
		}
	}
	if m.blobs == nil {
		m.blobs = map[string]memoryBlob{}
	}
	m.blobs[name] = memoryBlob{data: data, at: m.now()}
	return vault.Info{Name: name, Size: int64(len(data)), Modified: m.blobs[name].at}, nil
}

func kept(op, name string) error {
	return &tandem.Error{Op: op, Subject: name, Kind: tandem.Locked, Err: errors.New("its retention has not passed")}
}

func (m *Memory) find(ctx context.Context, verb, name string) (memoryBlob, vault.Info, error) {
	if err := vault.CheckName(name); err != nil {
		return memoryBlob{}, vault.Info{}, err
	}
	if err := m.begin(ctx, verb, name); err != nil {
		return memoryBlob{}, vault.Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[name]
	if !ok {
		return b, vault.Info{}, &tandem.Error{Op: verb + " blob", Subject: name, Kind: tandem.NotFound}
	}
	return b, vault.Info{Name: name, Size: int64(len(b.data)), Modified: b.at}, nil
}

// Get implements vault.Vault.
func (m *Memory) Get(ctx context.Context, name string, part vault.Range) (io.ReadCloser, vault.Info, error) {
	if err := vault.CheckRange(name, part); err != nil {
		return nil, vault.Info{}, err
	}
	b, info, err := m.find(ctx, "get", name)
	if err == nil && part != (vault.Range{}) && part.Offset >= info.Size {
		err = vault.PastEnd(name, part, info.Size)
	}
	if err != nil {
		return nil, vault.Info{}, err
	}
	data := b.data[part.Offset:]
	if part.Length > 0 {
		data = data[:min(part.Length, int64(len(data)))]
	}
	return io.NopCloser(vault.Reader(ctx, bytes.NewReader(data))), info, nil
}

// Head implements vault.Vault.
func (m *Memory) Head(ctx context.Context, name string) (vault.Info, error) {
	_, info, err := m.find(ctx, "head", name)
	return info, err
}

// List implements vault.Vault.
func (m *Memory) List(ctx context.Context, prefix string) iter.Seq2[vault.Info, error] {
	return func(yield func(vault.Info, error) bool) {
		if err := m.begin(ctx, "list", prefix); err != nil {
			yield(vault.Info{}, err)
			return
		}
		m.mu.Lock()
		var all []vault.Info
		for name, b := range m.blobs {
			if strings.HasPrefix(name, prefix) {
				all = append(all, vault.Info{Name: name, Size: int64(len(b.data)), Modified: b.at})
			}
		}
		m.mu.Unlock()
		slices.SortFunc(all, func(a, b vault.Info) int { return strings.Compare(a.Name, b.Name) })
		for _, info := range all {
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Delete implements vault.Vault.
func (m *Memory) Delete(ctx context.Context, name string) error {
	if err := vault.CheckName(name); err != nil {
		return err
	}
	if err := m.begin(ctx, "delete", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blobs[name].until.After(m.now()) {
		return kept("delete blob", name)
	}
	delete(m.blobs, name)
	return nil
}

// CanRetain implements vault.Retainer.
func (m *Memory) CanRetain(context.Context) (bool, error) { return m.Retention, nil }

// Retain implements vault.Retainer, by a fake.
func (m *Memory) Retain(ctx context.Context, name string, until time.Time) error {
	b, _, err := m.find(ctx, "retain", name)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if until.After(b.until) {
		b.until = until
		m.blobs[name] = b
	}
	return nil
}

// Change replaces a blob's bytes behind the vault's back.
func (m *Memory) Change(name string, change func([]byte) []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.blobs[name]
	b.data = change(slices.Clone(b.data))
	m.blobs[name] = b
}

// Lose removes a blob behind the vault's back.
func (m *Memory) Lose(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, name)
}

// Names lists all blobs, and Bytes is their size together.
func (m *Memory) Names() (names []string, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, b := range m.blobs {
		names, bytes = append(names, name), bytes+int64(len(b.data))
	}
	slices.Sort(names)
	return names, bytes
}

// Clone copies the vault with its blobs.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := &Memory{Clock: m.Clock, Retention: m.Retention, blobs: map[string]memoryBlob{}}
	for name, b := range m.blobs {
		out.blobs[name] = b
	}
	return out
}

package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"tandem"
)

// masterHeader is the first line of a master key file. Each further line is "version created key": a decimal number
// from 1 without gaps upwards, an RFC 3339 time for people to read, and 32 bytes in base64, or the word "retired" for a key
// that is gone. Lines that begin with # are comments. A key service wraps the whole text (wrap.go).
const masterHeader = "tandem-master-key-1"

// Master is the versioned master key of a site: it seals with its newest version and opens with any. Its methods may be
// called from many goroutines.
type Master struct {
	file    string
	clock   tandem.Clock
	service KeyService // nil: the file is not wrapped

	mu   sync.RWMutex
	keys [][]byte // keys[i] is version i+1; nil: retired
	at   []string // when each was made
}

// MasterOptions say how a master key is opened.
type MasterOptions struct {
	Create bool     // make the file, with version 1, where it is absent
	Apart  []string // data folders; a key file inside one of them is refused, as whoever copies the data would copy the key
	Clock  tandem.Clock
	// Service wraps the file's content and unwraps it: the keys are then in memory alone. nil: the file holds the keys.
	Service KeyService
}

// OpenMaster reads the master key file (mode 0600; see Credential for systemd's). Errors: NotFound where it is absent and
// Create is false, Denied where others can read it, Invalid where it lies beside the data, Corrupt where it does not parse.
func OpenMaster(file string, o MasterOptions) (*Master, error) {
	for _, dir := range o.Apart {
		if within(file, dir) {
			return nil, &tandem.Error{Op: "open master key", Subject: file, Kind: tandem.Invalid,
				Err: fmt.Errorf("it lies inside the data folder %s", dir), Remedy: "keep the key on another path, or pass it as a systemd credential"}
		}
	}
	m := &Master{file: file, clock: o.Clock, service: o.Service}
	err := m.load()
	if errors.Is(err, fs.ErrNotExist) {
		if !o.Create {
			return nil, &tandem.Error{Op: "open master key", Subject: file, Kind: tandem.NotFound,
				Remedy: "restore the file from where keys are kept, or ask for a new one on the first start"}
		}
		if err = m.create(); err == nil {
			err = m.load()
		}
	}
	if err != nil {
		return nil, &tandem.Error{Op: "open master key", Subject: file, Kind: kindOr(err, tandem.Corrupt), Err: err, Remedy: "restore the file from where keys are kept"}
	}
	return m, nil
}

// Version is the newest key version.
func (m *Master) Version() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.keys)
}

// Rotate adds a key version, durable before it returns, and seals with it from now on. What was sealed before still
// opens; Reseal moves it on.
func (m *Master) Rotate() error {
	return m.change("rotate master key", func(keys [][]byte, at []string) ([][]byte, []string, error) {
		key, err := newKey()
		return append(keys, key), append(at, m.clock.Now().UTC().Format(time.RFC3339)), err
	})
}

// change writes the file anew with other keys.
func (m *Master) change(op string, change func(keys [][]byte, at []string) ([][]byte, []string, error)) (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fail := func(err error) error {
		return &tandem.Error{Op: op, Subject: m.file, Kind: kindOr(err, tandem.Unavailable), Err: err,
			Remedy: "make the key file writable; a systemd credential is changed at its source"}
	}
	// Two processes that rotate at the same time must not make two keys of one version: one would be lost.
	unlock, err := lock(m.file)
	if err != nil {
		return fail(err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	keys, at, err := m.read()
	if err != nil {
		return fail(err)
	}
	if keys, at, err = change(keys, at); err != nil {
		return fail(err)
	}
	text, err := m.wrapped(formatMaster(keys, at))
	if err == nil {
		err = replace(m.file, text, 0o600)
	}
	if err != nil {
		return fail(err)
	}
	m.keys, m.at = keys, at
	return nil
}

// key gives a version's key, reading the file again where the version is newer than all it knows: another process may
// have rotated it.
func (m *Master) key(version int) ([]byte, bool) {
	m.mu.RLock()
	n := len(m.keys)
	if version >= 1 && version <= n {
		defer m.mu.RUnlock()
		return m.keys[version-1], m.keys[version-1] != nil
	}
	m.mu.RUnlock()
	if version != n+1 || m.load() != nil {
		return nil, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if version > len(m.keys) {
		return nil, false
	}
	return m.keys[version-1], m.keys[version-1] != nil
}

func (m *Master) load() error {
	keys, at, err := m.read()
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.keys, m.at = keys, at
	m.mu.Unlock()
	return nil
}

func (m *Master) create() error {
	key, err := newKey()
	if err != nil {
		return err
	}
	data, err := m.wrapped(formatMaster([][]byte{key}, []string{m.clock.Now().UTC().Format(time.RFC3339)}))
	if err != nil {
		return err
	}
	if err := create(m.file, data, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func newKey() ([]byte, error) {
	key := make([]byte, chacha20poly1305.KeySize)
	_, err := rand.Read(key)
	return key, err
}

func formatMaster(keys [][]byte, at []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n# Keep this file away from the data and its backups. Without it, sealed secrets cannot be read.\n", masterHeader)
	for i, k := range keys {
		text := retired
		if k != nil {
			text = base64.StdEncoding.EncodeToString(k)
		}
		fmt.Fprintf(&b, "%d %s %s\n", i+1, at[i], text)
	}
	return b.Bytes()
}

func (m *Master) read() ([][]byte, []string, error) {
	data, err := readSecret(m.file)
	if err == nil {
		data, err = m.unwrapped(data)
	}
	if err != nil {
		return nil, nil, err
	}
	return parseMaster(data)
}

// parseMaster never quotes a line in an error, since it may hold a key.
func parseMaster(data []byte) (keys [][]byte, at []string, err error) {
	for i, line := range strings.Split(strings.TrimRight(string(data), "\n"), "\n") {
		if i == 0 {
			if line != masterHeader {
				return nil, nil, fmt.Errorf("line 1 is not %q", masterHeader)
			}
			continue
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != strconv.Itoa(len(keys)+1) {
			return nil, nil, fmt.Errorf("line %d is not \"version created key\" with version %d", i+1, len(keys)+1)
		}
		if fields[2] == retired {
			keys, at = append(keys, nil), append(at, fields[1])
			continue
		}
		key, err := base64.StdEncoding.DecodeString(fields[2])
		if err != nil || len(key) != chacha20poly1305.KeySize {
			return nil, nil, fmt.Errorf("line %d does not hold %d bytes in base64", i+1, chacha20poly1305.KeySize)
		}
		keys, at = append(keys, key), append(at, fields[1])
	}
	if len(keys) == 0 || keys[len(keys)-1] == nil {
		return nil, nil, errors.New("it holds no key to seal with")
	}
	return keys, at, nil
}

// Package repository keeps the snapshots of many services in one vault, as docs/format.md, section 11, specifies: chunks of
// resources named by a keyed hash of their content, so that snapshots share what is equal; a tree of chunks and a record for
// each snapshot; proofs, retention and pruning.
package repository

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"filippo.io/age"

	"tandem"
	"tandem/internal/vault"
)

const (
	configName    = "tandem-vault"
	configFormat  = "tandem-vault"
	configVersion = 1
	// maxSmall bounds what is read of a blob that is small by nature.
	maxSmall = 64 << 20
	// defaultPuts is how many blobs are read or written at once.
	defaultPuts = 16
)

// Config is what a repository works with.
type Config struct {
	Vault      vault.Vault
	Clock      tandem.Clock
	Recipients []age.Recipient // for Create: the vault's identity and the offline recovery key
	Identities []age.Identity  // for Open: one of them
	// Concurrency is how many blobs are read or written at once; zero: 16.
	Concurrency int
	// Progress, where given, is told how far a call has come, from several goroutines.
	Progress func(Progress)
}

// Progress is how far a call has come.
type Progress struct {
	Phase       string // "write chunks", "read chunks", "delete chunks"
	Done, Total int
}

// Repository is open for reading and writing; its methods may be called from many goroutines.
type Repository struct {
	Config
	id     string
	config vaultConfig
	ring   *ring
}

// vaultConfig is the content of the blob "tandem-vault", encrypted with age.
type vaultConfig struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	ID      string `json:"id"`
	Key     []byte `json:"key"` // 32 bytes, the vault's key
	// Minimum is how long every snapshot is kept at least; it can be raised and never lowered. Seconds.
	Minimum int64 `json:"minimumRetention"`
}

// Create makes a repository in a vault that has none. minimum is how long every snapshot is kept at least.
func Create(ctx context.Context, c Config, minimum time.Duration) (*Repository, error) {
	v := vaultConfig{Format: configFormat, Version: configVersion, Key: make([]byte, 32), Minimum: int64(minimum / time.Second)}
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	if _, err := rand.Read(v.Key); err != nil {
		return nil, err
	}
	v.ID = hex.EncodeToString(id[:])
	if minimum < 0 {
		return nil, &tandem.Error{Op: "create repository", Kind: tandem.Invalid, Err: errors.New("the minimum retention is negative"), Remedy: "give a duration of zero or more"}
	}
	if err := writeConfig(ctx, c, v, vault.PutOptions{IfAbsent: true}); err != nil {
		return nil, err
	}
	return newRepository(c, v)
}

// Open reads the key of a repository. NotFound: the vault has none; Denied: no identity opens it.
func Open(ctx context.Context, c Config) (*Repository, error) {
	fail := func(kind tandem.Kind, err error, remedy string) (*Repository, error) {
		return nil, &tandem.Error{Op: "open repository", Subject: configName, Kind: kind, Err: err, Remedy: remedy}
	}
	raw, err := readBlob(ctx, c.Vault, configName)
	if errors.Is(err, tandem.NotFound) {
		return fail(tandem.NotFound, errors.New("the vault holds no repository"), "make one with 'tandem vault init', or correct the vault's address")
	}
	if err != nil {
		return nil, err
	}
	plain, err := age.Decrypt(bytes.NewReader(raw), c.Identities...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return fail(tandem.Denied, errors.New("none of the identities opens it, or its header is damaged"), "use the vault's identity or the offline recovery key")
	}
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(plain, 1<<16))
	}
	if err != nil {
		return fail(tandem.Corrupt, err, "put back a copy of the blob "+configName+"; the chunks stay as they are")
	}
	var v vaultConfig
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil || v.Format != configFormat || len(v.Key) != 32 {
		if v.Version > configVersion {
			return fail(tandem.Unsupported, fmt.Errorf("it has version %d of the format, this is a reader of version %d", v.Version, configVersion), "use a newer Tandem")
		}
		return fail(tandem.Corrupt, errors.New("it is not the configuration of a repository"), "put back a copy of the blob "+configName)
	}
	if v.Version != configVersion {
		return fail(tandem.Unsupported, fmt.Errorf("it has version %d of the format, this is a reader of version %d", v.Version, configVersion), "use a newer Tandem")
	}
	return newRepository(c, v)
}

// OpenOrCreate opens the repository, and makes it where the vault has none.
func OpenOrCreate(ctx context.Context, c Config, minimum time.Duration) (*Repository, error) {
	r, err := Open(ctx, c)
	if !errors.Is(err, tandem.NotFound) {
		return r, err
	}
	if r, err = Create(ctx, c, minimum); errors.Is(err, tandem.Exists) { // another made it at the same time
		return Open(ctx, c)
	}
	return r, err
}

func newRepository(c Config, v vaultConfig) (*Repository, error) {
	if c.Concurrency <= 0 {
		c.Concurrency = defaultPuts
	}
	ring, err := newRing(v.Key, runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, err
	}
	return &Repository{Config: c, id: v.ID, config: v, ring: ring}, nil
}

// ID tells repositories apart.
func (r *Repository) ID() string { return r.id }

// Minimum is how long every snapshot is kept at least, from when it was made.
func (r *Repository) Minimum() time.Duration { return time.Duration(r.config.Minimum) * time.Second }

// RaiseMinimum makes the minimum retention longer. A shorter one than it is is refused with Precondition. Snapshots that exist
// keep what they were made with, or the new one, whichever is longer. Recipients are those of the configuration.
func (r *Repository) RaiseMinimum(ctx context.Context, to time.Duration) error {
	work, release, err := r.lock(ctx, true)
	if err != nil {
		return err
	}
	now, err := Open(work, r.Config) // another may have raised it
	if err == nil && to < now.Minimum() {
		err = &tandem.Error{Op: "set minimum retention", Kind: tandem.Precondition, Err: fmt.Errorf("it is %s and can only become longer", Days(now.Minimum())), Remedy: "give a longer time; snapshots are deleted when theirs has passed"}
	}
	if err == nil {
		v := now.config
		v.Minimum = int64(to / time.Second)
		if err = writeConfig(work, r.Config, v, vault.PutOptions{}); err == nil {
			r.config = v
		}
	}
	return errors.Join(err, release())
}

// Rekey encrypts the vault's key anew, to the recipients of the configuration. Whoever opened it before still knows the key.
func (r *Repository) Rekey(ctx context.Context) error {
	return writeConfig(ctx, r.Config, r.config, vault.PutOptions{})
}

func writeConfig(ctx context.Context, c Config, v vaultConfig, o vault.PutOptions) error {
	fail := func(err error) error {
		return &tandem.Error{Op: "write repository's key", Subject: configName, Kind: tandem.Invalid, Err: err, Remedy: "give at least one recipient, and a passphrase only alone"}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, c.Recipients...)
	if err != nil {
		return fail(err)
	}
	if _, err := w.Write(text); err != nil {
		return fail(err)
	}
	if err := w.Close(); err != nil {
		return fail(err)
	}
	_, err = c.Vault.Put(ctx, configName, &sealed, o)
	return err
}

// readBlob reads a blob of at most maxSmall bytes.
func readBlob(ctx context.Context, v vault.Vault, name string) ([]byte, error) {
	r, info, err := v.Get(ctx, name, vault.Range{})
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // it was read to its end
	buf := bytes.NewBuffer(make([]byte, 0, min(max(info.Size, 0), 1<<20)+bytes.MinRead))
	if _, err := buf.ReadFrom(io.LimitReader(r, maxSmall+1)); err != nil {
		return nil, &tandem.Error{Op: "read blob", Subject: name, Kind: kindOr(err, tandem.Unavailable), Err: err, Remedy: "check the vault, and try again"}
	}
	if buf.Len() > maxSmall {
		return nil, &tandem.Error{Op: "read blob", Subject: name, Kind: tandem.TooLarge, Err: fmt.Errorf("it has more than %d bytes", maxSmall), Remedy: "the vault was changed from outside; verify it"}
	}
	return buf.Bytes(), nil
}

// Days writes a duration for people.
func Days(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}

func (r *Repository) tell(phase string, done, total int) {
	if r.Progress != nil {
		r.Progress(Progress{phase, done, total})
	}
}

func kindOr(err error, k tandem.Kind) tandem.Kind {
	if inner := tandem.KindOf(err); inner != "" {
		return inner
	}
	return k
}

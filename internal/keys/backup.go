package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"filippo.io/age"

	"tandem"
)

// Backup holds the age keys of a vault. Every backup is encrypted to two recipients: the vault's own, whose identity
// both regions have, and the recovery key, whose identity is kept offline, so that losing every site's keys does not
// lose the backups.
type Backup struct {
	Identity *age.X25519Identity // opens backups; nil where only writing is wanted
	Recovery age.Recipient       // nil where no recovery key was made
}

// Recipients are those to encrypt a backup to.
func (b Backup) Recipients() []age.Recipient {
	var out []age.Recipient
	if b.Identity != nil {
		out = append(out, b.Identity.Recipient())
	}
	if b.Recovery != nil {
		out = append(out, b.Recovery)
	}
	return out
}

// OpenIdentity reads an age identity file (mode 0600), or makes one with an X25519 identity where it is absent and create
// is true.
func OpenIdentity(file string, create bool, clock tandem.Clock) (*age.X25519Identity, error) {
	read := func(file string) (*age.X25519Identity, error) {
		data, err := readSecret(file)
		if err != nil {
			return nil, err
		}
		return parseIdentity(data)
	}
	var id *age.X25519Identity
	var err error
	if create {
		id, err = readOrMake(file, read, func() error { _, err := createIdentity(file, "vault identity", clock); return err })
	} else {
		id, err = read(file)
	}
	if err != nil {
		kind := kindOr(err, tandem.Corrupt)
		if errors.Is(err, fs.ErrNotExist) {
			kind = tandem.NotFound
		}
		return nil, &tandem.Error{Op: "open backup identity", Subject: file, Kind: kind, Err: err, Remedy: "copy the file from the other region, or use the offline recovery key"}
	}
	return id, nil
}

// CreateRecovery makes the offline recovery key: the identity goes to secretFile, which a person then moves off the
// machine, and the recipient to publicFile, which stays. Exists where either file is there already.
func CreateRecovery(secretFile, publicFile string, clock tandem.Clock) (age.Recipient, error) {
	fail := func(file string, err error) error {
		kind := kindOr(err, tandem.Unavailable)
		if errors.Is(err, fs.ErrExist) {
			kind = tandem.Exists
		}
		return &tandem.Error{Op: "create recovery key", Subject: file, Kind: kind, Err: err, Remedy: "choose files that do not exist, in a folder that can be written"}
	}
	if _, err := os.Stat(publicFile); err == nil {
		return nil, fail(publicFile, fs.ErrExist)
	}
	id, err := createIdentity(secretFile, "offline recovery identity: move it off this machine", clock)
	if err != nil {
		return nil, fail(secretFile, err)
	}
	text := fmt.Sprintf("# Backups are also encrypted to this recovery key.\n%s\n", id.Recipient())
	if err := create(publicFile, []byte(text), 0o644); err != nil {
		return nil, fail(publicFile, err)
	}
	return id.Recipient(), nil
}

// OpenRecovery reads the recovery recipient from the public file of CreateRecovery.
func OpenRecovery(publicFile string) (age.Recipient, error) {
	fail := func(kind tandem.Kind, err error) (age.Recipient, error) {
		return nil, &tandem.Error{Op: "read recovery recipient", Subject: publicFile, Kind: kind, Err: err, Remedy: "make a recovery key, or restore the file with its public line"}
	}
	f, err := os.Open(publicFile)
	if err != nil {
		kind := tandem.Unavailable
		if errors.Is(err, fs.ErrNotExist) {
			kind = tandem.NotFound
		}
		return fail(kind, err)
	}
	defer f.Close()
	rs, err := age.ParseRecipients(f)
	if err != nil {
		return fail(tandem.Corrupt, err)
	}
	if len(rs) != 1 {
		return fail(tandem.Corrupt, fmt.Errorf("it holds %d recipients in place of one", len(rs)))
	}
	return rs[0], nil
}

func createIdentity(file, what string, clock tandem.Clock) (*age.X25519Identity, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("# Tandem %s\n# created: %s\n# public key: %s\n%s\n", what, clock.Now().UTC().Format(time.RFC3339), id.Recipient(), id)
	return id, create(file, []byte(text), 0o600)
}

// parseIdentity reads the one X25519 identity of an identity file. Its errors never quote the file.
func parseIdentity(data []byte) (*age.X25519Identity, error) {
	ids, err := age.ParseIdentities(strings.NewReader(string(data)))
	if err != nil || len(ids) != 1 {
		return nil, errors.New("it is not an age identity file with exactly one identity")
	}
	id, ok := ids[0].(*age.X25519Identity)
	if !ok {
		return nil, errors.New("its identity is not of the kind X25519")
	}
	return id, nil
}

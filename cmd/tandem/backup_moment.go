package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tandem"
	"tandem/internal/replica"
	"tandem/internal/snapshot/repository"
	"tandem/internal/vault"
	"tandem/internal/vault/address"
)

const vaultVariable = "TANDEM_VAULT"

// momentHelp explains how a state in a vault is named.
const momentHelp = "\n\nWith --vault, a snapshot may be named as a moment: SERVICE@latest is the newest snapshot, SERVICE@end that and all of the journal after it, SERVICE@2026-03-01T12:30:00Z the last state not committed after that time, SERVICE@r123 the state at a revision, and SERVICE@ with an id that snapshot. 'tandem snapshots' lists them."

func (p *places) vaultFlag(c *cobra.Command) {
	c.Flags().StringVar(&p.vault, "vault", os.Getenv(vaultVariable), "the vault: a folder, azblob://ACCOUNT/CONTAINER or s3://BUCKET/PREFIX; "+vaultVariable+" names it too")
	c.Flags().Lookup("vault").DefValue = "" // help does not tell this machine's
}

// openVault opens the vault that was named; it makes no call.
func (p *places) openVault() (vault.Vault, error) {
	if p.vault == "" {
		return nil, usageError{fmt.Errorf("name a vault with --vault or %s", vaultVariable)}
	}
	o := address.Options{Getenv: os.Getenv}
	if p.ca != "" || p.dir != "" {
		h, err := p.httpClient()
		if err != nil {
			return nil, err
		}
		h.Timeout = 0 // a large blob takes its time; calls end with their context
		o.HTTP = h
	}
	return address.Open(p.vault, o)
}

// repository opens the repository in the vault.
func (p *places) repository(ctx context.Context, progress func(repository.Progress)) (*repository.Repository, error) {
	v, err := p.openVault()
	if err != nil {
		return nil, err
	}
	ids, err := p.openIdentities()
	if err != nil {
		return nil, err
	}
	return repository.Open(ctx, repository.Config{Vault: v, Clock: tandem.SystemClock{}, Identities: ids, Progress: progress})
}

// isMoment tells whether a name is that of a state in the vault.
func (p *places) isMoment(name string) bool {
	if p.vault == "" || !strings.Contains(name, "@") {
		return false
	}
	_, err := os.Stat(name)
	return err != nil
}

// openMoment reads a state of a service from the vault.
func (p *places) openMoment(ctx context.Context, name string) (side, error) {
	m, err := replica.ParseMoment(name)
	if err != nil {
		return side{}, usageError{err}
	}
	repo, err := p.repository(ctx, nil)
	if err != nil {
		return side{}, err
	}
	ids, err := p.openIdentities()
	if err != nil {
		return side{}, err
	}
	s, err := replica.At(ctx, repo, m, ids)
	if err != nil {
		return side{}, err
	}
	return side{name: name, manifest: s.Manifest, resources: s.Resources, note: s.Note}, nil
}

// tellNote says on the error output what a person should know of what was read.
func tellNote(out io.Writer, s side) {
	if s.note != "" {
		fmt.Fprintf(out, "%s: %s\n", s.name, s.note)
	}
}

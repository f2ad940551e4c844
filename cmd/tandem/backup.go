package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tandem/internal/replica"
	"tandem/internal/snapshot"
)

type backupOptions struct {
	places
	output  string
	json    bool
	rewrite bool
	sign    string
}

func newBackup() *cobra.Command {
	var o backupOptions
	c := &cobra.Command{Use: "backup SERVICE (-o FILE | --vault VAULT)", Short: "Back up a service over its management API",
		Long: "Reads everything that the management API of an API Management service exposes, secrets included, and writes one encrypted snapshot. SERVICE is a resource id, of any tier, or with --dir a name. What the snapshot does not contain is in its manifest, with the reason. In a vault, what did not change since an older snapshot takes no space.",
		Args: oneArg("a service"), RunE: func(c *cobra.Command, args []string) error {
			return runBackup(c.Context(), c.OutOrStdout(), args[0], o)
		}}
	o.flags(c)
	o.recipientFlag(c)
	o.passphraseFlag(c)
	o.vaultFlag(c)
	c.Flags().StringVarP(&o.output, "output", "o", "", "the file to write; it must not exist")
	c.Flags().BoolVar(&o.rewrite, "rewrite", false, "write every chunk, also those that the vault has: mends a damaged vault")
	c.Flags().StringVar(&o.sign, "sign", "", "sign the file with this Ed25519 key (PEM), into FILE.sig")
	c.Flags().BoolVar(&o.json, "json", false, "print the manifest's head as JSON")
	return c
}

// oneArg makes a wrong number of arguments a usage error.
func oneArg(what string) cobra.PositionalArgs { return exactArgs(1, what) }

func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("%s needs %s; run '%s --help'", c.CommandPath(), what, c.CommandPath())}
		}
		return nil
	}
}

func runBackup(ctx context.Context, out io.Writer, service string, o backupOptions) error {
	if o.output == "" {
		if o.vault == "" {
			return usageError{errors.New("say where to: a file with --output, or a vault with --vault")}
		}
		if o.sign != "" {
			return usageError{errors.New("--sign is for files; in a vault every blob is sealed with the vault's key")}
		}
		return backupToVault(ctx, out, service, o)
	}
	to, err := o.openRecipients()
	if err != nil {
		return err
	}
	r, err := o.remote(ctx, service)
	if err != nil {
		return err
	}
	var m snapshot.Manifest
	if err := writeSnapshot(o.output, func(w io.Writer) (err error) {
		m, err = replica.CaptureRemote(ctx, r, w, to)
		return err
	}); err != nil {
		return err
	}
	if o.sign != "" {
		if err := signFile(ctx, o.output, o.sign); err != nil {
			return err
		}
	}
	if o.json {
		m.Files = nil
		return printJSON(out, m)
	}
	fmt.Fprintf(out, "%s: %d resources of %s, %d not contained (see 'tandem inspect')\n", o.output, m.Resources(), m.Source.Name, len(m.Omissions))
	return nil
}

func backupToVault(ctx context.Context, out io.Writer, service string, o backupOptions) error {
	repo, err := o.repository(ctx, nil)
	if err != nil {
		return err
	}
	r, err := o.remote(ctx, service)
	if err != nil {
		return err
	}
	b, err := replica.SaveRemote(ctx, repo, r, replica.SaveOptions{Rewrite: o.rewrite})
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, b)
	}
	_, err = fmt.Fprintf(out, "%s: %d resources of %s, %d not contained (see 'tandem inspect'); %d of %d chunks were new, %d bytes\n",
		b.Name, b.Record.Resources, b.Record.Source.Name, len(b.Record.Omissions), b.NewChunks, b.Chunks, b.NewBytes)
	return err
}

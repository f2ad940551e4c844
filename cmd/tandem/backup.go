package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tandem/internal/replica"
	"tandem/internal/snapshot"
)

type backupOptions struct {
	places
	output string
	json   bool
}

func newBackup() *cobra.Command {
	var o backupOptions
	c := &cobra.Command{Use: "backup SERVICE -o FILE", Short: "Back up a service over its management API",
		Long: "Reads everything that the management API of an API Management service exposes, secrets included, and writes one encrypted snapshot. SERVICE is a resource id, of any tier, or with --dir a name. What the snapshot does not contain is in its manifest, with the reason.",
		Args: oneArg("a service"), RunE: func(c *cobra.Command, args []string) error {
			return runBackup(c.Context(), c.OutOrStdout(), args[0], o)
		}}
	o.flags(c)
	o.recipientFlag(c)
	c.Flags().StringVarP(&o.output, "output", "o", "", "the file to write; it must not exist")
	c.Flags().BoolVar(&o.json, "json", false, "print the manifest's head as JSON")
	_ = c.MarkFlagRequired("output") // the flag is there
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
	if o.json {
		m.Files = nil
		return printJSON(out, m)
	}
	fmt.Fprintf(out, "%s: %d resources of %s, %d not contained (see 'tandem inspect')\n", o.output, m.Resources(), m.Source.Name, len(m.Omissions))
	return nil
}

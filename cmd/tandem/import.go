package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tandem/internal/snapshot"
)

func newImport() *cobra.Command {
	var p places
	c := &cobra.Command{Use: "import FOLDER FILE", Short: "Make a snapshot of a folder",
		Long: "Reads a folder that 'tandem export' wrote and people edited, and writes it as an encrypted snapshot.",
		Args: exactArgs(2, "a folder and a file to write"), RunE: func(c *cobra.Command, args []string) error {
			return runImport(c.Context(), c.OutOrStdout(), args[0], args[1], p)
		}}
	p.flags(c)
	p.recipientFlag(c)
	p.passphraseFlag(c)
	return c
}

func runImport(ctx context.Context, out io.Writer, dir, file string, p places) error {
	to, err := p.openRecipients()
	if err != nil {
		return err
	}
	meta, all, err := snapshot.ReadFolder(dir)
	if err != nil {
		return err
	}
	if err := writeSnapshot(file, func(w io.Writer) error {
		_, err := snapshot.Write(ctx, w, meta, func(yield func(snapshot.Resource, error) bool) {
			for _, r := range all {
				if !yield(r, nil) {
					return
				}
			}
		}, to)
		return err
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %d resources\n", file, len(all))
	return err
}

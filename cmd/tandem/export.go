package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tandem/internal/snapshot"
)

type exportOptions struct {
	places
	secrets bool
}

func newExport() *cobra.Command {
	var o exportOptions
	c := &cobra.Command{Use: "export FILE FOLDER", Short: "Unpack a snapshot into a folder fit for git",
		Long: "Writes the tree of a snapshot, or of a live service, into a folder: one file a resource, policies as they were authored. Exported again, the folder becomes exactly what is exported. Secrets stay out unless asked for." + momentHelp,
		Args: exactArgs(2, "a snapshot and a folder"), RunE: func(c *cobra.Command, args []string) error {
			return runExport(c.Context(), c.InOrStdin(), c.OutOrStdout(), args[0], args[1], o)
		}}
	o.flags(c)
	o.vaultFlag(c)
	o.passphraseFlag(c)
	c.Flags().BoolVar(&o.secrets, "secrets", false, "write secrets too, to secrets.jsonl with mode 0600; keep it out of git")
	return c
}

func runExport(ctx context.Context, in io.Reader, out io.Writer, file, dir string, o exportOptions) error {
	s, err := o.open(ctx, in, file)
	if err != nil {
		return err
	}
	tellNote(os.Stderr, s)
	if err := snapshot.WriteFolder(dir, s.manifest, s.resources, o.secrets); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %d resources\n", dir, len(s.resources))
	return err
}

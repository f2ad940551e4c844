package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tandem/internal/replica"
	"tandem/internal/snapshot/repository"
)

type snapshotsOptions struct {
	places
	json bool
}

func newSnapshots() *cobra.Command {
	var o snapshotsOptions
	c := &cobra.Command{Use: "snapshots [SERVICE]", Short: "List the snapshots in a vault, with what is proven of them",
		Args: cobra.MaximumNArgs(1), RunE: func(c *cobra.Command, args []string) error {
			return runSnapshots(c.Context(), c.OutOrStdout(), args, o)
		}}
	o.flags(c)
	o.vaultFlag(c)
	o.passphraseFlag(c)
	c.Flags().BoolVar(&o.json, "json", false, "print the list as JSON")
	return c
}

// listed is one snapshot of the list.
type listed struct {
	Service string                  `json:"service"`
	ID      string                  `json:"id"`
	Record  repository.Record       `json:"record"`
	Proof   *repository.ProofRecord `json:"proof,omitempty"`
	Error   string                  `json:"error,omitempty"` // why the record cannot be read
}

func runSnapshots(ctx context.Context, out io.Writer, args []string, o snapshotsOptions) error {
	repo, err := o.repository(ctx, nil)
	if err != nil {
		return err
	}
	folder := ""
	if len(args) > 0 {
		if folder, err = replica.FindService(ctx, repo, args[0]); err != nil {
			return err
		}
	}
	names, err := repo.Snapshots(ctx, folder)
	if err != nil {
		return err
	}
	proofs, err := repo.Proofs(ctx, folder)
	if err != nil {
		return err
	}
	all := []listed{}
	for _, n := range names {
		one := listed{Service: n.Service, ID: n.ID}
		if one.Record, err = repo.Record(ctx, n); err != nil {
			one.Error = err.Error()
		}
		if p, ok := proofs[n]; ok && p.Root == one.Record.Root {
			one.Proof = &p
		}
		all = append(all, one)
	}
	if o.json {
		return printJSON(out, all)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVICE\tSNAPSHOT\tTAKEN\tREVISION\tRESOURCES\tPROOF\tKEPT UNTIL")
	for _, s := range all {
		if s.Error != "" {
			fmt.Fprintf(w, "%s\t%s\tcannot be read: %s\n", s.Service, s.ID, s.Error)
			continue
		}
		proof, until, revision := "none", "", "-"
		if s.Proof != nil {
			proof = s.Proof.Outcome + " " + s.Proof.At.Format(time.DateOnly)
		}
		if s.Record.KeepUntil != nil {
			until = s.Record.KeepUntil.Format(time.RFC3339)
		}
		if s.Record.Revision > 0 {
			revision = fmt.Sprint(s.Record.Revision)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", s.Service, s.ID, s.Record.Created.Format(time.RFC3339), revision, s.Record.Resources, proof, until)
	}
	return w.Flush()
}

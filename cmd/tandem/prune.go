package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"tandem/internal/replica"
	"tandem/internal/snapshot/repository"
)

type pruneOptions struct {
	places
	repository.PruneOptions
	json bool
}

func newPrune() *cobra.Command {
	var o pruneOptions
	c := &cobra.Command{Use: "prune [SERVICE]", Short: "Delete snapshots that a retention policy does not keep",
		Long: "Keeps the newest snapshot of each of so many hours, days, weeks, months and years (UTC) that have one, and deletes the others of each service, and then the chunks that no snapshot uses and the journals from before the oldest snapshot. Never deleted are the newest one, the newest that was proven, and those whose minimum retention has not passed. With --dry-run it only tells what would go, and why the others stay.",
		Args: cobra.MaximumNArgs(1), RunE: func(c *cobra.Command, args []string) error {
			return runPrune(c.Context(), c.OutOrStdout(), args, o)
		}}
	o.flags(c)
	o.vaultFlag(c)
	o.passphraseFlag(c)
	f := c.Flags()
	f.IntVar(&o.Policy.Last, "keep-last", 0, "keep the newest so many")
	f.IntVar(&o.Policy.Hourly, "keep-hourly", 0, "keep one of each of so many hours")
	f.IntVar(&o.Policy.Daily, "keep-daily", 0, "keep one of each of so many days")
	f.IntVar(&o.Policy.Weekly, "keep-weekly", 0, "keep one of each of so many weeks, from Monday")
	f.IntVar(&o.Policy.Monthly, "keep-monthly", 0, "keep one of each of so many months")
	f.IntVar(&o.Policy.Yearly, "keep-yearly", 0, "keep one of each of so many years")
	f.BoolVar(&o.DryRun, "dry-run", false, "tell what would be deleted and why, and delete nothing")
	f.BoolVar(&o.json, "json", false, "print the outcome as JSON")
	return c
}

func runPrune(ctx context.Context, out io.Writer, args []string, o pruneOptions) error {
	if err := o.Policy.Check(); err != nil {
		return usageError{err}
	}
	repo, err := o.repository(ctx, nil)
	if err != nil {
		return err
	}
	if len(args) > 0 {
		if o.Service, err = replica.FindService(ctx, repo, args[0]); err != nil {
			return err
		}
	}
	done, err := replica.PruneVault(ctx, repo, o.PruneOptions)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, done)
	}
	for _, d := range done.Decisions {
		mark := "delete"
		if d.Keep {
			mark = "keep  "
		}
		fmt.Fprintf(out, "%s %s/%s: %s\n", mark, d.Service, d.ID, strings.Join(d.Why, ", "))
	}
	verb := "deleted"
	if o.DryRun {
		verb = "would delete"
	}
	fmt.Fprintf(out, "%s %d snapshots and %d chunks of %d bytes; %d chunks are in use\n", verb, done.Snapshots, done.Chunks, done.Bytes, done.Kept)
	for _, j := range done.Journals {
		fmt.Fprintf(out, "%s %d segments of %d bytes of the journal of %s, from before its oldest snapshot\n", verb, j.Segments, j.Bytes, j.Service)
	}
	if done.Locked > 0 {
		fmt.Fprintf(out, "%d blobs are kept by the store until their retention has passed; prune again then\n", done.Locked)
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tandem/internal/replica"
)

type restoreOptions struct {
	places
	replica.PlanOptions
	overlay    string
	plan, json bool
}

func newRestore() *cobra.Command {
	var o restoreOptions
	c := &cobra.Command{Use: "restore FILE SERVICE", Short: "Restore a snapshot into a service over its management API",
		Long: "Makes a service have exactly what a snapshot or folder holds: reads the target, writes what differs in the order of the real references, deletes what is too much, and reads the target again to prove it. Repeated after an interruption, it goes on where it stopped. With --plan it only tells what it would do." + momentHelp,
		Args: exactArgs(2, "a snapshot and a service"), RunE: func(c *cobra.Command, args []string) error {
			return runRestore(c.Context(), c.InOrStdin(), c.OutOrStdout(), args[0], args[1], o)
		}}
	o.flags(c)
	o.vaultFlag(c)
	o.passphraseFlag(c)
	f := c.Flags()
	f.BoolVar(&o.plan, "plan", false, "tell what would be done, and do nothing")
	f.BoolVar(&o.json, "json", false, "print the outcome as JSON")
	f.StringVar(&o.overlay, "overlay", "", "a file of rules for what differs in the target's region (docs/backup.md)")
	f.StringArrayVar(&o.Only, "only", nil, "restore only paths of this pattern and what lies below, such as 'apis/echo*' (again for more)")
	f.StringArrayVar(&o.Exclude, "exclude", nil, "leave paths of this pattern as they are in the target (again for more)")
	f.BoolVar(&o.AllowDeletions, "allow-deletions", false, "allow that a large share of the target is deleted")
	f.Float64Var(&o.MaxDeletions, "max-deletions", 0.2, "the share of the target, from 0 to 1, that may be deleted without --allow-deletions")
	return c
}

func runRestore(ctx context.Context, in io.Reader, out io.Writer, file, service string, o restoreOptions) error {
	if o.overlay != "" {
		raw, err := os.ReadFile(o.overlay)
		if err != nil {
			return err
		}
		if o.Overlay, err = replica.ParseOverlay(o.overlay, raw); err != nil {
			return err
		}
	}
	want, err := o.open(ctx, in, file)
	if err != nil {
		return err
	}
	tellNote(os.Stderr, want)
	r, err := o.remote(ctx, service)
	if err != nil {
		return err
	}
	if o.plan {
		have, err := r.Read(ctx)
		if err != nil {
			return err
		}
		o.Tier = have.Meta.Source.SKU
		p, err := replica.NewPlan(want.resources, have.Resources, o.PlanOptions)
		if err != nil {
			return err
		}
		if o.json {
			if err := printJSON(out, p); err != nil {
				return err
			}
		} else {
			printPlan(out, p)
		}
		if err := p.Allowed(); err != nil {
			return err
		}
		return nil
	}
	done, err := replica.ApplyRemote(ctx, r, want.resources, o.PlanOptions)
	if o.json && done.Plan != nil {
		if printErr := printJSON(out, done); printErr != nil {
			return printErr
		}
	}
	if err != nil {
		return err
	}
	if !o.json {
		printApplied(out, done)
	}
	if !done.Proven {
		return quietError{errors.New("the target is not as the snapshot has it")}
	}
	return nil
}

func printPlan(out io.Writer, p *replica.Plan) {
	printDifference(out, p.Difference, true)
	for _, part := range []struct {
		title string
		list  []replica.Refused
	}{{"Not supported in the target's tier, and lost:", p.Unsupported}, {"Kept as the target has it:", p.Kept}} {
		if len(part.list) > 0 {
			fmt.Fprintln(out, part.title)
			for _, r := range part.list {
				fmt.Fprintf(out, "  %s: %s\n", r.Path, r.Reason)
			}
		}
	}
	if len(p.Unresolved) > 0 {
		fmt.Fprintln(out, "References that will lead nowhere:")
		for _, u := range p.Unresolved {
			fmt.Fprintf(out, "  %s: %s (%s)\n", u.Path, u.Refers, u.As)
		}
	}
}

func printApplied(out io.Writer, a *replica.Applied) {
	fmt.Fprintf(out, "%d written, %d deleted, %d were as they should be\n", a.Written, a.Deleted, a.Plan.Unchanged)
	for _, f := range a.Failures {
		fmt.Fprintf(out, "failed: %s %s: %s\n  %s\n", f.Action, f.Path, f.Cause, f.Remedy)
	}
	if a.Remaining != nil {
		fmt.Fprintln(out, "Still different:")
		printDifference(out, *a.Remaining, false)
	}
	for _, u := range a.Plan.Unresolved {
		fmt.Fprintf(out, "leads nowhere: %s: %s (%s)\n", u.Path, u.Refers, u.As)
	}
	if a.Proven {
		fmt.Fprintln(out, "proven: the target was read again and is as the snapshot has it")
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"tandem/internal/replica"
)

type diffOptions struct {
	places
	json, exitCode bool
}

func newDiff() *cobra.Command {
	var o diffOptions
	c := &cobra.Command{Use: "diff A B", Short: "Compare two services, snapshots or folders by what they mean",
		Long: "A and B are each a snapshot file (- is the standard input), a folder of 'tandem export', a service's resource id, or with --dir a service's name. Tells what has to be added, changed and deleted in A to make it B. Secrets are compared and never shown." + momentHelp,
		Args: exactArgs(2, "two things to compare"), RunE: func(c *cobra.Command, args []string) error {
			return runDiff(c.Context(), c.InOrStdin(), c.OutOrStdout(), args[0], args[1], o)
		}}
	o.flags(c)
	o.vaultFlag(c)
	o.passphraseFlag(c)
	c.Flags().BoolVar(&o.json, "json", false, "print the difference as JSON")
	c.Flags().BoolVar(&o.exitCode, "exit-code", false, "end with code 1 where they differ")
	return c
}

func runDiff(ctx context.Context, in io.Reader, out io.Writer, a, b string, o diffOptions) error {
	if a == "-" && b == "-" {
		return usageError{errors.New("only one of the two can be the standard input")}
	}
	before, err := o.open(ctx, in, a)
	if err != nil {
		return err
	}
	after, err := o.open(ctx, in, b)
	if err != nil {
		return err
	}
	tellNote(os.Stderr, before)
	tellNote(os.Stderr, after)
	d, err := replica.Diff(before.resources, after.resources)
	if err != nil {
		return err
	}
	if o.json {
		err = printJSON(out, d)
	} else {
		printDifference(out, d, true)
	}
	if err == nil && o.exitCode && !d.Empty() {
		return quietError{errors.New("they differ")}
	}
	return err
}

func printDifference(out io.Writer, d replica.Difference, summary bool) {
	for _, c := range d.Added {
		fmt.Fprintf(out, "+ %s\n", c.Path)
	}
	for _, c := range d.Changed {
		fmt.Fprintf(out, "~ %s\n", c.Path)
		for _, p := range c.Properties {
			switch {
			case p.Secret:
				fmt.Fprintf(out, "    %s: another secret\n", p.Property)
			case p.Text != "":
				fmt.Fprintln(out, "    "+strings.ReplaceAll(strings.TrimRight(p.Text, "\n"), "\n", "\n    "))
			default:
				fmt.Fprintf(out, "    %s: %s -> %s\n", p.Property, inline(p.Before), inline(p.After))
			}
		}
	}
	for _, c := range d.Deleted {
		fmt.Fprintf(out, "- %s\n", c.Path)
	}
	for _, u := range d.Inconclusive {
		fmt.Fprintf(out, "? %s %s: %s\n", u.Path, u.Property, u.Reason)
	}
	if summary {
		fmt.Fprintf(out, "%d added, %d changed, %d deleted, %d unchanged, %d not comparable\n", len(d.Added), len(d.Changed), len(d.Deleted), d.Unchanged, len(d.Inconclusive))
	}
}

// inline shows a value in one line.
func inline(v any) string {
	if v == nil {
		return "nothing"
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(raw) > 200 {
		return string(raw[:200]) + "…"
	}
	return string(raw)
}

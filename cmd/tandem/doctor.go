package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tandem"
)

// verdict is how a check of the doctor went.
type verdict string

const (
	well   verdict = "ok"
	uneasy verdict = "warning" // it works, and will not always
	ill    verdict = "failed"
	unsure verdict = "unknown" // it could not be looked at
)

// check is one finding: what was looked at, how it is, and what to do.
type check struct {
	Name   string  `json:"name"`
	State  verdict `json:"state"`
	Found  string  `json:"found"`
	Remedy string  `json:"remedy,omitempty"`
}

type doctorOptions struct {
	places
	json bool
}

func newDoctor() *cobra.Command {
	var o doctorOptions
	c := &cobra.Command{Use: "doctor", Short: "Look a deployment over, and say what to mend",
		Long: "Checks the credential files, certificates, clocks, management plane, permissions, services and their gateways, storage, backups, DNS answers and DNS delegation of a deployment. It changes nothing. Exit code 1 when something failed, 0 with warnings alone.",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return runDoctor(c.Context(), c.OutOrStdout(), o) }}
	o.flags(c)
	c.Flags().BoolVar(&o.json, "json", false, "print {ok, checks: [{name, state: ok|warning|failed|unknown, found, remedy}]}")
	return c
}

// patience is how long one check may take.
const patience = 10 * time.Second

func runDoctor(ctx context.Context, out io.Writer, o doctorOptions) error {
	if o.dir == "" {
		return usageError{fmt.Errorf("name the deployment with --dir, or choose a context ('tandem context')")}
	}
	p := patient{o: o.places, clock: tandem.SystemClock{}}
	for _, look := range []func(context.Context){p.files, p.certificates, p.plane, p.services, p.storage, p.names, p.console} {
		look(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	failed := 0
	for _, c := range p.checks {
		if c.State == ill {
			failed++
		}
	}
	if o.json {
		if err := printJSON(out, map[string]any{"ok": failed == 0, "checks": p.checks}); err != nil {
			return err
		}
	} else if err := tellChecks(out, p.checks); err != nil {
		return err
	}
	if failed > 0 {
		return quietError{fmt.Errorf("%d checks failed", failed)}
	}
	return nil
}

func tellChecks(out io.Writer, checks []check) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range checks {
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.State, c.Name, c.Found)
		if c.Remedy != "" && c.State != well {
			fmt.Fprintf(w, "\t\t→ %s\n", c.Remedy)
		}
	}
	return w.Flush()
}

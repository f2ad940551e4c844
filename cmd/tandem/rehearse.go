package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"tandem"
	"tandem/internal/rehearsal"
)

type rehearseOptions struct {
	dir        string
	keep, json bool
}

func newRehearse() *cobra.Command {
	var o rehearseOptions
	c := &cobra.Command{Use: "rehearse", Short: "Rehearse the whole disaster on this machine",
		Long: "Starts two regions as processes of their own, puts an API behind both gateways, backs up, restores, moves the traffic by DNS, kills the primary's region, fails over and fails back, and reports what was measured.",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			return runRehearse(c.Context(), c.OutOrStdout(), o)
		}}
	c.Flags().StringVar(&o.dir, "dir", "", "keep the world in this folder (default: a temporary one, removed at the end)")
	c.Flags().BoolVar(&o.keep, "keep", false, "leave the world running and the console open after the story, until Ctrl-C")
	c.Flags().BoolVar(&o.json, "json", false, "print the report alone, as JSON")
	return c
}

func runRehearse(ctx context.Context, out io.Writer, o rehearseOptions) (err error) {
	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tandem-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	w, err := rehearsal.Open(dir, tandem.SystemClock{})
	if err != nil {
		return err
	}
	defer w.Stop()
	if w.Built {
		return usageError{fmt.Errorf("the folder %s holds a world already; the story begins with an empty one: choose another folder, or run 'tandem up --dir %s'", dir, dir)}
	}
	var tell rehearsal.Teller = rehearsal.Silent{}
	if !o.json {
		tell = terminal(out)
		fmt.Fprintln(out, "Tandem rehearses a disaster: two regions, one API, one of them dies.")
		fmt.Fprintln(out)
	}
	report, err := rehearsal.Rehearse(ctx, w, tell)
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		if encodeErr := e.Encode(report); encodeErr != nil {
			return encodeErr
		}
	} else {
		report.Write(out)
	}
	if err != nil {
		return quietError{err}
	}
	if o.keep && !o.json {
		stay(ctx, out, dir, w.Endpoints.ConsoleURL)
	}
	return nil
}

// stay keeps a world running until Ctrl-C.
func stay(ctx context.Context, out io.Writer, dir string, console *string) {
	fmt.Fprintf(out, "\n  The world is running. Addresses and credentials: %s/endpoints.json\n", dir)
	if console != nil {
		fmt.Fprintf(out, "  The console is open: %s\n  Sign in with client_id and client_secret of that file; ca_file there is the authority to trust.\n", *console)
	}
	fmt.Fprintln(out, "  Ctrl-C ends it.")
	<-ctx.Done()
	fmt.Fprintln(out)
}

// terminal tells the story as the output can show it.
func terminal(out io.Writer) rehearsal.Terminal {
	t := rehearsal.Terminal{Out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		t.Live = os.Getenv("TERM") != "dumb"
		t.Color = t.Live && os.Getenv("NO_COLOR") == ""
	}
	return t
}

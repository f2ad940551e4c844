package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"tandem"
	"tandem/internal/rehearsal"
)

type upOptions struct {
	dir  string
	json bool
}

func newUp() *cobra.Command {
	var o upOptions
	c := &cobra.Command{Use: "up", Short: "Start the rehearsal's world, without the story",
		Long: "Starts both regions with their services, API, keys and traffic profile, and stays until Ctrl-C. Started again on the same folder, it begins where it ended. Addresses and credentials are in endpoints.json in the folder.",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			return runUp(c.Context(), c.OutOrStdout(), o)
		}}
	c.Flags().StringVar(&o.dir, "dir", "tandem-data", "the folder of the world")
	c.Flags().BoolVar(&o.json, "json", false, "print one line of JSON when the world is up: {ok, dir, endpoints}")
	return c
}

func runUp(ctx context.Context, out io.Writer, o upOptions) error {
	w, err := rehearsal.Open(o.dir, tandem.SystemClock{})
	if err != nil {
		return err
	}
	defer w.Stop()
	var tell rehearsal.Teller = rehearsal.Silent{}
	if !o.json {
		tell = terminal(out)
	}
	if err := rehearsal.Up(ctx, w, tell); err != nil {
		return err
	}
	if !o.json {
		stay(ctx, out, o.dir, w.Endpoints.ConsoleURL)
		return nil
	}
	if err := json.NewEncoder(out).Encode(map[string]any{"ok": true, "dir": o.dir, "endpoints": o.dir + "/endpoints.json"}); err != nil {
		return fmt.Errorf("tell that the world is up: %w", err)
	}
	<-ctx.Done()
	return nil
}

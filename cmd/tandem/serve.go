package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"tandem"
	"tandem/internal/node"
	"tandem/internal/rehearsal"
)

func newServe() *cobra.Command {
	var config string
	c := &cobra.Command{Use: "serve --config FILE", Short: "Run a node",
		Long: "Runs a node until it is told to end: the gateways and the management plane of its region and, where its configuration has the section home, the\n" +
			"control plane: alone, or with the section control as one of several members. 'tandem config check' reads a file without running it.",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			return runServe(c.Context(), config)
		}}
	c.Flags().StringVar(&config, "config", "", "the node's configuration, a YAML or JSON file")
	_ = c.MarkFlagRequired("config") // the flag is there
	return c
}

func runServe(ctx context.Context, config string) error {
	nc, err := readConfig(config)
	if err != nil {
		return err
	}
	n, err := node.New(nc)
	if err != nil {
		return err
	}
	ctx, stop := untilParentEnds(ctx)
	defer stop()
	if err := n.Start(ctx); err != nil {
		return err
	}
	if err := tellReady(rehearsal.Ready{Addresses: n.Addresses(), Credentials: n.Credentials()}); err != nil {
		return err
	}
	<-ctx.Done()
	return n.Stop()
}

// readConfig reads and checks a node's configuration, with what the environment says of it.
func readConfig(file string) (node.Config, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return node.Config{}, err
	}
	nc, err := node.ReadConfig(file, raw, os.Environ())
	if err != nil {
		return nc, usageError{err}
	}
	if err := nc.Check(); err != nil {
		return nc, usageError{fmt.Errorf("read configuration %s: %w", file, err)}
	}
	nc.Clock = tandem.SystemClock{}
	nc.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	return nc, nil
}

// readyFD names the file descriptor on which a parent wants to hear that this process is ready.
const readyFD = "TANDEM_READY_FD"

// tellReady tells the parent, if there is one that asked, that this process serves. The pipe is the parent's alone, so
// secrets may go through it.
func tellReady(v any) error {
	text := os.Getenv(readyFD)
	if text == "" {
		return nil
	}
	fd, err := strconv.Atoi(text)
	if err != nil {
		return usageError{fmt.Errorf("%s is %q, not a file descriptor", readyFD, text)}
	}
	f := os.NewFile(uintptr(fd), "ready")
	defer f.Close() //nolint:errcheck // it was written
	return json.NewEncoder(f).Encode(v)
}

// untilParentEnds gives a context that ends when a parent that asked to be told of readiness goes away, however it ends:
// its end of this process's standard input closes then.
func untilParentEnds(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	if os.Getenv(readyFD) != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // its end is all that matters
			stop()
		}()
	}
	return ctx, stop
}

// Command tandem is the disaster recovery for API gateways: gateway, management plane, backup, DNS and rehearsal in one
// program. Each verb has a file of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // what was asked for failed
	exitUsage  = 2 // the call itself was wrong
	exitUnsure = 3 // it could not be found out (verify)
)

// usageError is a call that cannot be understood.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var usage usageError
	var quiet quietError
	var unsure unsureError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &unsure):
		return exitUnsure
	case errors.As(err, &quiet):
		return exitFailed
	}
	fmt.Fprintln(os.Stderr, "tandem:", err)
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// quietError is a failure that was told already.
type quietError struct{ error }

// unsureError is an outcome that is neither good nor bad, and was told already.
type unsureError struct{ error }

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"tandem"
	"tandem/internal/replica"
)

// inVault tells whether the arguments name a service in a vault, or all, and no file.
func (o *verifyOptions) inVault(args []string) bool {
	if o.vault == "" {
		return false
	}
	if len(args) == 0 {
		return true
	}
	_, err := os.Stat(args[0])
	return args[0] != "-" && err != nil
}

func runVerifyVault(ctx context.Context, out io.Writer, args []string, o verifyOptions) error {
	if len(args) > 0 && o.isMoment(args[0]) {
		return runVerifyMoment(ctx, out, args[0], o)
	}
	requests, err := o.readRequests()
	if err != nil {
		return err
	}
	repo, err := o.repository(ctx, nil)
	if err != nil {
		return err
	}
	ids, err := o.openIdentities()
	if err != nil {
		return err
	}
	client, err := o.httpClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	v := replica.VerifyOptions{Sample: o.sample, All: o.all, Restore: o.restore, Requests: requests, Original: o.against, HTTP: client, Identities: ids, Clock: tandem.SystemClock{}}
	if len(args) > 0 {
		v.Service = args[0]
	}
	p, err := replica.VerifyVault(ctx, repo, v)
	if err != nil {
		return err
	}
	if o.json {
		if err := printJSON(out, p); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(out, "%s: %s\n", o.vault, p.Outcome)
		for _, c := range p.Snapshots {
			printProof(out, "  "+c.Snapshot+" ("+c.Why+")", c.Proof)
		}
		for _, j := range p.Journals {
			fmt.Fprintf(out, "  journal of %s: %s, %d segments, %d entries, up to revision %d %s\n", j.Service, j.Outcome, j.Segments, j.Entries, j.To, j.Reason)
		}
		for _, u := range p.Unrecorded {
			fmt.Fprintf(out, "  the proof could not be recorded: %s\n", u)
		}
	}
	return outcome(p.Outcome)
}

// runVerifyMoment proves one state in a vault; a proof is recorded for whole snapshots alone, by 'tandem verify SERVICE'.
func runVerifyMoment(ctx context.Context, out io.Writer, name string, o verifyOptions) error {
	requests, err := o.readRequests()
	if err != nil {
		return err
	}
	s, err := o.openMoment(ctx, name)
	if err != nil {
		return err
	}
	tellNote(os.Stderr, s)
	p := replica.ProveState(ctx, s.manifest, s.resources)
	return o.finish(ctx, out, name, p, requests)
}

// outcome is a proof's outcome as an error, and so as the command's exit code.
func outcome(o replica.ProofOutcome) error {
	switch o {
	case replica.Failed:
		return quietError{errors.New("the snapshot failed")}
	case replica.Inconclusive:
		return unsureError{errors.New("inconclusive")}
	}
	return nil
}

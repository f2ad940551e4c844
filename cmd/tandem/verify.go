package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tandem"
	"tandem/internal/replica"
	"tandem/internal/snapshot"
)

type verifyOptions struct {
	places
	restore, json     bool
	requests, against string
	sample            int
	signedBy          []string
	all               bool
}

func newVerify() *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{Use: "verify [FILE | SERVICE]", Short: "Prove that a snapshot can be restored",
		Long: "Reads every byte, checks every hash, decodes every document and compiles every policy. With --restore it also restores into a scratch service inside this process, compares what is there with the file, and with --requests replays requests against the scratch service and the gateway named by --against. The outcome is proven (code 0), failed (1) or inconclusive (3). Replayed requests reach the real backends.\n\nWith --vault it verifies the newest snapshot of the service, or of all, and with --sample so many older ones, those whose last proof is the oldest, and the journals, and records each proof in the vault; on a schedule it comes round to every snapshot." + momentHelp,
		Args: cobra.MaximumNArgs(1), RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && o.vault == "" {
				return usageError{fmt.Errorf("%s needs a snapshot, or a vault with --vault; run '%s --help'", c.CommandPath(), c.CommandPath())}
			}
			if o.inVault(args) {
				return runVerifyVault(c.Context(), c.OutOrStdout(), args, o)
			}
			return runVerify(c.Context(), c.InOrStdin(), c.OutOrStdout(), args[0], o)
		}}
	o.flags(c)
	o.vaultFlag(c)
	o.passphraseFlag(c)
	f := c.Flags()
	f.BoolVar(&o.restore, "restore", false, "restore into a scratch service and compare")
	f.StringArrayVar(&o.signedBy, "signed-by", nil, "demand that the file's signature, FILE.sig, is by this Ed25519 public key (PEM; again for more)")
	f.IntVar(&o.sample, "sample", 0, "of a vault: verify so many older snapshots of each service too")
	f.BoolVar(&o.all, "all", false, "of a vault: verify every snapshot")
	f.StringVar(&o.requests, "requests", "", "replay the requests of this .http file (with --restore)")
	f.StringVar(&o.against, "against", "", "the address of the original gateway, to compare the answers with")
	f.BoolVar(&o.json, "json", false, "print the outcome as JSON")
	return c
}

// proofReport is a proof with what identifies the snapshot.
type proofReport struct {
	File    string          `json:"file"`
	Source  snapshot.Source `json:"source"`
	Content string          `json:"content"`
	*replica.Proof
}

func runVerify(ctx context.Context, in io.Reader, out io.Writer, file string, o verifyOptions) error {
	ids, err := o.openIdentities()
	if err != nil {
		return err
	}
	requests, err := o.readRequests()
	if err != nil {
		return err
	}
	if err := checkSigned(ctx, file, o.signedBy); err != nil {
		return err
	}
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // only read
		in = f
	}
	return o.finish(ctx, out, file, replica.Prove(ctx, in, ids...), requests)
}

// finish restores where asked for, and tells the outcome.
func (o *verifyOptions) finish(ctx context.Context, out io.Writer, name string, p *replica.Proof, requests []replica.ReplayRequest) error {
	if o.restore {
		client, err := o.httpClient()
		if err != nil {
			return err
		}
		defer client.CloseIdleConnections()
		if err := p.Rehearse(ctx, tandem.SystemClock{}, requests, o.against, client); err != nil {
			return err
		}
	}
	if o.json {
		if err := printJSON(out, proofReport{name, p.Manifest.Source, p.Manifest.Content, p}); err != nil {
			return err
		}
	} else {
		printProof(out, name, p)
	}
	return outcome(p.Outcome)
}

// readRequests reads what is to be replayed.
func (o *verifyOptions) readRequests() ([]replica.ReplayRequest, error) {
	if (o.requests != "" || o.against != "") && !o.restore {
		return nil, usageError{errors.New("--requests and --against need --restore")}
	}
	if o.requests == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(o.requests)
	if err != nil {
		return nil, err
	}
	return replica.ParseRequests(o.requests, raw)
}

func printProof(out io.Writer, file string, p *replica.Proof) {
	fmt.Fprintf(out, "%s: %s\n", file, p.Outcome)
	for _, part := range []struct {
		mark string
		list []replica.Reason
	}{{"failed", p.Failures}, {"in doubt", p.Doubts}, {"warning", p.Warnings}} {
		for _, r := range part.list {
			fmt.Fprintf(out, "  %s: %s\n", part.mark, r)
		}
	}
	fmt.Fprintf(out, "  %d resources, %d files, %d bytes read; %d policies compiled\n", p.Resources, p.Files, p.Bytes, p.Policies)
	if p.Restored {
		fmt.Fprintln(out, "  restored into a scratch service and compared")
	}
	for _, r := range p.Replayed {
		fmt.Fprintf(out, "  %s: %d restored, %d original\n", r.Name, r.Scratch, r.Original)
	}
}

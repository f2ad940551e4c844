package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tandem"
	"tandem/internal/snapshot/repository"
	"tandem/internal/vault"
)

func newVault() *cobra.Command {
	c := &cobra.Command{Use: "vault", Short: "Make and check the place where backups lie"}
	c.AddCommand(newVaultInit(), newVaultCheck(), newVaultMinimum())
	return c
}

// parseDays reads a duration in days, "30d", or as Go writes it.
func parseDays(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 0 || n > 100*366 {
			return 0, usageError{fmt.Errorf("%q is no number of days, such as 30d", text)}
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, usageError{fmt.Errorf("%q is no duration, such as 30d or 12h", text)}
	}
	return d, nil
}

func newVaultInit() *cobra.Command {
	var p places
	var minimum string
	c := &cobra.Command{Use: "init", Short: "Make a vault for snapshots, after checking that it can be trusted",
		Long: "Checks the place as 'tandem vault check' does, and writes the vault's key there, encrypted to the recipients. Name an offline recovery key among them: whoever has one of their identities, and nobody else, can read the snapshots.",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			keep, err := parseDays(minimum)
			if err != nil {
				return err
			}
			to, err := p.openRecipients()
			if err != nil {
				return err
			}
			v, err := p.openVault()
			if err != nil {
				return err
			}
			if err := checkVault(c.Context(), c.OutOrStdout(), v); err != nil {
				return err
			}
			r, err := repository.Create(c.Context(), repository.Config{Vault: v, Clock: tandem.SystemClock{}, Recipients: to}, keep)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "made vault %s; snapshots are kept for %s at least\n", r.ID(), repository.Days(r.Minimum()))
			return err
		}}
	p.flags(c)
	p.vaultFlag(c)
	p.recipientFlag(c)
	p.passphraseFlag(c)
	c.Flags().StringVar(&minimum, "minimum-retention", "0d", "how long every snapshot is kept at least, such as 30d; it can be made longer and never shorter")
	return c
}

func newVaultCheck() *cobra.Command {
	var p places
	c := &cobra.Command{Use: "check", Short: "Prove that a place can be trusted with backups",
		Long: "Writes, reads back whole and in part, lists, is refused a second write of the same name, and deletes. The step that fails is named. What it writes lies below tandem-check/.",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			v, err := p.openVault()
			if err != nil {
				return err
			}
			return checkVault(c.Context(), c.OutOrStdout(), v)
		}}
	p.flags(c)
	p.vaultFlag(c)
	return c
}

func checkVault(ctx context.Context, out io.Writer, v vault.Vault) error {
	done, err := vault.Check(ctx, v, tandem.SystemClock{})
	for _, s := range done.Steps {
		fmt.Fprintf(out, "  %-22s ok, %s\n", s.Name, s.Took.Round(time.Millisecond))
	}
	if err != nil {
		return err
	}
	if done.Drift != 0 {
		fmt.Fprintf(out, "  the vault's clock differs by %s from this machine's\n", done.Drift)
	}
	l, ok := v.(vault.Retainer)
	if ok {
		if ok, err = l.CanRetain(ctx); err != nil {
			return err
		}
	}
	if ok {
		fmt.Fprintln(out, "  object lock            on: the store keeps blobs for the minimum retention")
	} else {
		fmt.Fprintln(out, "  object lock            off: whoever has the credentials can delete blobs")
	}
	return nil
}

func newVaultMinimum() *cobra.Command {
	var p places
	c := &cobra.Command{Use: "minimum-retention DURATION", Short: "Make the minimum retention longer",
		Long: "From now on every snapshot, those that exist included, is kept for that long at least, such as 30d. A shorter time than the one that holds is refused.",
		Args: oneArg("a duration"), RunE: func(c *cobra.Command, args []string) error {
			keep, err := parseDays(args[0])
			if err != nil {
				return err
			}
			to, err := p.openRecipients()
			if err != nil {
				return err
			}
			r, err := p.repository(c.Context(), nil)
			if err != nil {
				return err
			}
			r.Recipients = to
			if err := r.RaiseMinimum(c.Context(), keep); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "snapshots are kept for %s at least\n", repository.Days(r.Minimum()))
			return err
		}}
	p.flags(c)
	p.vaultFlag(c)
	p.recipientFlag(c)
	return c
}

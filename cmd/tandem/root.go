package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "tandem",
		Short:         "Disaster recovery for API gateways",
		Long:          "Tandem keeps an API gateway alive when its region dies: gateway, management plane, backup, DNS failover and rehearsal in one program.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			err := fmt.Errorf("unknown command %q", args[0])
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				err = fmt.Errorf("%w; did you mean '%s'?", err, near[0])
			}
			return usageError{fmt.Errorf("%w; run 'tandem --help'", err)}
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; run '%s --help'", err, c.CommandPath())}
	})
	var context string
	root.PersistentFlags().StringVar(&context, "context", "", "the deployment to work with; see 'tandem context'")
	_ = root.RegisterFlagCompletionFunc("context", completeContexts) // the flag is there
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return chooseContext(c, context) }
	root.AddCommand(newRehearse(), newUp(), newServe(), newConfig(), newMember(), newBackend(), newBackup(), newRestore(), newVerify(), newDiff(), newInspect(), newExport(), newImport(), newVault(), newSnapshots(), newPrune(), newLogicApp(), newPolicy(), newContext(), newDoctor(), newMan(), newGroup(), newStatus(), newRuns(), newVersion())
	root.AddCommand(newMoves()...)
	return root
}

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
		Args:          cobra.NoArgs,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; run '%s --help'", err, c.CommandPath())}
	})
	root.AddCommand(newRehearse(), newUp(), newServe(), newBackend(), newVersion())
	return root
}

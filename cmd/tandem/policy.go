package main

import "github.com/spf13/cobra"

func newPolicy() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Check and try policy documents without a gateway"}
	c.AddCommand(newPolicyCheck(), newPolicyRun(), newPolicyDocs())
	return c
}

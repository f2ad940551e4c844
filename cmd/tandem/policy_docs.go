package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tandem/internal/policy"
)

func newPolicyDocs() *cobra.Command {
	return &cobra.Command{Use: "docs", Short: "Print every policy, its attributes and whether it is run, as Markdown", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		_, err := fmt.Fprint(c.OutOrStdout(), policy.Docs())
		return err
	}}
}

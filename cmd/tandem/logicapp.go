package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newLogicApp() *cobra.Command {
	c := &cobra.Command{Use: "logicapp", Short: "Work with Logic Apps workflow files",
		Long: "Workflow files are what the code view of Azure Logic Apps shows: {\"definition\": …}. They run unchanged against a world of 'tandem up', whose endpoints stand in for Azure's names.",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(c, "unknown command %q", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newLogicAppRun(), newLogicAppLint(), newLogicAppConvert())
	return c
}

// someFiles asks for one argument at least.
func someFiles(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage(c, "a workflow file is needed")
	}
	return nil
}

// oneFile asks for exactly one argument.
func oneFile(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage(c, "one workflow file is needed, not %d", len(args))
	}
	return nil
}

// usage is the error of a call that cannot be understood.
func usage(c *cobra.Command, format string, args ...any) error {
	return usageError{fmt.Errorf("%s; run '%s --help'", fmt.Sprintf(format, args...), c.CommandPath())}
}

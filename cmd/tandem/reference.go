package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"tandem"
)

// newMan writes the manual pages, for packages.
func newMan() *cobra.Command {
	return &cobra.Command{Use: "man DIR", Short: "Write the manual pages into a folder", Args: oneArg("a folder"), RunE: func(c *cobra.Command, args []string) error {
		if err := os.MkdirAll(args[0], 0o755); err != nil {
			return &tandem.Error{Op: "make folder", Subject: args[0], Err: err, Remedy: "choose a folder that can be written"}
		}
		return eachCommand(c.Root(), func(one *cobra.Command) error {
			var page bytes.Buffer
			header := &doc.GenManHeader{Title: strings.ToUpper(strings.ReplaceAll(one.CommandPath(), " ", "-")), Section: "1", Source: "Tandem", Manual: "Tandem"}
			if err := doc.GenMan(one, header, &page); err != nil {
				return fmt.Errorf("write the page of '%s': %w", one.CommandPath(), err)
			}
			return os.WriteFile(filepath.Join(args[0], strings.ReplaceAll(one.CommandPath(), " ", "-")+".1"), page.Bytes(), 0o644)
		})
	}}
}

// reference is docs/cli.md: every command with its flags.
func reference(root *cobra.Command) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString("# Command line\n\nGenerated from the commands themselves (`go test ./cmd/tandem -run TestReference -update`). Exit codes: 0 done, 1 failed, 2 the call was wrong, 3 it could not be found out.\n\n")
	err := eachCommand(root, func(c *cobra.Command) error {
		fmt.Fprintf(&out, "## %s\n\n", c.CommandPath())
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		out.WriteString(text + "\n\n")
		if c.Runnable() {
			fmt.Fprintf(&out, "```text\n%s\n```\n\n", c.UseLine())
		}
		if flags := c.NonInheritedFlags(); flags.HasAvailableFlags() {
			fmt.Fprintf(&out, "```text\n%s```\n\n", flags.FlagUsages())
		}
		return nil
	})
	return bytes.TrimRight(out.Bytes(), "\n"), err
}

// eachCommand walks through the commands that a user may call, in the order of their names.
func eachCommand(c *cobra.Command, do func(*cobra.Command) error) error {
	c.DisableAutoGenTag = true
	c.InitDefaultHelpFlag()
	if err := do(c); err != nil {
		return err
	}
	for _, sub := range c.Commands() {
		if !sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand() {
			continue
		}
		if err := eachCommand(sub, do); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tandem/internal/workflow"
)

// lintFinding is a finding with its file. An error is something that does not run; the rest runs and is unsafe.
type lintFinding struct {
	File  string `json:"file"`
	Error bool   `json:"error,omitempty"`
	workflow.Finding
}

func newLogicAppLint() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "lint FILE...", Short: "Tell what is wrong or unsafe in workflow files",
		Long: "Tells what does not run here, and what runs and is unsafe in a workflow that backs up or restores API Management: secrets that are written out, backup names that never change, restores that do not know of the backup, and more. Ends with code 1 when there is a finding.",
		Args: someFiles, RunE: func(c *cobra.Command, args []string) error {
			return runLogicAppLint(c.OutOrStdout(), args, asJSON)
		}}
	c.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON: [{file, rule, path, message, remedy}]")
	return c
}

func runLogicAppLint(out io.Writer, files []string, asJSON bool) error {
	all := []lintFinding{}
	for _, file := range files {
		some, err := lintFile(file)
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(all); err != nil {
			return err
		}
	} else {
		for _, f := range all {
			fmt.Fprintf(out, "%s: %s: %s: %s", f.File, f.Path, f.Rule, f.Message)
			if f.Remedy != "" {
				fmt.Fprintf(out, "; %s", f.Remedy)
			}
			fmt.Fprintln(out)
		}
	}
	if len(all) > 0 {
		return quietError{fmt.Errorf("%d findings", len(all))}
	}
	return nil
}

func lintFile(file string) ([]lintFinding, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, usageError{err}
	}
	var out []lintFinding
	def, params, err := workflow.Parse(raw)
	var bad *workflow.DefinitionError
	switch {
	case errors.As(err, &bad):
		for _, p := range bad.Problems {
			out = append(out, lintFinding{file, true, workflow.Finding{Rule: "invalid", Path: p.Path, Message: p.Message, Remedy: p.Remedy}})
		}
		return out, nil
	case err != nil:
		return append(out, lintFinding{file, true, workflow.Finding{Rule: "invalid", Path: "$", Message: err.Error()}}), nil
	}
	for _, f := range workflow.Lint(def, params) {
		out = append(out, lintFinding{file, false, f})
	}
	return out, nil
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"tandem/internal/policy"
)

type policyCheckOptions struct{ json bool }

func newPolicyCheck() *cobra.Command {
	var o policyCheckOptions
	c := &cobra.Command{Use: "check FILE…", Short: "Tell whether the gateway would run policy documents, all of them",
		Long: "Reads policy documents and tells every policy, attribute, construct and .NET member that the gateway would not execute, with line and column.\nA folder stands for the .xml files in it. Named values, fragments and outside parts are taken as given.\nExit code: 0 when every file is supported, 1 when one is not, 2 when the call is wrong.",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("name at least one policy file or folder; run 'tandem policy check --help'")}
			}
			return runPolicyCheck(c.OutOrStdout(), args, o)
		}}
	c.Flags().BoolVar(&o.json, "json", false, "print the report as JSON: {files:[{path, supported, problems}], summary}")
	return c
}

func runPolicyCheck(out io.Writer, args []string, o policyCheckOptions) error {
	files, err := policyFiles(args)
	if err != nil {
		return err
	}
	report, err := policy.CheckAll(files, os.ReadFile, policy.CheckOptions{})
	if err != nil {
		return err
	}
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(report); err != nil {
			return err
		}
	} else {
		tellPolicyReport(out, report)
	}
	if report.Summary.Supported < report.Summary.Files {
		return quietError{errors.New("not every file is supported")}
	}
	return nil
}

func tellPolicyReport(out io.Writer, r policy.Report) {
	for _, f := range r.Files {
		for _, p := range f.Problems {
			fmt.Fprintf(out, "%s:%d:%d: %s: %s\n", f.Path, p.Line, p.Column, p.Severity, p.Message)
		}
	}
	s := r.Summary
	fmt.Fprintf(out, "%d files, %d supported, %d unreadable; %d errors, %d warnings; %d expressions\n", s.Files, s.Supported, s.Unreadable, s.Errors, s.Warnings, s.Expressions)
}

// policyFiles lists the files that are meant: a folder stands for the .xml files below it.
func policyFiles(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, usageError{err}
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.EqualFold(filepath.Ext(path), ".xml") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

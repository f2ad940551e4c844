package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"tandem/internal/policy"
)

type policyRunOptions struct {
	request   string
	responses []string
	vars      []string
	named     []string
	json      bool
}

func newPolicyRun() *cobra.Command {
	var o policyRunOptions
	c := &cobra.Command{Use: "run FILE --request FILE", Short: "Run a policy document against a request, step by step, without a server",
		Long: "Executes a document and prints each step, the variables, what would be sent to the backend, and the answer.\nThe request file has a request line, headers, an empty line and a body; so have answers of the backend, which begin with a status such as '200 OK'.",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 || o.request == "" {
				return usageError{errors.New("name one policy file, and the request with --request; run 'tandem policy run --help'")}
			}
			return runPolicyRun(c.OutOrStdout(), args[0], o)
		}}
	c.Flags().StringVar(&o.request, "request", "", "the file of the request")
	c.Flags().StringArrayVar(&o.responses, "response", nil, "a file of the backend's answer; the n-th one answers the n-th forward")
	c.Flags().StringArrayVar(&o.vars, "var", nil, "a context variable: name=value")
	c.Flags().StringArrayVar(&o.named, "named-value", nil, "a named value: name=value")
	c.Flags().BoolVar(&o.json, "json", false, "print the run as JSON")
	return c
}

func runPolicyRun(out io.Writer, file string, o policyRunOptions) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return usageError{err}
	}
	request, err := os.ReadFile(o.request)
	if err != nil {
		return usageError{err}
	}
	in := policy.DebugInput{Sources: []policy.Source{{Name: file, Scope: policy.API, Text: string(text)}}, Request: string(request)}
	for _, name := range o.responses {
		b, err := os.ReadFile(name)
		if err != nil {
			return usageError{err}
		}
		in.Answers = append(in.Answers, string(b))
	}
	if in.Variables, err = pairs("--var", o.vars); err != nil {
		return err
	}
	named, err := pairs("--named-value", o.named)
	if err != nil {
		return err
	}
	in.NamedValue = func(name string) (string, bool) { v, ok := named[name]; return v, ok }
	run, err := policy.Debug(in)
	if err != nil {
		return err
	}
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		err = e.Encode(run)
	} else {
		tellRun(out, run)
	}
	if err == nil && run.Problems.Failed() {
		return quietError{run.Problems}
	}
	return err
}

func pairs(flag string, list []string) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range list {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("%s %q is not name=value", flag, p)}
		}
		out[name] = value
	}
	return out, nil
}

func tellRun(out io.Writer, run *policy.DebugOutput) {
	for _, p := range run.Problems {
		fmt.Fprintln(out, p)
	}
	if run.Problems.Failed() {
		return
	}
	for _, s := range run.Steps {
		fmt.Fprintf(out, "%-9s %-28s", s.Section, s.Path)
		if s.Message != "" {
			fmt.Fprintf(out, " %s", s.Message)
		}
		if s.Error != "" {
			fmt.Fprintf(out, " ERROR %s", s.Error)
		}
		fmt.Fprintln(out)
		for _, name := range sortedKeys(s.Set) {
			fmt.Fprintf(out, "            %s = %v\n", name, s.Set[name])
		}
	}
	for _, m := range append(run.Sent, run.Response) {
		fmt.Fprintf(out, "\n%s: %s\n", m.Kind, m.Line)
		for _, f := range m.Header {
			fmt.Fprintf(out, "  %s: %s\n", f.Name, f.Value)
		}
		if m.Body != "" {
			fmt.Fprintf(out, "\n%s\n", m.Body)
		}
	}
	if e := run.Error; e != nil {
		fmt.Fprintf(out, "\nlast error: %s in %s at %s: %s\n", e.Reason, e.Section, e.Path, e.Message)
	}
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

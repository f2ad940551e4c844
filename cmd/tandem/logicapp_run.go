package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tandem"
	"tandem/internal/rehearsal"
	"tandem/internal/workflow"
	"tandem/internal/workflow/value"
)

type logicAppRunOptions struct {
	dir, body string
	params    []string
	json      bool
}

func newLogicAppRun() *cobra.Command {
	var o logicAppRunOptions
	c := &cobra.Command{Use: "run FILE", Short: "Run a workflow file once, by hand, against a world",
		Long: "Runs the file once, whatever its trigger, against the world that 'tandem up' keeps in a folder: login.microsoftonline.com and management.azure.com are reached at the world's own endpoints. Ends with code 1 when the run did not succeed.",
		Args: oneFile, RunE: func(c *cobra.Command, args []string) error {
			return runLogicApp(c.Context(), c.OutOrStdout(), args[0], o)
		}}
	c.Flags().StringVar(&o.dir, "dir", "tandem-data", "the folder of the world")
	c.Flags().StringArrayVar(&o.params, "param", nil, "a value for a parameter of the workflow: name=value; JSON where the parameter is not a string")
	c.Flags().StringVar(&o.body, "body", "", "a file with the JSON that a Request trigger gets")
	c.Flags().BoolVar(&o.json, "json", false, "print the result as JSON: {status, actions: [{name, status, code}]}")
	return c
}

// workflowPoll is how often an asynchronous operation is asked for, where its server does not say.
const workflowPoll = 200 * time.Millisecond

func runLogicApp(ctx context.Context, out io.Writer, file string, o logicAppRunOptions) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return usageError{err}
	}
	def, _, err := workflow.Parse(raw)
	if err != nil {
		return invalidWorkflow(file, err)
	}
	hosts, err := worldHosts(o.dir)
	if err != nil {
		return err
	}
	run := workflow.RunOptions{Name: strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), Hosts: hosts, Clock: tandem.SystemClock{}, PollInterval: workflowPoll}
	if run.Parameters, err = readParams(def, o.params); err != nil {
		return err
	}
	if o.body != "" {
		text, err := os.ReadFile(o.body)
		if err == nil {
			run.Body, err = value.Decode(text)
		}
		if err != nil {
			return usageError{fmt.Errorf("read %s: %w; it must hold JSON", o.body, err)}
		}
	}
	if !o.json {
		run.Progress = func(a workflow.ActionResult) { fmt.Fprintln(out, actionLine(a)) }
	}
	result, err := workflow.Run(ctx, raw, run)
	if errors.Is(err, tandem.Invalid) {
		return invalidWorkflow(file, err)
	}
	if err != nil {
		return err
	}
	if o.json {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(result); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(out, "The run ended: %s\n", result.Status)
	}
	if result.Status != workflow.Succeeded {
		return quietError{fmt.Errorf("the run of %s ended as %s", file, result.Status)}
	}
	return nil
}

func actionLine(a workflow.ActionResult) string {
	line := fmt.Sprintf("%-10s %s", a.Status, a.Name)
	if a.Repetition != "" {
		line += " [" + a.Repetition + "]"
	}
	if a.Code != "" {
		line += " (" + a.Code + ")"
	}
	if a.Error != nil {
		line += ": " + a.Error.Message
	}
	return line
}

// invalidWorkflow is a finding about a file: what is wrong with it, and where.
func invalidWorkflow(file string, err error) error {
	return fmt.Errorf("%s is not a workflow that can run here:\n%w", file, err)
}

// worldHosts leads Azure's names to the endpoints of the world in a folder.
func worldHosts(dir string) (map[string]workflow.Endpoint, error) {
	file := filepath.Join(dir, "endpoints.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, usageError{fmt.Errorf("there is no world in %s: %w; start one with 'tandem up --dir %s'", dir, err, dir)}
	}
	var e rehearsal.Endpoints
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("read %s: %w; start the world again to have it written anew", file, err)
	}
	ca, err := os.ReadFile(e.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authority of the world in %s: %w; start the world again", dir, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s holds no certificate; start the world again", e.CAFile)
	}
	hosts := map[string]workflow.Endpoint{}
	for name, address := range map[string]string{"login.microsoftonline.com": e.AuthorityURL, "management.azure.com": e.ARMURL} {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("%s names the address %q, which is no URL; start the world again", file, address)
		}
		hosts[name] = workflow.Endpoint{Address: u.Host, RootCAs: pool}
	}
	return hosts, nil
}

// readParams reads name=value pairs by the types that the workflow declares.
func readParams(def *workflow.Definition, pairs []string) (map[string]any, error) {
	out := map[string]any{}
	for _, pair := range pairs {
		name, text, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, usageError{fmt.Errorf("--param %q: write name=value", pair)}
		}
		kind := ""
		for _, q := range def.Parameters {
			if strings.EqualFold(q.Name, name) {
				name, kind = q.Name, strings.ToLower(q.Type)
			}
		}
		if kind == "string" || kind == "securestring" || kind == "" {
			out[name] = text // a name that is not declared is told by the workflow
			continue
		}
		v, err := value.Decode([]byte(text))
		if err != nil {
			return nil, usageError{fmt.Errorf("--param %s: it is of type %s and must be JSON: %w", name, kind, err)}
		}
		out[name] = v
	}
	return out, nil
}

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"tandem"
)

// contexts are the deployments that this user works with: names for folders that hold an endpoints.json.
type contexts struct {
	Current  string            `yaml:"current,omitempty"`
	Contexts map[string]string `yaml:"contexts,omitempty"` // name to folder
}

// contextsFile is contexts.yaml in the user's configuration folder, or what TANDEM_CONTEXTS names.
func contextsFile() (string, error) {
	if file := os.Getenv("TANDEM_CONTEXTS"); file != "" {
		return file, nil
	}
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "tandem", "contexts.yaml"), err
}

func readContexts() (c contexts, file string, err error) {
	if file, err = contextsFile(); err != nil {
		return c, file, err
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, file, nil
	}
	if err == nil {
		err = yaml.UnmarshalWithOptions(raw, &c, yaml.Strict())
	}
	if err != nil {
		err = &tandem.Error{Op: "read contexts", Subject: file, Kind: tandem.Invalid, Err: err, Remedy: "mend the file, or delete it and add the contexts again"}
	}
	return c, file, err
}

func (c contexts) write(file string) error {
	raw, err := yaml.Marshal(c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, raw, 0o600)
}

func (c contexts) dir(name string) (string, error) {
	if dir, ok := c.Contexts[name]; ok {
		return dir, nil
	}
	return "", usageError{fmt.Errorf("there is no context %q; see 'tandem context list'", name)}
}

// chooseContext fills in the folder of the world for commands that take one and were not told: the one of --context, else
// the current one. Commands that were told another endpoint, or credentials by the environment, stay as they are.
func chooseContext(c *cobra.Command, name string) error {
	dir := c.Flags().Lookup("dir")
	if dir == nil || dir.DefValue != "" || dir.Changed {
		if name != "" && (dir == nil || dir.DefValue != "") {
			return usageError{fmt.Errorf("'%s' works on no context", c.CommandPath())}
		}
		return nil
	}
	told := os.Getenv("AZURE_CLIENT_ID") != "" || os.Getenv("AZURE_ACCESS_TOKEN") != "" || c.Flags().Changed("endpoint")
	if name == "" && told {
		return nil
	}
	all, _, err := readContexts()
	if err != nil {
		return err
	}
	if name == "" {
		if name = all.Current; name == "" {
			return nil
		}
	}
	folder, err := all.dir(name)
	if err != nil {
		return err
	}
	return c.Flags().Set("dir", folder)
}

func newContext() *cobra.Command {
	c := &cobra.Command{Use: "context", Short: "Name the deployments you work with, and choose one",
		Long: "A context is a name for a folder that holds the endpoints.json of a deployment, and the keys that its backups need. Commands that take --dir use the current context when it is left out, or the one of --context.",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newContextAdd(), newContextUse(), newContextRemove(), newContextList())
	return c
}

func newContextAdd() *cobra.Command {
	return &cobra.Command{Use: "add NAME DIR", Short: "Name a deployment by its folder, and choose it", Args: exactArgs(2, "a name and a folder"),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := filepath.Abs(args[1])
			if err != nil {
				return err
			}
			p := places{dir: dir}
			if _, err := p.endpoints(); err != nil {
				return err
			}
			return changeContexts(func(all *contexts) error {
				if all.Contexts == nil {
					all.Contexts = map[string]string{}
				}
				all.Contexts[args[0]], all.Current = dir, args[0]
				return nil
			})
		}}
}

func newContextUse() *cobra.Command {
	return &cobra.Command{Use: "use NAME", Short: "Choose the current context", Args: oneArg("a name"), ValidArgsFunction: completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			return changeContexts(func(all *contexts) error {
				_, err := all.dir(args[0])
				all.Current = args[0]
				return err
			})
		}}
}

func newContextRemove() *cobra.Command {
	return &cobra.Command{Use: "remove NAME", Short: "Forget a context; the deployment and its folder stay", Args: oneArg("a name"), ValidArgsFunction: completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			return changeContexts(func(all *contexts) error {
				_, err := all.dir(args[0])
				delete(all.Contexts, args[0])
				if all.Current == args[0] {
					all.Current = ""
				}
				return err
			})
		}}
}

func changeContexts(change func(*contexts) error) error {
	all, file, err := readContexts()
	if err != nil {
		return err
	}
	if err := change(&all); err != nil {
		return err
	}
	return all.write(file)
}

func completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	all, _, err := readContexts()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return slices.Sorted(maps.Keys(all.Contexts)), cobra.ShellCompDirectiveNoFileComp
}

func newContextList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "list", Short: "List the contexts", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		all, _, err := readContexts()
		if err != nil {
			return err
		}
		return listContexts(c.OutOrStdout(), all, asJSON)
	}}
	c.Flags().BoolVar(&asJSON, "json", false, "print [{name, dir, current}]")
	return c
}

func listContexts(out io.Writer, all contexts, asJSON bool) error {
	type row struct {
		Name    string `json:"name"`
		Dir     string `json:"dir"`
		Current bool   `json:"current"`
	}
	rows := []row{}
	for _, name := range slices.Sorted(maps.Keys(all.Contexts)) {
		rows = append(rows, row{name, all.Contexts[name], name == all.Current})
	}
	if asJSON {
		return printJSON(out, rows)
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(out, "There is no context. Add one with 'tandem context add NAME DIR'.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tNAME\tFOLDER")
	for _, r := range rows {
		mark := ""
		if r.Current {
			mark = "*"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", mark, r.Name, r.Dir)
	}
	return w.Flush()
}

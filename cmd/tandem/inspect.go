package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"sort"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"tandem/internal/snapshot"
)

type inspectOptions struct {
	places
	json, tree, omissions bool
}

func newInspect() *cobra.Command {
	var o inspectOptions
	c := &cobra.Command{Use: "inspect FILE", Short: "Show what a snapshot says of itself",
		Long: "Shows a snapshot's manifest: source, time, counts, what it does not contain and why, and with --tree its files. FILE - is the standard input. Nothing but the manifest is proven; 'tandem verify' reads the rest." + momentHelp,
		Args: oneArg("a snapshot"), RunE: func(c *cobra.Command, args []string) error {
			return runInspect(c.Context(), c.InOrStdin(), c.OutOrStdout(), args[0], o)
		}}
	o.flags(c)
	o.vaultFlag(c)
	o.passphraseFlag(c)
	c.Flags().BoolVar(&o.json, "json", false, "print the manifest as it is in the file")
	c.Flags().BoolVar(&o.omissions, "omissions", false, "print what the snapshot does not contain, and nothing else, as YAML: what, reason, consequence")
	c.Flags().BoolVar(&o.tree, "tree", false, "list the files")
	return c
}

func runInspect(ctx context.Context, in io.Reader, out io.Writer, file string, o inspectOptions) error {
	if o.isMoment(file) {
		s, err := o.openMoment(ctx, file)
		if err != nil {
			return err
		}
		tellNote(os.Stderr, s)
		if o.omissions {
			return printOmissions(out, s.manifest.Omissions)
		}
		if o.json {
			return printJSON(out, s.manifest)
		}
		printManifest(out, s.manifest)
		if o.tree {
			fmt.Fprintln(out, "\nResources")
			for _, r := range s.resources {
				fmt.Fprintf(out, "  %s\n", cmp.Or(r.Path, "service"))
			}
		}
		return nil
	}
	ids, err := o.openIdentities()
	if err != nil {
		return err
	}
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // only read
		in = f
	}
	s, err := snapshot.Open(ctx, in, ids...)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer s.Close()
	m := s.Manifest()
	if o.omissions {
		return printOmissions(out, m.Omissions)
	}
	if o.json {
		return printJSON(out, m)
	}
	printManifest(out, m)
	if o.tree {
		fmt.Fprintln(out, "\nFiles")
		for _, f := range m.Files {
			fmt.Fprintf(out, "  %10d  %s\n", f.Size, f.Name)
		}
	}
	return nil
}

// printOmissions writes what a snapshot does not contain for programs and people.
func printOmissions(out io.Writer, all []snapshot.Omission) error {
	type omission struct {
		What        string `yaml:"what"`
		Reason      string `yaml:"reason"`
		Consequence string `yaml:"consequence"`
	}
	list := struct {
		Omissions []omission `yaml:"omissions"`
	}{Omissions: []omission{}}
	for _, o := range all {
		list.Omissions = append(list.Omissions, omission(o))
	}
	raw, err := yaml.Marshal(list)
	if err == nil {
		_, err = out.Write(raw)
	}
	return err
}

func printManifest(out io.Writer, m snapshot.Manifest) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Service\t%s (%s, %s)\n", m.Source.Name, m.Source.SKU, m.Source.Location)
	fmt.Fprintf(w, "Id\t%s\n", m.Source.ID)
	fmt.Fprintf(w, "Taken\t%s in %s\n", m.Created.Format(time.RFC3339), m.Region)
	if m.Window != nil {
		fmt.Fprintf(w, "Read\tfrom %s to %s: the source has no revisions\n", m.Window.From.Format(time.RFC3339), m.Window.To.Format(time.RFC3339))
	} else {
		fmt.Fprintf(w, "Revision\t%d of generation %d\n", m.Revision, m.Generation)
	}
	fmt.Fprintf(w, "Holds\t%d resources, %d files, %d bytes\n", m.Resources(), len(m.Files), m.Bytes())
	fmt.Fprintf(w, "Content\t%s\n", m.Content)
	fmt.Fprintln(w, "\nResources")
	var kinds []string
	for kind := range m.Counts {
		kinds = append(kinds, kind)
	}
	sort.Strings(kinds)
	for _, kind := range kinds {
		fmt.Fprintf(w, "  %s\t%d\n", kind, m.Counts[kind])
	}
	_ = w.Flush() // the writer is the terminal's
	fmt.Fprintln(out, "\nNot contained")
	for _, o := range m.Omissions {
		fmt.Fprintf(out, "  %s: %s; %s\n", o.What, o.Reason, o.Consequence)
	}
}

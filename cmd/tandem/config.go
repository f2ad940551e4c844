package main

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tandem/internal/node"
)

func newConfig() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check a node's configuration, print its schema, make its keys", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newConfigCheck(), newConfigSchema(), newConfigKeys())
	return c
}

func newConfigCheck() *cobra.Command {
	return &cobra.Command{Use: "check FILE", Short: "Read a configuration as 'tandem serve' would, and say what it makes", Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
		nc, err := readConfig(args[0])
		if err != nil {
			return err
		}
		return tellRoles(c.OutOrStdout(), nc)
	}}
}

// tellRoles says in a few lines what a node of this configuration does.
func tellRoles(w io.Writer, c node.Config) error {
	port := func(p int) string {
		if p == 0 {
			return net.JoinHostPort(c.Address, "(a free port)")
		}
		return net.JoinHostPort(c.Address, strconv.Itoa(p))
	}
	var lines []string
	if c.Witness {
		lines = append(lines, fmt.Sprintf("%s: a witness, without services", c.Region))
	} else {
		lines = append(lines, fmt.Sprintf("%s: services of the region, management at %s", c.Region, port(c.Ports.ARM)))
	}
	switch {
	case c.Home == nil:
		var homes []string
		for _, p := range c.Peers {
			if p.Home {
				homes = append(homes, string(p.Region))
			}
		}
		lines = append(lines, "control plane: at "+strings.Join(homes, ", "))
	case c.Control == nil:
		lines = append(lines, "control plane: here alone")
	case len(c.Control.Endpoints) > 0:
		lines = append(lines, "control plane: in the etcd at "+strings.Join(c.Control.Endpoints, ", "))
	default:
		var names []string
		for _, m := range c.Control.Peers {
			names = append(names, m.Name)
		}
		lines = append(lines, fmt.Sprintf("control plane: member %s of %s; it serves while %d of them are up", c.Control.Name, strings.Join(names, ", "), len(names)/2+1))
		if len(names) == 2 {
			lines = append(lines, "warning: two members serve only while both are up; add a third, a witness will do")
		}
	}
	if c.Home != nil {
		lines = append(lines, fmt.Sprintf("tokens at %s, DNS of %s at %s, console at %s", port(c.Ports.Authority), c.Home.Zone, port(c.Ports.Traffic), port(c.Ports.Console)))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

func newConfigSchema() *cobra.Command {
	return &cobra.Command{Use: "schema", Short: "Print the JSON Schema of configurations", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		_, err := c.OutOrStdout().Write(node.Schema)
		return err
	}}
}

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tandem"
	"tandem/internal/keys"
	"tandem/internal/node"
	"tandem/internal/store/etcd"
)

// memberOptions say which control member is asked, and with whose certificate.
type memberOptions struct {
	config, ca string
	nodes      []string
	json       bool
}

func newMember() *cobra.Command {
	o := &memberOptions{}
	c := &cobra.Command{Use: "member", Short: "List, add and remove members of the control plane",
		Long: "Asks a running control member, over the nodes' own listener with mutual TLS. The addresses and the authority come from a node's configuration\n" +
			"(--config), or are given (--node, --ca). docs/clusters.md tells how a member is added, replaced and removed.",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	f := c.PersistentFlags()
	f.StringVar(&o.config, "config", "", "configuration of any node of the deployment")
	f.StringSliceVar(&o.nodes, "node", nil, "internal address of a control member, https://HOST:PORT; may be repeated")
	f.StringVar(&o.ca, "ca", "", "folder of the deployment's certificate authority")
	f.BoolVar(&o.json, "json", false, "print JSON")
	list := func(use, short string, args cobra.PositionalArgs, do func(context.Context, node.MembersClient, []string) ([]etcd.MemberInfo, error)) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: args, RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), c.OutOrStdout(), func(ctx context.Context, m node.MembersClient) ([]etcd.MemberInfo, error) { return do(ctx, m, args) })
		}}
	}
	c.AddCommand(
		list("list", "List the members", cobra.NoArgs, func(ctx context.Context, m node.MembersClient, _ []string) ([]etcd.MemberInfo, error) {
			return m.List(ctx)
		}),
		list("add ADDRESS", "Tell the others of a member that will join, by its address host:port", cobra.ExactArgs(1), func(ctx context.Context, m node.MembersClient, args []string) ([]etcd.MemberInfo, error) {
			return m.Add(ctx, args[0])
		}),
		list("remove NAME|ID", "Take a member out, whether it runs or not", cobra.ExactArgs(1), removeMember))
	return c
}

// removeMember takes out the member of a name or an id.
func removeMember(ctx context.Context, m node.MembersClient, args []string) ([]etcd.MemberInfo, error) {
	list, err := m.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range list {
		if one.ID == args[0] || one.Name != "" && strings.EqualFold(one.Name, args[0]) {
			return m.Remove(ctx, one.ID)
		}
	}
	return nil, &tandem.Error{Op: "remove member", Subject: args[0], Kind: tandem.NotFound, Remedy: "'tandem member list' shows names and ids"}
}

// run does something at the first control member that answers.
func (o *memberOptions) run(ctx context.Context, w io.Writer, do func(context.Context, node.MembersClient) ([]etcd.MemberInfo, error)) error {
	nodes, client, err := o.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	var list []etcd.MemberInfo
	for i, address := range nodes {
		list, err = do(ctx, node.MembersClient{Client: client, Internal: strings.TrimSuffix(address, "/")})
		if again := errors.Is(err, tandem.Unavailable) || errors.Is(err, tandem.Unsupported); !again || i == len(nodes)-1 {
			break
		}
	}
	if err != nil {
		return err
	}
	return o.print(w, list)
}

// client gives the addresses to ask and what asks them.
func (o *memberOptions) client() ([]string, *http.Client, error) {
	nodes, folder := o.nodes, o.ca
	if o.config != "" {
		c, err := readConfig(o.config)
		if err != nil {
			return nil, nil, err
		}
		if folder == "" {
			folder = c.CA
		}
		if len(nodes) == 0 {
			nodes = c.ControlAddresses()
		}
	}
	if folder == "" || len(nodes) == 0 {
		return nil, nil, usageError{errors.New("give --config, or --node and --ca")}
	}
	ca, err := keys.OpenCA(folder, tandem.SystemClock{})
	if err != nil {
		return nil, nil, err
	}
	source, err := ca.Source(keys.Leaf{Name: "tandem member", Client: true, Life: time.Hour})
	if err != nil {
		return nil, nil, err
	}
	return nodes, &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), GetClientCertificate: source.GetClientCertificate, MinVersion: tls.VersionTLS12}}}, nil
}

func (o *memberOptions) print(w io.Writer, list []etcd.MemberInfo) error {
	if o.json {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tADDRESS\tSTATE\tID")
	for _, m := range list {
		name, state := m.Name, "voter"
		switch {
		case name == "":
			name, state = "-", "added, not started"
		case m.Learner:
			state = "catching up"
		case m.Leader:
			state = "leader"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", name, m.Address, state, m.ID)
	}
	return t.Flush()
}

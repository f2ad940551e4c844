package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"tandem"
	"tandem/internal/arm/armclient"
	"tandem/internal/recovery"
)

// groupOptions are shared by the commands for recovery groups.
type groupOptions struct {
	places
	json bool
}

func (o *groupOptions) add(c *cobra.Command, what string) *cobra.Command {
	o.flags(c)
	c.Flags().BoolVar(&o.json, "json", false, "print "+what)
	return c
}

var groupQuery = url.Values{"api-version": {recovery.APIVersion}}

// groupID is the id of a recovery group: as it is given, or by the group's name in the world.
func (o *groupOptions) groupID(ctx context.Context, c *armclient.Client, name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return name, nil
	}
	all, err := o.groups(ctx, c)
	if err != nil {
		return "", err
	}
	for _, g := range all {
		if strings.EqualFold(g.Name, name) {
			return g.ID, nil
		}
	}
	return "", &tandem.Error{Op: "find recovery group", Subject: name, Kind: tandem.NotFound, Remedy: "see 'tandem group list'; make one with 'tandem group apply'"}
}

type namedGroup struct {
	ID         string              `json:"id"`
	Name       string              `json:"name"`
	Properties recovery.Properties `json:"properties"`
}

func (o *groupOptions) groups(ctx context.Context, c *armclient.Client) ([]namedGroup, error) {
	if o.dir == "" {
		return nil, usageError{errors.New("name the group by its resource id, or the deployment with --dir or a context ('tandem context')")}
	}
	e, err := o.endpoints()
	if err != nil {
		return nil, err
	}
	var page struct{ Value []namedGroup }
	resp, err := c.Do(ctx, armclient.Request{Method: http.MethodGet, Path: "/subscriptions/" + e.SubscriptionID + "/providers/" + recovery.Namespace + "/" + recovery.TypeName, Query: groupQuery})
	if err != nil {
		return nil, err
	}
	return page.Value, resp.Decode(&page)
}

// send does one call for the group that is named, and decodes the answer.
func (o *groupOptions) send(ctx context.Context, method, name, below string, query url.Values, body, into any) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	id, err := o.groupID(ctx, c, name)
	if err != nil {
		return err
	}
	q := url.Values{"api-version": {recovery.APIVersion}}
	for key, values := range query {
		q[key] = values
	}
	resp, err := c.Do(ctx, armclient.Request{Method: method, Path: id + below, Query: q, Body: body})
	if err != nil || into == nil || len(resp.Body) == 0 {
		return err
	}
	return resp.Decode(into)
}

func newGroup() *cobra.Command {
	c := &cobra.Command{Use: "group", Short: "Make, list and remove recovery groups", Long: "A recovery group binds a primary, its standby, a vault and a traffic profile. Its properties are in docs/recovery.md.",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newGroupApply(), newGroupList(), newGroupShow(), newGroupDelete())
	return c
}

func newGroupApply() *cobra.Command {
	var o groupOptions
	c := &cobra.Command{Use: "apply FILE", Short: "Make a recovery group, or change it", Long: "FILE is YAML or JSON: id (the resource id of the group), and properties. What is wrong with it is told with its place, and changes nothing.",
		Args: oneArg("a file"), RunE: func(c *cobra.Command, args []string) error {
			raw, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			var file struct {
				ID         string         `yaml:"id"`
				Properties map[string]any `yaml:"properties"`
			}
			if err := yaml.UnmarshalWithOptions(raw, &file, yaml.Strict()); err != nil {
				return &tandem.Error{Op: "read recovery group", Subject: args[0], Kind: tandem.Invalid, Err: err, Remedy: "mend the file; it has id and properties"}
			}
			if !strings.HasPrefix(file.ID, "/subscriptions/") {
				return &tandem.Error{Op: "read recovery group", Subject: args[0], Kind: tandem.Invalid, Err: errors.New("it has no id"),
					Remedy: "write id: /subscriptions/{id}/resourceGroups/{name}/providers/" + recovery.Namespace + "/" + recovery.TypeName + "/{name}"}
			}
			var g map[string]any
			if err := o.send(c.Context(), http.MethodPut, file.ID, "", nil, map[string]any{"location": "global", "properties": file.Properties}, &g); err != nil {
				return err
			}
			if o.json {
				return printJSON(c.OutOrStdout(), g)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s stands. 'tandem status' tells how it is.\n", g["name"])
			return err
		}}
	return o.add(c, "the group as JSON")
}

func newGroupList() *cobra.Command {
	var o groupOptions
	c := &cobra.Command{Use: "list", Short: "List the recovery groups", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		client, err := o.client()
		if err != nil {
			return err
		}
		all, err := o.groups(c.Context(), client)
		if err != nil {
			return err
		}
		if o.json {
			return printJSON(c.OutOrStdout(), all)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "GROUP\tMODE\tPRIMARY\tSTANDBY")
		for _, g := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", g.Name, g.Properties.Mode, lastOf(g.Properties.Primary.ResourceID), lastOf(g.Properties.Standby.ResourceID))
		}
		return w.Flush()
	}}
	return o.add(c, "[{id, name, properties}]")
}

func lastOf(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }

func newGroupShow() *cobra.Command {
	var o groupOptions
	c := &cobra.Command{Use: "show GROUP", Short: "Print a recovery group as JSON", Args: oneArg("a group"), RunE: func(c *cobra.Command, args []string) error {
		var g map[string]any
		if err := o.send(c.Context(), http.MethodGet, args[0], "", nil, nil, &g); err != nil {
			return err
		}
		return printJSON(c.OutOrStdout(), g)
	}}
	return o.add(c, "it as JSON, which is the default")
}

func newGroupDelete() *cobra.Command {
	var o groupOptions
	var confirm string
	c := &cobra.Command{Use: "delete GROUP --confirm GROUP", Short: "Remove a recovery group; its services and backups stay", Args: oneArg("a group"), RunE: func(c *cobra.Command, args []string) error {
		if err := confirmed(args[0], confirm, "removes the group: nothing follows, and nothing fails over any more"); err != nil {
			return err
		}
		return o.send(c.Context(), http.MethodDelete, args[0], "", nil, nil, nil)
	}}
	c.Flags().StringVar(&confirm, "confirm", "", "the group's name again, to show that it is meant")
	return o.add(c, "nothing")
}

// confirmed compares what was typed to show that an act is meant.
func confirmed(name, typed, what string) error {
	if short := lastOf(name); !strings.EqualFold(typed, short) {
		return usageError{fmt.Errorf("this %s; to go on, add --confirm %s", what, short)}
	}
	return nil
}

func newStatus() *cobra.Command {
	var o groupOptions
	c := &cobra.Command{Use: "status [GROUP]", Short: "Say who serves, what could be lost now, what is wrong and what to do", Args: cobra.MaximumNArgs(1), RunE: func(c *cobra.Command, args []string) error {
		client, err := o.client()
		if err != nil {
			return err
		}
		if len(args) == 0 {
			all, err := o.groups(c.Context(), client)
			if err != nil {
				return err
			}
			for _, g := range all {
				args = append(args, g.ID)
			}
			if len(args) == 0 && !o.json {
				_, err := fmt.Fprintln(c.OutOrStdout(), "There is no recovery group. Make one with 'tandem group apply'.")
				return err
			}
		}
		all := []recovery.StatusView{}
		for _, id := range args {
			var s recovery.StatusView
			if err := o.send(c.Context(), http.MethodGet, id, "/status", nil, nil, &s); err != nil {
				return err
			}
			all = append(all, s)
		}
		if o.json {
			return printJSON(c.OutOrStdout(), all)
		}
		for _, s := range all {
			if err := tellStatus(c.OutOrStdout(), s); err != nil {
				return err
			}
		}
		return nil
	}}
	return o.add(c, "[{group, name, epoch, holder, traffic, mode, members, lossBound, rpo, rto, run, lastProvenBackup, lastDrill, next, problems, time}]")
}

func tellStatus(out io.Writer, s recovery.StatusView) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\twrites at %s (epoch %d), traffic at %s\n", s.Name, lastOf(s.Holder), s.Epoch, lastOf(s.Traffic))
	for _, m := range s.Members {
		note := ""
		if m.Error != "" {
			note = "its node does not answer"
		}
		if st := m.State; st != nil && st.LagMillis != nil {
			note = fmt.Sprintf("lag %s", time.Duration(*st.LagMillis)*time.Millisecond)
		}
		fmt.Fprintf(w, "\t%s\t%s\t%s\t%s\n", m.Role, lastOf(m.Service), m.Health, note)
	}
	fmt.Fprintf(w, "\ta failover now could lose\t%s\tobjective %s\t%s\n", s.Loss, s.RPO.Objective, s.RPO.Result)
	if s.Run != nil {
		fmt.Fprintf(w, "\ta run is on\t%s\n", s.Run.Kind)
	}
	for _, n := range s.Next {
		fmt.Fprintf(w, "\tnext\t%s\t%s\n", n.What, n.At.Format(time.DateTime))
	}
	for _, p := range s.Problems {
		fmt.Fprintf(w, "\tproblem\t%s\n\t\t→ %s\n", p.What, p.Remedy)
	}
	return w.Flush()
}

// newMove makes one of the commands that ask for a run.
func newMove(verb, short, consequence string) *cobra.Command {
	var o groupOptions
	var dry bool
	var confirm string
	c := &cobra.Command{Use: verb + " GROUP --confirm GROUP", Short: short, Args: oneArg("a group"), RunE: func(c *cobra.Command, args []string) error {
		query := url.Values{}
		if dry {
			query.Set("dryRun", "true")
		} else if consequence != "" {
			if err := confirmed(args[0], confirm, consequence); err != nil {
				return err
			}
		}
		var answer map[string]any
		if err := o.send(c.Context(), http.MethodPost, args[0], "/"+verb, query, nil, &answer); err != nil {
			return err
		}
		if o.json || dry {
			return printJSON(c.OutOrStdout(), answer)
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "Run %v is on (%v). Follow it with 'tandem runs %s'.\n", answer["run"], answer["step"], args[0])
		return err
	}}
	c.Flags().BoolVar(&dry, "dry-run", false, "tell the gates, the loss and what follows, and do nothing")
	if consequence != "" {
		c.Flags().StringVar(&confirm, "confirm", "", "the group's name again, to show that it is meant")
	} else {
		c.Use = verb + " GROUP"
	}
	return o.add(c, "the run as JSON")
}

func newMoves() []*cobra.Command {
	return []*cobra.Command{
		newMove("failover", "Promote the standby of a group whose primary is down", "ends the primary's right to write and promotes the standby"),
		newMove("switchover", "Swap the roles of a group, planned: nothing is lost", "moves writes and traffic to the other service"),
		newMove("failback", "Bring the roles of a group home: merge, then switch over", "moves writes and traffic to the home service"),
		newMove("rejoin", "Merge a former primary, and make it the standby", ""),
		newMove("drill", "Rehearse a failover without touching what serves", ""),
		newMove("approve", "Agree to the run that waits for it", ""),
		newMove("cancel", "Give the active run up, and hold the roles", ""),
	}
}

func newRuns() *cobra.Command {
	var o groupOptions
	c := &cobra.Command{Use: "runs GROUP", Short: "List the runs of a group, newest first", Args: oneArg("a group"), RunE: func(c *cobra.Command, args []string) error {
		var page struct {
			Value []map[string]any `json:"value"`
		}
		if err := o.send(c.Context(), http.MethodGet, args[0], "/runs", nil, nil, &page); err != nil {
			return err
		}
		if o.json {
			return printJSON(c.OutOrStdout(), page.Value)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "RUN\tKIND\tSTATE\tBEGUN")
		for _, r := range page.Value {
			p, _ := r["properties"].(map[string]any)
			fmt.Fprintf(w, "%v\t%v\t%v\t%v\n", r["name"], p["kind"], p["status"], p["started"])
		}
		return w.Flush()
	}}
	return o.add(c, "the runs as JSON")
}

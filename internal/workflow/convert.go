package workflow

import (
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"tandem"
	"tandem/internal/workflow/value"
)

// Group describes the recovery group that does the job of backup and restore workflows. It holds no secrets.
type Group struct {
	Name       string          `yaml:"name"`
	Primary    *GroupService   `yaml:"primary,omitempty"`
	Standby    *GroupService   `yaml:"standby,omitempty"`
	Vault      GroupVault      `yaml:"vault"`
	Schedule   GroupSchedule   `yaml:"schedule"`
	Objectives GroupObjectives `yaml:"objectives"`
	Secrets    []string        `yaml:"secrets,omitempty"` // what must be given apart, and where it stands in the workflows
	Notes      []string        `yaml:"notes,omitempty"`   // what could not be taken over, or is done in another way
}

// GroupService is an API Management service.
type GroupService struct {
	Subscription  string `yaml:"subscription"`
	ResourceGroup string `yaml:"resourceGroup"`
	Name          string `yaml:"name"`
}

// GroupVault is where backups lie.
type GroupVault struct {
	StorageAccount string `yaml:"storageAccount"`
	Container      string `yaml:"container"`
	NamePrefix     string `yaml:"namePrefix"` // the time follows it: no backup overwrites another
}

// GroupSchedule says when the group backs up.
type GroupSchedule struct {
	Every    string `yaml:"every"`              // a Go duration
	TimeZone string `yaml:"timeZone,omitempty"` // as the workflow has it
}

// GroupObjectives are the bounds that the group holds.
type GroupObjectives struct {
	RPO string `yaml:"rpo"` // a Go duration: how much may be lost
}

// Convert reads workflows that back up and restore API Management, and describes the recovery group that does the same
// job. The error is of kind tandem.Invalid where a file is not valid, no workflow backs up or restores, or they are about
// different services.
func Convert(files ...[]byte) (*Group, error) {
	g := &Group{Name: "converted"}
	bad := func(format string, args ...any) error {
		return &tandem.Error{Op: "convert workflows", Kind: tandem.Invalid, Err: fmt.Errorf(format, args...), Remedy: "give the workflow that backs up and the one that restores"}
	}
	for i, file := range files {
		def, params, err := Parse(file)
		if err != nil {
			return nil, &tandem.Error{Op: "convert workflow", Subject: fmt.Sprintf("file %d", i+1), Kind: tandem.Invalid, Err: err, Remedy: "correct the workflow"}
		}
		for _, q := range def.Parameters {
			if _, given := params[q.Name]; !given && q.HasDefault {
				params[q.Name] = q.Default
			}
		}
		for _, f := range Lint(def, params) {
			if f.Rule == "secret-literal" || f.Rule == "secret-default" {
				g.Secrets = append(g.Secrets, fmt.Sprintf("file %d: %s", i+1, f.Path))
			}
		}
		for _, c := range calls(def, params) {
			op := c.operation()
			if op == "" {
				continue
			}
			s := &GroupService{Subscription: c.path[1], ResourceGroup: c.path[3], Name: c.path[7]}
			into := &g.Primary
			if op == "restore" {
				into = &g.Standby
			}
			if *into != nil && **into != *s {
				return nil, bad("two workflows %s different services, %s and %s", op, (*into).Name, s.Name)
			}
			*into = s
			if err := g.vault(c, bad); err != nil {
				return nil, err
			}
			g.when(def, op)
		}
	}
	if g.Primary == nil && g.Standby == nil {
		return nil, bad("no workflow backs an API Management service up or restores one")
	}
	if g.Primary == nil {
		g.Notes = append(g.Notes, "no workflow backs up: name the primary")
	} else {
		g.Name = g.Primary.Name
	}
	if g.Standby == nil {
		g.Notes = append(g.Notes, "no workflow restores: name the standby")
	}
	if g.Schedule.Every == "" {
		g.Schedule.Every = time.Hour.String()
		g.Notes = append(g.Notes, "the workflows have no recurrence: an hour was put in")
	}
	if g.Objectives.RPO == "" {
		g.Objectives.RPO = g.Schedule.Every
	}
	return g, nil
}

func (g *Group) vault(c call, bad func(string, ...any) error) error {
	text := func(name string) string { v, _ := c.body.Get(name); return value.Text(v) }
	v := GroupVault{StorageAccount: text("storageAccount"), Container: text("containerName"), NamePrefix: text("backupName")}
	if g.Vault == (GroupVault{}) {
		g.Vault = v
		return nil
	}
	if g.Vault.StorageAccount != v.StorageAccount || g.Vault.Container != v.Container {
		return bad("the workflows use different containers, %s/%s and %s/%s", g.Vault.StorageAccount, g.Vault.Container, v.StorageAccount, v.Container)
	}
	return nil
}

// when takes over a recurrence. A restore has no schedule of its own: the group restores what it backed up and verified.
func (g *Group) when(def *Definition, op string) {
	for _, t := range def.Triggers {
		if t.Recurrence == nil {
			continue
		}
		if op == "restore" {
			g.Notes = append(g.Notes, "the restore's own recurrence was left out: the group restores after each backup that was verified")
			continue
		}
		every := period(t.Recurrence)
		g.Objectives.RPO = every.String()
		if least := 30 * time.Minute; every < least {
			g.Notes = append(g.Notes, fmt.Sprintf("the backup ran every %s; whole backups come every %s, and the changes between them are captured as they happen", every, least))
			every = least
		}
		g.Schedule.Every = every.String()
		g.Schedule.TimeZone = t.Source.String("timeZone")
	}
}

// YAML writes the description.
func (g *Group) YAML() ([]byte, error) {
	b, err := yaml.Marshal(g)
	if err != nil {
		return nil, &tandem.Error{Op: "write recovery group", Subject: g.Name, Err: err, Remedy: "report this"}
	}
	return []byte(strings.TrimRight(string(b), "\n") + "\n"), nil
}

package recovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"tandem"
)

// Problem is one thing that is wrong with a group: where, what, and what to do.
type Problem struct {
	Path    string `json:"path"`
	Message string `json:"message"`
	Remedy  string `json:"remedy"`
}

// Problems are all that is wrong with a group. As an error it is Invalid.
type Problems []Problem

// Error implements error.
func (p Problems) Error() string {
	var lines []string
	for _, x := range p {
		lines = append(lines, x.Path+": "+x.Message+"; "+x.Remedy)
	}
	return strings.Join(lines, "\n")
}

// Is makes errors.Is(err, tandem.Invalid) true.
func (p Problems) Is(target error) bool { return target == error(tandem.Invalid) }

// ReadGroup reads a group from a file, YAML or JSON, strictly: unknown members are errors, with line and column. name is for
// the error.
func ReadGroup(name string, raw []byte) (*Group, error) {
	var g Group
	if err := yaml.NewDecoder(bytes.NewReader(raw), yaml.Strict(), yaml.DisallowUnknownField()).Decode(&g); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("it is empty")
		}
		return nil, &tandem.Error{Op: "read recovery group", Subject: name, Kind: tandem.Invalid, Err: errors.New(yaml.FormatError(err, false, true)),
			Remedy: "see docs/recovery.md and docs/recovery-group.schema.json for the members"}
	}
	if problems := g.Check(); len(problems) > 0 {
		return nil, &tandem.Error{Op: "check recovery group", Subject: name, Kind: tandem.Invalid, Err: problems}
	}
	return &g, nil
}

// decodeProperties reads the properties of an API call, strictly.
func decodeProperties(raw json.RawMessage) (*Properties, Problems) {
	var p Properties
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		path := "properties"
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			path += "." + wrong.Field
		}
		return nil, Problems{{path, strings.TrimPrefix(err.Error(), "json: "), "see docs/recovery-group.schema.json for the members"}}
	}
	return &p, nil
}

// Check gives all that is wrong with a group's contents.
func (g *Group) Check() Problems {
	problems := g.Properties.check()
	if g.Type != "" && !strings.EqualFold(g.Type, Namespace+"/"+TypeName) {
		problems = append(problems, Problem{"type", "it is " + g.Type, "write " + Namespace + "/" + TypeName + " or leave it out"})
	}
	if g.ID != "" {
		if id, err := tandem.ParseResourceID(g.ID); err != nil || !strings.EqualFold(id.Type(), Namespace+"/"+TypeName) {
			problems = append(problems, Problem{"id", "it is no id of a recovery group",
				"write /subscriptions/{id}/resourceGroups/{name}/providers/" + Namespace + "/" + TypeName + "/{name}, or leave it out"})
		}
	}
	return problems
}

type checker struct{ out Problems }

func (c *checker) bad(path, remedy, format string, args ...any) {
	c.out = append(c.out, Problem{"properties." + path, fmt.Sprintf(format, args...), remedy})
}

func (c *checker) oneOf(path, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		c.bad(path, "write one of "+strings.Join(allowed, ", "), "%q is not known", value)
	}
}

func (c *checker) service(path string, m Member) {
	id, err := tandem.ParseResourceID(m.ResourceID)
	if err != nil || !strings.EqualFold(id.Type(), "Microsoft.ApiManagement/service") {
		c.bad(path+".resourceId", "write /subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.ApiManagement/service/{name}", "%q is no id of a service", m.ResourceID)
	}
	c.oneOf(path+".fencing", m.Fencing, "lease", "none")
}

func (p *Properties) check() Problems {
	c := &checker{}
	c.service("primary", p.Primary)
	c.service("standby", p.Standby)
	if p.Primary.ResourceID != "" && strings.EqualFold(p.Primary.ResourceID, p.Standby.ResourceID) {
		c.bad("standby.resourceId", "name a service in another region", "it is the primary itself")
	}
	if p.Mode == "" {
		c.bad("mode", "write native, continuous or logical", "it is missing")
	}
	c.oneOf("mode", string(p.Mode), string(Native), string(Continuous), string(Logical))
	c.oneOf("approval", p.Approval, "automatic", "one", "two")
	c.oneOf("onLag", p.OnLag, "report", "refuse")
	c.oneOf("failback", p.Failback, "manual", "automatic")
	c.oneOf("rejoin", p.Rejoin, "manual", "automatic")
	c.oneOf("conflicts", p.Conflicts, "person", "holder", "returning", "newest")
	if p.Mode == Continuous && (p.Primary.Fencing == "none" || p.Standby.Fencing == "none") {
		c.bad("mode", "use logical, which works over the management API", "a service without fencing has no change feed to follow")
	}
	if p.OnLag == "refuse" && p.Mode != Continuous {
		c.bad("onLag", "use report, or mode continuous", "the primary would stop between any two runs of the schedule")
	}
	p.checkPlaces(c)
	p.checkTimes(c)
	p.checkTelling(c)
	return c.out
}

func (p *Properties) checkPlaces(c *checker) {
	switch {
	case p.Vault.Place() == "" && p.Mode == Native:
		c.bad("vault", "name a blob container by resourceId or url", "mode native keeps its backups there, and it is missing")
	case p.Vault != nil && (p.Vault.ResourceID == "") == (p.Vault.URL == ""):
		c.bad("vault", "give resourceId or url", "exactly one of the two names the vault")
	case p.Vault != nil && p.Vault.ResourceID != "":
		if id, err := tandem.ParseResourceID(p.Vault.ResourceID); err != nil || !strings.EqualFold(id.Type(), "Microsoft.Storage/storageAccounts/blobServices/containers") {
			c.bad("vault.resourceId", "write …/providers/Microsoft.Storage/storageAccounts/{account}/blobServices/default/containers/{name}", "%q is no id of a blob container", p.Vault.ResourceID)
		}
	case p.Vault != nil:
		c.address("vault.url", p.Vault.URL)
	}
	if p.TrafficProfile != "" {
		if id, err := tandem.ParseResourceID(p.TrafficProfile); err != nil || !strings.EqualFold(id.Type(), "Microsoft.Network/trafficManagerProfiles") {
			c.bad("trafficProfile", "write …/providers/Microsoft.Network/trafficManagerProfiles/{name}", "%q is no id of a Traffic Manager profile", p.TrafficProfile)
		}
	}
	for i, name := range p.TrafficNames {
		if !regexp.MustCompile(`^(?i)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`).MatchString(name) {
			c.bad(fmt.Sprintf("trafficNames[%d]", i), "write a host name such as api.example.com", "%q is no host name", name)
		}
	}
	for i, r := range p.Overlay {
		at := fmt.Sprintf("overlay[%d]", i)
		if len(r.Paths) == 0 {
			c.bad(at+".paths", `name resources: "backends/*"`, "it is missing")
		}
		if (r.Set == nil) == (r.Replace == "") {
			c.bad(at, "give set or replace", "exactly one of the two says what the value becomes")
		}
		if _, err := regexp.Compile(r.Replace); err != nil {
			c.bad(at+".replace", "write an RE2 expression", "%v", err)
		}
	}
}

func (c *checker) address(path, text string) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		c.bad(path, "write https://host/path", "it is no web address") // not quoted: it may be a secret
	}
}

func (p *Properties) checkTimes(c *checker) {
	schedule := func(path string, s Schedule) {
		if _, err := s.next(time.Unix(0, 0)); err != nil {
			c.bad(path, `write cron: "0 2 * * *" with timeZone: Asia/Kolkata`, "%v", err)
		}
	}
	if p.Schedule != nil {
		schedule("schedule", *p.Schedule)
	}
	for i, d := range p.Drills {
		at := fmt.Sprintf("drills[%d]", i)
		schedule(at+".schedule", d.Schedule)
		c.oneOf(at+".kind", d.Kind, "rehearsal", "full")
	}
	if p.Retention != nil && (p.Retention.Backups < 0 || p.Retention.Runs < 0) {
		c.bad("retention", "give zero or more", "a number is below zero")
	}
	pr := p.Probes
	if pr.Witnesses < 0 || pr.Witnesses > 5 || pr.Quorum < 0 || pr.Attempts < 0 || pr.Attempts > 255 {
		c.bad("probes", "give 1 to 5 witnesses, a quorum of more than half of them, and 1 to 255 attempts", "a number is out of its range")
		return
	}
	if p.Renew() >= time.Duration(p.Config().Lease)*time.Millisecond {
		c.bad("probes.renew", "ask at least twice within a lease", "the lease is over before the next question")
	}
	if lease := p.Probes.Lease.or(3 * time.Second); p.Mode == Continuous && p.OnLag != "refuse" && p.RPO() <= lease {
		c.bad("objectives.rpo", fmt.Sprintf("give more than the lease (%s), shorten probes.lease, or set onLag to refuse", lease), "no failover could prove it: a primary that dies may have acknowledged until its lease ended")
	}
	if err := p.Config().Validate(); err != nil {
		c.bad("probes", "see docs/recovery.md for the defaults", "%v", err)
	}
}

func (p *Properties) checkTelling(c *checker) {
	seen := map[string]bool{}
	for i, n := range p.Notifications {
		at := fmt.Sprintf("notifications[%d]", i)
		if n.Name == "" || seen[n.Name] {
			c.bad(at+".name", "give each notification its own name", "it is missing or there twice")
		}
		seen[n.Name] = true
		c.oneOf(at+".tls", n.TLS, "required", "opportunistic", "none")
		switch n.Kind {
		case "webhook", "slack", "teams":
			if n.URL != "" {
				c.address(at+".url", n.URL)
			}
		case "mail":
			if n.Server == "" || len(n.To) == 0 {
				c.bad(at, "give server as host:port, from, and to", "mail needs a server and somebody to send to")
			}
			for _, a := range append([]string{n.From}, n.To...) {
				if _, err := mail.ParseAddress(a); err != nil {
					c.bad(at, "write name@example.com", "%q is no mail address", a)
				}
			}
		default:
			c.bad(at+".kind", "write webhook, slack, teams or mail", "%q is not known", n.Kind)
		}
	}
	if h := p.Heartbeat; h != nil {
		if h.URL != "" {
			c.address("heartbeat.url", h.URL)
		}
		if h.Every != 0 && time.Duration(h.Every) < time.Second {
			c.bad("heartbeat.every", "give a second or more", "%s is too often", time.Duration(h.Every))
		}
	}
}

package console

import (
	"fmt"
	"strings"
	"time"

	"tandem"
)

// overviewPage is everything at a glance.
type overviewPage struct {
	Advice        []advice
	Profiles      []profileView
	ProfilesNote  string
	Regions       []regionView
	ServicesNote  string
	Backup        *backupView
	BackupsNote   string
	CountsOfKinds int
}

type regionView struct {
	Region
	Services []serviceView
	Serving  []string // traffic names that are answered with this region now
}

// advice is one thing to know or to do, in plain words.
type advice struct {
	Level, Text string
	Link, Label string
}

func (o overviewPage) say() string {
	all := []string{}
	for _, a := range o.Advice {
		all = append(all, a.Text)
	}
	return strings.Join(all, " ")
}

func loadOverview(v *visit) (any, error) {
	regions := v.Deployment.Regions(v.ctx)
	o := overviewPage{}
	services, err := v.services(regions)
	if err != nil {
		o.ServicesNote = err.Error()
	}
	if o.Profiles, err = v.profiles(regions); err != nil {
		o.ProfilesNote = err.Error()
	}
	for _, r := range regions {
		view := regionView{Region: r}
		for _, s := range services {
			if s.Region == r.Name {
				view.Services = append(view.Services, s)
			}
		}
		for _, p := range o.Profiles {
			for _, rec := range p.Answer.Records {
				if rec.Region == r.Name {
					view.Serving = append(view.Serving, p.Properties.DNSConfig.Fqdn)
				}
			}
		}
		o.Regions = append(o.Regions, view)
	}
	containers, err := v.containers()
	if err != nil {
		o.BackupsNote = err.Error()
	}
	for _, c := range containers {
		if c.Problem != "" {
			o.BackupsNote = c.Problem
		}
		for i, b := range c.Backups {
			if b.Problem == "" && (o.Backup == nil || b.Manifest.Created.After(o.Backup.Manifest.Created)) {
				o.Backup = &c.Backups[i]
			}
		}
	}
	o.Advice = advise(o, v.Clock.Now())
	return o, nil
}

// backupOld is the age from which a backup is worth a word.
const backupOld = 24 * time.Hour

// advise says what to do next, the worst first.
func advise(o overviewPage, now time.Time) []advice {
	var bad, warn []advice
	for _, r := range o.Regions {
		if r.Err != nil {
			bad = append(bad, advice{"bad", fmt.Sprintf("The region %s does not answer. Its gateways may still serve; the traffic follows what the probes find.", r.Name), "/traffic", "Look at the traffic"})
		}
		for _, s := range r.Services {
			switch {
			case r.Err != nil: // said above
			case s.Gateway == nil || s.Gateway.Status.Generation == 0:
				bad = append(bad, advice{"bad", "The gateway of " + s.Name + " serves nothing.", s.Path(), "Open " + s.Name})
			case len(s.Gateway.Status.Problems) > 0:
				warn = append(warn, advice{"warn", fmt.Sprintf("The gateway of %s cannot honour everything in its configuration: %s.", s.Name, plural(len(s.Gateway.Status.Problems), "problem")), s.Path() + "#problems", "Read the problems"})
			}
		}
	}
	for _, p := range o.Profiles {
		name := p.Properties.DNSConfig.Fqdn
		if len(p.Answer.Records) == 0 && p.Properties.ProfileStatus != "Disabled" {
			bad = append(bad, advice{"bad", "Clients of " + name + " get no address.", p.Path(), "Look at the profile"})
		}
		for _, e := range p.Endpoints {
			switch {
			case e.Health.Override == "Down" || e.Health.Override == "Up":
				warn = append(warn, advice{"warn", fmt.Sprintf("The endpoint %s of %s goes by a person's word (%s), not by what is measured.", e.Name, name, strings.ToLower(e.State())), e.Path() + "/measure", "End the override"})
			case e.Properties.Drain == "Enabled":
				warn = append(warn, advice{"warn", fmt.Sprintf("The endpoint %s of %s is drained.", e.Name, name), e.Path() + "/end-drain", "End the drain"})
			case e.Health.KeptOut:
				warn = append(warn, advice{"warn", fmt.Sprintf("The endpoint %s has recovered and is kept out of %s. Restore it from a backup of the side that serves, then let it back.", e.Name, name), e.Path() + "/failback", "Let " + e.Name + " back"})
			case e.Health.Status == "Degraded":
				bad = append(bad, advice{"bad", fmt.Sprintf("The endpoint %s of %s does not answer its probes. Clients are not sent there while another endpoint is well.", e.Name, name), p.Path(), "See the probes"})
			}
		}
	}
	switch {
	case o.BackupsNote != "":
	case o.Backup == nil:
		warn = append(warn, advice{"warn", "There is no backup. Make one before you need it.", "/backups", "Back up"})
	case now.Sub(o.Backup.Manifest.Created) > backupOld:
		warn = append(warn, advice{"warn", "The newest backup is from " + ago(now.Sub(o.Backup.Manifest.Created)) + ".", "/backups", "Back up"})
	}
	return append(bad, warn...)
}

// Region is here so that templates can show where a backup is from.
func (b backupView) Region() tandem.Region { return b.Manifest.Region }

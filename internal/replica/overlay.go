package replica

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"

	"tandem"
	"tandem/internal/snapshot"
)

// Overlay is what differs in the target's region: rules kept with the recovery group and applied to a snapshot on its way
// into a target. docs/backup.md describes the file.
type Overlay struct {
	Rules []OverlayRule `yaml:"rules"`
}

// OverlayRule replaces text in properties of the resources it names. Exactly one of Set and Replace is given.
type OverlayRule struct {
	// Paths are globs on resource paths: "backends/*", "namedValues/vault-*".
	Paths []string `yaml:"paths"`
	// Property is a dotted name; empty: every text of the resource, policy text included.
	Property string `yaml:"property"`
	// Set is the value in the target's region.
	Set *string `yaml:"set"`
	// Replace is a regular expression (RE2), With its replacement with $1 and the like.
	Replace string `yaml:"replace"`
	With    string `yaml:"with"`

	pattern *regexp.Regexp
}

// ParseOverlay reads the YAML of an overlay. Errors name the line.
func ParseOverlay(file string, data []byte) (*Overlay, error) {
	fail := func(err error) (*Overlay, error) {
		return nil, &tandem.Error{Op: "read overlay", Subject: file, Kind: tandem.Invalid, Err: err, Remedy: "mend the file; docs/backup.md describes it"}
	}
	var o Overlay
	if err := yaml.UnmarshalWithOptions(data, &o, yaml.Strict()); err != nil {
		return fail(err)
	}
	for n := range o.Rules {
		r := &o.Rules[n]
		switch {
		case len(r.Paths) == 0:
			return fail(fmt.Errorf("rule %d has no paths", n+1))
		case (r.Set != nil) == (r.Replace != ""):
			return fail(fmt.Errorf("rule %d needs either set, or replace and with", n+1))
		case r.Set != nil && r.Property == "":
			return fail(fmt.Errorf("rule %d sets a value, and no property to set it in", n+1))
		}
		for _, glob := range r.Paths {
			if _, err := path.Match(glob, ""); err != nil {
				return fail(fmt.Errorf("rule %d: the path %q is no pattern", n+1, glob))
			}
		}
		if r.Replace != "" {
			var err error
			if r.pattern, err = regexp.Compile(r.Replace); err != nil {
				return fail(fmt.Errorf("rule %d: %w", n+1, err))
			}
		}
	}
	return &o, nil
}

// apply gives the resources as they are to be in the target's region. A rule that names no resource is an error: it was
// meant to change something (law 10).
func (o *Overlay) apply(all []snapshot.Resource) ([]snapshot.Resource, error) {
	if o == nil || len(o.Rules) == 0 {
		return all, nil
	}
	out := append([]snapshot.Resource(nil), all...)
	for n, rule := range o.Rules {
		used := false
		for i := range out {
			name := out[i].Path
			if name == "" {
				name = "service"
			}
			if !covers(rule.Paths, []string{name}) {
				continue
			}
			hit, err := rule.change(&out[i])
			if err != nil {
				return nil, err
			}
			used = used || hit
		}
		if !used {
			return nil, &tandem.Error{Op: "apply overlay", Subject: fmt.Sprintf("rule %d (%s)", n+1, strings.Join(rule.Paths, ", ")), Kind: tandem.Invalid,
				Err: fmt.Errorf("it names no resource of the snapshot that has the property %q", rule.Property), Remedy: "mend or remove the rule"}
		}
	}
	return out, nil
}

// change applies a rule to one resource, properties and secrets. It tells whether the resource has what the rule is about.
func (r OverlayRule) change(res *snapshot.Resource) (bool, error) {
	var props map[string]any
	if len(res.Properties) > 0 {
		d := json.NewDecoder(strings.NewReader(string(res.Properties)))
		d.UseNumber()
		if err := d.Decode(&props); err != nil {
			return false, notAResource(res.Path, err)
		}
	}
	hit := false
	text := func(s string) string {
		hit = true
		if r.Set != nil {
			return *r.Set
		}
		return r.pattern.ReplaceAllString(s, r.With)
	}
	secrets := map[string]string{}
	for name, v := range res.Secrets {
		secrets[name] = v
		if (r.Property == "" || r.Property == name) && !strings.HasPrefix(name, jsonSecret) {
			secrets[name] = text(v)
		}
	}
	if r.Property == "" {
		props, _ = eachText(props, text).(map[string]any)
	} else if !hit {
		within(props, r.Property, text)
	}
	if !hit {
		return false, nil
	}
	if len(res.Secrets) > 0 {
		res.Secrets = secrets
	}
	var err error
	if props != nil {
		res.Properties, err = json.Marshal(props)
	}
	return true, err
}

// within changes the text at a dotted name, where there is one.
func within(m map[string]any, name string, text func(string) string) {
	head, rest, more := strings.Cut(name, ".")
	switch v := m[head].(type) {
	case string:
		if !more {
			m[head] = text(v)
		}
	case map[string]any:
		if more {
			within(v, rest, text)
		}
	}
}

func eachText(v any, text func(string) string) any {
	switch v := v.(type) {
	case string:
		return text(v)
	case []any:
		for n := range v {
			v[n] = eachText(v[n], text)
		}
	case map[string]any:
		for name := range v {
			v[name] = eachText(v[name], text)
		}
	}
	return v
}

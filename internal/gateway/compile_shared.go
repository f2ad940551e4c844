package gateway

import (
	"encoding/json"
	"fmt"
	"strings"

	"tandem/internal/apim"
	"tandem/internal/gateway/remote"
	"tandem/internal/policy"
)

// shared is what every API of a generation may draw on.
type shared struct {
	part
	values       map[string]string // named values by display name
	secretValues []string          // of them, for keeping traces clean
	fragments    map[string]policy.Source
	backends     *backends
	certificates *certificates
	schemas      schemas
	loggers      *loggers
	external     policy.Cache              // nil: none
	server       *remote.Server            // which it is, where the gateway is connected to it
	sets         map[string]*apim.Document // version sets by their path, lower case
	products     *products
	options      policy.Options
	global       unitEntry
	globalWhy    string
	nowhere      *policy.Pipeline // for requests that match no API

	valuesPrint, fragmentsPrint, namesPrint, cachePrint string
}

// products are a service's, with what is wrong with them.
type products struct {
	part
	byName map[string]*product
	sorted []*product
}

// draws is the fingerprint of what a policy text draws on: an empty one is drawn on nothing but itself.
func (sh *shared) draws(text string) string {
	if strings.Contains(text, "include-fragment") {
		return sh.fragmentsPrint
	}
	print := ""
	if strings.Contains(text, "{{") {
		print = sh.valuesPrint
	}
	if strings.Contains(text, "backend-id") || strings.Contains(text, "certificate") || strings.Contains(text, "schema-id") || strings.Contains(text, "logger-id") {
		print += sh.namesPrint
	}
	if strings.Contains(text, "cach") {
		print += sh.cachePrint
	}
	return print
}

// mentions tells whether a policy text, or a fragment that it may include, has one of some words, in any case.
func (sh *shared) mentions(text string, words ...string) bool {
	has := func(s string) bool {
		s = strings.ToLower(s)
		for _, w := range words {
			if strings.Contains(s, w) {
				return true
			}
		}
		return false
	}
	if has(text) {
		return true
	}
	if strings.Contains(text, "include-fragment") {
		for _, f := range sh.fragments {
			if has(f.Text) {
				return true
			}
		}
	}
	return false
}

// compileShared compiles what APIs share. Without fresh, products stay those of the last compilation where their policies
// draw on nothing that changed.
func (c *compiler) compileShared(fresh bool) *shared {
	sh := &shared{values: map[string]string{}, fragments: map[string]policy.Source{}, sets: map[string]*apim.Document{}}
	c.namedValues(sh)
	var fragments []string
	for _, d := range c.source.list("policyfragments") {
		sh.fragments[strings.ToLower(d.Name())] = policy.Source{Name: d.Name(), Text: d.String("value")}
		fragments = append(fragments, d.Name(), d.String("value"))
	}
	c.compileCache(sh)
	sh.loggers = c.compileLoggers(sh)
	sh.certificates = c.compileCertificates(sh)
	sh.backends = c.compileBackends(sh)
	sh.schemas = c.schemaList()
	sh.namesPrint = digest(sh.certificates.print, sh.backends.print, sh.schemas.print, sh.loggers.print)
	sh.fragmentsPrint = digest(append(fragments, sh.valuesPrint, sh.namesPrint, sh.cachePrint)...)
	// Policies are compiled against names alone: a unit outlives the generation that it was compiled for.
	names := *c.host
	names.Backends, names.Certificates, names.Schemas, names.External, names.Loggers = sh.backends, sh.certificates, sh.schemas, sh.external, sh.loggers
	if names.Forwarder == nil {
		names.Forwarder = noForwarder{}
	}
	sh.options = policy.Options{Host: &names,
		NamedValue: func(name string) (string, bool) { v, ok := sh.values[name]; return v, ok },
		Fragment:   func(id string) (policy.Source, bool) { s, ok := sh.fragments[strings.ToLower(id)]; return s, ok }}
	for _, set := range c.source.list("apiversionsets") {
		sh.sets[strings.ToLower("/apiVersionSets/"+set.Name())] = set
	}
	if fresh || c.shared == nil || c.productsDraw(sh) {
		sh.products = c.compileProducts(sh)
	} else {
		sh.products = c.shared.products
	}
	sh.problems = append(sh.problems, sh.products.problems...)
	sh.global, sh.globalWhy = c.unit(&sh.part, sh, "policies/policy", policy.Global)
	sh.nowhere = policy.Link(sh.global.unit)
	return sh
}

// productsDraw tells whether a product's policy has to be compiled again.
func (c *compiler) productsDraw(sh *shared) bool {
	for key, d := range c.source.byType["products.policies"] {
		if e, ok := c.units[key]; !ok || e.drawsOn != sh.draws(d.String("value")) {
			return true
		}
	}
	return false
}

func (c *compiler) namedValues(sh *shared) {
	var texts []string
	for _, d := range c.source.list("namedvalues") {
		value := d.String("value")
		if d.Sealed["value"] != "" {
			if value = c.secret(&sh.part, d, "value"); len(value) >= leastSecret {
				sh.secretValues = append(sh.secretValues, value)
			}
		} else if d.Value("keyVault") != nil {
			sh.problem(d.Key, false, "the value lies in a Key Vault (%s), which is not reachable from here; policies that use {{%s}} get an empty text", d.String("keyVault.secretIdentifier"), d.String("displayName"))
		}
		sh.values[d.String("displayName")] = value
		texts = append(texts, d.String("displayName"), value)
	}
	sh.valuesPrint = digest(texts...)
}

// resolve puts named values in the place of {{name}}: backends may use them in their address and credentials.
func (sh *shared) resolve(text string) string {
	if !strings.Contains(text, "{{") {
		return text
	}
	var out strings.Builder
	for {
		before, rest, open := strings.Cut(text, "{{")
		name, after, closed := strings.Cut(rest, "}}")
		value, known := sh.values[strings.TrimSpace(name)]
		if !open || !closed || !known {
			out.WriteString(text)
			return out.String()
		}
		out.WriteString(before)
		out.WriteString(value)
		text = after
	}
}

func (c *compiler) compileProducts(sh *shared) *products {
	ps := &products{byName: map[string]*product{}}
	for _, d := range c.source.list("products") {
		state := "NotPublished"
		if d.String("state") == "published" {
			state = "Published"
		}
		p := &product{needs: d.Bool("subscriptionRequired", true), apis: map[string]bool{}, info: &policy.ProductInfo{ID: d.Name(), Name: d.String("displayName"), State: state,
			ApprovalRequired: d.Bool("approvalRequired", false), SubscriptionRequired: d.Bool("subscriptionRequired", true)}}
		if n, ok := d.Value("subscriptionsLimit").(json.Number); ok {
			if limit, err := n.Int64(); err == nil {
				v := int(limit)
				p.info.SubscriptionsLimit = &v
			}
		}
		p.unit, p.broken = c.unit(&ps.part, sh, apim.Key("products.policies", []string{d.Name(), "policy"}), policy.Product)
		ps.byName[strings.ToLower(d.Name())] = p
		ps.sorted = append(ps.sorted, p)
	}
	for _, d := range c.source.list("products.apis") {
		if p := ps.byName[strings.ToLower(d.IDs[0])]; p != nil {
			p.apis[strings.ToLower(d.IDs[1])] = true
		}
	}
	for _, d := range c.source.list("products.apilinks") {
		if p := ps.byName[strings.ToLower(d.IDs[0])]; p != nil {
			p.apis[strings.ToLower(strings.TrimPrefix(d.String("apiId"), "/apis/"))] = true
		}
	}
	for _, d := range c.source.list("products.groups") {
		if p := ps.byName[strings.ToLower(d.IDs[0])]; p != nil {
			p.info.Groups = append(p.info.Groups, policy.GroupInfo{ID: d.IDs[1], Name: d.IDs[1]})
		}
	}
	return ps
}

// schemas are the service's; it implements policy.Schemas.
type schemas struct {
	byID  map[string]schema
	print string
}

type schema struct{ kind, text string }

// Schema implements policy.Schemas.
func (s schemas) Schema(id string) (kind, text string, ok bool) {
	found, ok := s.byID[strings.ToLower(id)]
	return found.kind, found.text, ok
}

func (c *compiler) schemaList() schemas {
	s := schemas{byID: map[string]schema{}}
	var texts []string
	for _, d := range c.source.list("schemas") {
		text := d.String("value")
		if document := d.Value("document"); document != nil && text == "" {
			if raw, err := json.Marshal(document); err == nil {
				text = string(raw)
			}
		}
		s.byID[strings.ToLower(d.Name())] = schema{strings.ToLower(d.String("schemaType")), text}
		texts = append(texts, d.Name(), d.String("schemaType"), text)
	}
	s.print = digest(texts...)
	return s
}

// noForwarder stands for the generation's own forwarder while policies are compiled; no request meets it.
type noForwarder struct{}

// Forward implements policy.Forwarder.
func (noForwarder) Forward(*policy.State, policy.ForwardOptions) error {
	return fmt.Errorf("%w: the request has no generation", policy.ErrConnection)
}

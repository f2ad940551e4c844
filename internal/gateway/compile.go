package gateway

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/gateway/remote"
	"tandem/internal/gateway/sink"
	"tandem/internal/policy"
)

// compiler turns documents into generations. It keeps what it compiled last and compiles again only what a change touches:
// a policy document when it or what it draws on changed, an API when one of its documents or something shared changed.
// What it keeps is never written again: generations that still serve requests share it. It belongs to one goroutine.
type compiler struct {
	sealer apim.Sealer
	host   *policy.Host
	region string
	source *source
	// forward makes the forwarder of a generation; nil: host has its own.
	forward func(*generation) policy.Forwarder
	// connect gives the server of an external cache's connection string; nil: documents are compiled dry.
	connect func(string) (*remote.Server, error)
	// sinks gives the sink made of something, or makes it with its sender; nil: documents are compiled dry.
	sinks func(made string, s sink.Sender, buffered bool) *sink.Sink
	// stats gives an operation's counters; nil: none are kept.
	stats func(api, operation string) *operationStats

	units   map[string]unitEntry // by document key
	secrets map[string]secretEntry
	opened  map[*apim.Document]*tls.Certificate
	made    map[*apim.Document]madeBackend
	roots   *rootStore
	shared  *shared
	apis    map[string]*compiledAPI // by name with revision, lower case
	keyring *keyring
}

// unitEntry is a compiled policy document.
type unitEntry struct {
	text     string
	drawsOn  string // fingerprint of what it draws on; empty when that is nothing
	unit     *policy.Unit
	problems policy.Problems
	setsHost bool // it sets the Host header
	cors     bool // it has a cors policy
}

type secretEntry struct {
	sealed string
	value  string
}

// part is what one piece of a compilation found wrong.
type part struct{ problems []Problem }

func (p *part) problem(key string, fatal bool, format string, args ...any) {
	p.problems = append(p.problems, Problem{Document: key, Fatal: fatal, Message: fmt.Sprintf(format, args...)})
}

// compiledAPI is one revision of an API.
type compiledAPI struct {
	part
	api        *api
	operations part // what is wrong with their templates
}

func newCompiler(s apim.Sealer, h *policy.Host, roots *rootStore, docs map[string]*apim.Document) *compiler {
	return &compiler{sealer: s, host: h, roots: roots, source: newSource(docs), units: map[string]unitEntry{}, secrets: map[string]secretEntry{}}
}

// reset replaces all documents. What was compiled is kept where texts are the same.
func (c *compiler) reset(docs map[string]*apim.Document) { c.source = newSource(docs) }

// compile makes a generation after a change. It never fails as a whole: what cannot be honoured is a problem of the
// generation (law 10).
func (c *compiler) compile(d dirt, number tandem.Generation, revision tandem.Revision) *generation {
	if c.shared == nil {
		d = everything()
	}
	if d.shared {
		c.shared = c.compileShared(d.products)
	}
	c.compileAPIs(d)
	c.compileKeys(d)
	g := &generation{number: number, revision: revision, shared: c.shared, keys: c.keyring.keys, count: len(c.source.docs), sample: c.source.sample(), apis: make(map[string]*api, len(c.apis))}
	host := *c.host
	host.Backends, host.Certificates, host.Schemas, host.External, host.Loggers = c.shared.backends, c.shared.certificates, c.shared.schemas, c.shared.external, c.shared.loggers
	if c.forward != nil {
		host.Forwarder = c.forward(g)
	}
	g.host = &host
	g.problems = append(g.problems, c.shared.problems...)
	names := make([]string, 0, len(c.apis))
	for name := range c.apis {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		a := c.apis[name]
		g.problems = append(append(g.problems, a.problems...), a.operations.problems...)
		if a.api.info.Current {
			g.apis[strings.ToLower(a.api.info.ID)] = a.api
		}
		for _, prefix := range a.api.prefixes {
			if other := g.router.add(prefix, a.api); other != nil {
				g.problems = append(g.problems, Problem{Document: typeAPIs + "/" + name, Message: fmt.Sprintf("the API %s answers at /%s already; this one is not reached there, give it a path of its own", other.info.ID, prefix)})
			}
		}
	}
	g.problems = append(g.problems, c.keyring.all()...)
	g.problems = append(g.problems, c.unserved()...)
	c.forget()
	return g
}

// compileAPIs compiles the APIs that a change touches.
func (c *compiler) compileAPIs(d dirt) {
	docs := c.source.byType[typeAPIs]
	if d.shared {
		old := c.apis
		c.apis = make(map[string]*compiledAPI, len(docs))
		for key, doc := range docs {
			name := parentOf(key)
			if before := old[name]; before != nil && !d.all && !d.apis[name] {
				c.apis[name] = c.compileAPI(doc, before)
			} else {
				c.apis[name] = c.compileAPI(doc, nil)
			}
		}
		return
	}
	for name := range d.apis {
		if doc := docs[typeAPIs+"/"+name]; doc != nil {
			c.apis[name] = c.compileAPI(doc, nil)
		} else {
			delete(c.apis, name)
		}
	}
}

// forget drops what was kept of documents that are gone.
func (c *compiler) forget() {
	if len(c.units) > 2*len(c.source.byType["apis.operations.policies"])+2*len(c.source.byType["apis.policies"])+100 {
		for key := range c.units {
			if c.source.docs[key] == nil {
				delete(c.units, key)
			}
		}
	}
	if len(c.secrets) > 8*len(c.source.docs)+100 {
		for key := range c.secrets {
			document, _, _ := strings.Cut(key, "\x00")
			if c.source.docs[document] == nil {
				delete(c.secrets, key)
			}
		}
	}
}

// unserved tells what is kept and backed up but has no effect in this gateway (law 10).
func (c *compiler) unserved() (out []Problem) {
	for _, of := range []struct{ typ, why string }{
		{"workspaces.apis", "APIs of workspaces are kept and backed up, but no gateway serves them; move them to the service itself to serve them here"},
	} {
		if list := c.source.list(of.typ); len(list) > 0 {
			out = append(out, Problem{Document: list[0].Key, Message: fmt.Sprintf("%s (%d such documents)", of.why, len(list))})
		}
	}
	return out
}

// secret unseals a property, once per sealed text.
func (c *compiler) secret(p *part, d *apim.Document, property string) string {
	sealed, ok := d.Sealed[property]
	if !ok {
		return ""
	}
	at := d.Key + "\x00" + property
	if e := c.secrets[at]; e.sealed == sealed {
		return e.value
	}
	value, err := d.OpenSecretString(c.sealer, property)
	if err != nil {
		p.problem(d.Key, true, "%v", err)
		return ""
	}
	c.secrets[at] = secretEntry{sealed, value}
	return value
}

// unit compiles the policy document at key, or gives what was compiled before. why says what is wrong with it.
func (c *compiler) unit(p *part, sh *shared, key string, scope policy.Scope) (e unitEntry, why string) {
	d := c.source.docs[key]
	if d == nil {
		return unitEntry{}, ""
	}
	text := d.String("value")
	draws := sh.draws(text)
	e, ok := c.units[key]
	if !ok || e.text != text || e.drawsOn != draws {
		e = unitEntry{text: text, drawsOn: draws}
		e.unit, e.problems = policy.CompileUnit(policy.Source{Name: key, Scope: scope, Text: text}, sh.options)
		e.setsHost = sh.mentions(text, `name="host"`, `name='host'`)
		e.cors = e.unit != nil && slices.Contains(e.unit.Uses(), "cors")
		c.units[key] = e
	}
	for _, x := range e.problems {
		fatal := x.Severity == policy.Error
		p.problems = append(p.problems, Problem{Document: key, Line: x.Line, Column: x.Column, Message: x.Message, Fatal: fatal})
		if fatal && why == "" {
			why = fmt.Sprintf("%s, line %d, column %d: %s", key, x.Line, x.Column, x.Message)
		}
	}
	return e, why
}

// digest is a fingerprint of texts.
func digest(texts ...string) string {
	sum := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(sum, "%d:%s", len(t), t)
	}
	return string(sum.Sum(nil))
}

package gateway

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/policy"
)

// compiler turns documents into generations. It keeps what it compiled last, so that a change costs what it touches: policy
// documents are compiled again only when they or what they draw on (named values, fragments) changed.
type compiler struct {
	sealer  apim.Sealer
	host    *policy.Host
	units   map[string]unitEntry // by document key
	secrets map[string]secretEntry
}

type unitEntry struct {
	revision tandem.Revision
	text     string
	drawsOn  string // fingerprint of named values and fragments; empty when the document uses neither
	unit     *policy.Unit
	problems policy.Problems
}

type secretEntry struct {
	sealed string
	value  string
}

func newCompiler(s apim.Sealer, h *policy.Host) *compiler {
	return &compiler{sealer: s, host: h, units: map[string]unitEntry{}, secrets: map[string]secretEntry{}}
}

// build is one compilation under way.
type build struct {
	*compiler
	docs      map[string]*apim.Document
	byType    map[string][]*apim.Document
	out       *generation
	options   policy.Options
	draws     string
	values    map[string]string // named values by display name
	fragments map[string]policy.Source
	sets      map[string]*apim.Document
	prods     map[string]*product
}

// compile makes a generation. It never fails as a whole: what cannot be honoured is a problem of the generation.
func (c *compiler) compile(docs map[string]*apim.Document, number tandem.Generation, revision tandem.Revision) *generation {
	b := &build{compiler: c, docs: docs, byType: map[string][]*apim.Document{}, values: map[string]string{}, fragments: map[string]policy.Source{}, sets: map[string]*apim.Document{}, prods: map[string]*product{},
		out: &generation{number: number, revision: revision, apis: map[string]*api{}, keys: map[[sha256.Size]byte]*subscription{}, backends: map[string]*backend{}, count: len(docs)}}
	for _, d := range docs {
		b.byType[d.Type] = append(b.byType[d.Type], d)
	}
	for _, list := range b.byType {
		sort.Slice(list, func(i, j int) bool { return list[i].Key < list[j].Key })
	}
	host := *c.host
	host.Backends = backends{b.out}
	b.out.host = &host
	b.namedValues()
	b.policyFragments()
	b.options = policy.Options{Host: b.out.host,
		NamedValue: func(name string) (string, bool) { v, ok := b.values[name]; return v, ok },
		Fragment:   func(id string) (policy.Source, bool) { s, ok := b.fragments[strings.ToLower(id)]; return s, ok }}
	b.backendList()
	b.productList()
	global, why := b.unit("policies/policy", policy.Global)
	b.out.global = policy.Link(global)
	for _, set := range b.byType["apiversionsets"] {
		b.sets[strings.ToLower("/apiVersionSets/"+set.Name())] = set
	}
	operations := children(b.byType["apis.operations"])
	for _, d := range b.byType["apis"] {
		b.api(d, operations[d.Key[len("apis/"):]], global, why)
	}
	b.subscriptions()
	b.forget()
	return b.out
}

// children groups documents by the ids of their parent.
func children(docs []*apim.Document) map[string][]*apim.Document {
	out := map[string][]*apim.Document{}
	for _, d := range docs {
		_, ids, _ := strings.Cut(d.Key, "/")
		parent := ids[:strings.LastIndexByte(ids, '/')]
		out[parent] = append(out[parent], d)
	}
	return out
}

// forget drops cached units of documents that are gone.
func (b *build) forget() {
	for key := range b.units {
		if b.docs[key] == nil {
			delete(b.units, key)
		}
	}
	for key := range b.secrets {
		document, _, _ := strings.Cut(key, "\x00")
		if b.docs[document] == nil {
			delete(b.secrets, key)
		}
	}
}

func (b *build) problem(key string, fatal bool, format string, args ...any) {
	b.out.problems = append(b.out.problems, Problem{Document: key, Fatal: fatal, Message: fmt.Sprintf(format, args...)})
}

// secret unseals a property, once per sealed text.
func (b *build) secret(d *apim.Document, property string) string {
	sealed, ok := d.Sealed[property]
	if !ok {
		return ""
	}
	at := d.Key + "\x00" + property
	if e := b.secrets[at]; e.sealed == sealed {
		return e.value
	}
	value, err := d.OpenSecretString(b.sealer, property)
	if err != nil {
		b.problem(d.Key, true, "%v", err)
		return ""
	}
	b.secrets[at] = secretEntry{sealed, value}
	return value
}

func (b *build) namedValues() {
	sum := sha256.New()
	for _, d := range b.byType["namedvalues"] {
		value := d.String("value")
		if d.Sealed["value"] != "" {
			value = b.secret(d, "value")
		} else if d.Value("keyVault") != nil {
			b.problem(d.Key, false, "the value lies in a Key Vault (%s), which is not reachable from here; policies that use {{%s}} get an empty text", d.String("keyVault.secretIdentifier"), d.String("displayName"))
		}
		b.values[d.String("displayName")] = value
		fmt.Fprintf(sum, "%q=%q\n", d.String("displayName"), value)
	}
	b.draws = string(sum.Sum(nil))
}

func (b *build) policyFragments() {
	sum := sha256.New()
	sum.Write([]byte(b.draws))
	for _, d := range b.byType["policyfragments"] {
		b.fragments[strings.ToLower(d.Name())] = policy.Source{Name: d.Name(), Text: d.String("value")}
		fmt.Fprintf(sum, "%q=%q\n", d.Name(), d.String("value"))
	}
	b.draws = string(sum.Sum(nil))
}

// unit compiles the policy document at key, or gives what was compiled before. why says what is wrong with it.
func (b *build) unit(key string, scope policy.Scope) (u *policy.Unit, why string) {
	d := b.docs[key]
	if d == nil {
		return nil, ""
	}
	text := d.String("value")
	draws := ""
	if strings.Contains(text, "{{") || strings.Contains(text, "include-fragment") {
		draws = b.draws
	}
	e, ok := b.units[key]
	if !ok || e.text != text || e.drawsOn != draws {
		e = unitEntry{revision: d.Revision, text: text, drawsOn: draws}
		e.unit, e.problems = policy.CompileUnit(policy.Source{Name: key, Scope: scope, Text: text}, b.options)
		b.units[key] = e
	}
	for _, p := range e.problems {
		fatal := p.Severity == policy.Error
		b.out.problems = append(b.out.problems, Problem{Document: key, Line: p.Line, Column: p.Column, Message: p.Message, Fatal: fatal})
		if fatal && why == "" {
			why = fmt.Sprintf("%s, line %d, column %d: %s", key, p.Line, p.Column, p.Message)
		}
	}
	return e.unit, why
}

func (b *build) backendList() {
	for _, d := range b.byType["backends"] {
		k := &backend{doc: d, info: policy.BackendInfo{ID: d.Name(), URL: d.String("url"), Pool: d.String("type") == "Pool"}}
		if !k.info.Pool {
			base, err := parseBase(d.String("url"))
			if err != nil {
				b.problem(d.Key, false, "url: %v", err)
			}
			k.base = base
		}
		b.out.backends[strings.ToLower(d.Name())] = k
	}
}

func (b *build) productList() {
	for _, d := range b.byType["products"] {
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
		var why string
		if p.unit, why = b.unit(apim.Key("products.policies", []string{d.Name(), "policy"}), policy.Product); why != "" {
			p.unit = nil
		}
		b.prods[strings.ToLower(d.Name())] = p
	}
	for _, d := range b.byType["products.apis"] {
		if p := b.prods[strings.ToLower(d.IDs[0])]; p != nil {
			p.apis[strings.ToLower(d.IDs[1])] = true
		}
	}
	for _, d := range b.byType["products.apilinks"] {
		if p := b.prods[strings.ToLower(d.IDs[0])]; p != nil {
			p.apis[strings.ToLower(strings.TrimPrefix(d.String("apiId"), "/apis/"))] = true
		}
	}
	for _, d := range b.byType["products.groups"] {
		if p := b.prods[strings.ToLower(d.IDs[0])]; p != nil {
			p.info.Groups = append(p.info.Groups, policy.GroupInfo{ID: d.IDs[1], Name: d.IDs[1]})
		}
	}
}

func (b *build) subscriptions() {
	users := map[string]*policy.UserInfo{}
	for _, d := range b.byType["users"] {
		users[strings.ToLower(d.Name())] = &policy.UserInfo{ID: d.Name(), FirstName: d.String("firstName"), LastName: d.String("lastName"), Email: d.String("email"), Note: d.String("note"),
			Registered: when(d.String("registrationDate")), Identities: []policy.IdentityInfo{{ID: d.String("email"), Provider: "Basic"}}}
	}
	for _, d := range b.byType["groups.users"] {
		if u := users[strings.ToLower(d.IDs[1])]; u != nil {
			u.Groups = append(u.Groups, policy.GroupInfo{ID: d.IDs[0], Name: d.IDs[0]})
		}
	}
	for _, d := range b.byType["subscriptions"] {
		b.subscription(d, users)
	}
}

func (b *build) subscription(d *apim.Document, users map[string]*policy.UserInfo) {
	s := subscription{active: d.String("state") == "active", start: when(d.String("startDate")), end: when(d.String("expirationDate"))}
	scope := strings.ToLower(d.String("scope"))
	collection, name, _ := strings.Cut(strings.Trim(scope, "/"), "/")
	switch {
	case collection == "" || collection == "apis" && name == "":
		s.all = true
	case collection == "apis":
		s.api, _ = apim.SplitRevision(name)
	case collection == "products":
		if s.product = b.prods[name]; s.product == nil {
			b.problem(d.Key, false, "the product %s does not exist; its keys open nothing", name)
		}
	default:
		b.problem(d.Key, false, "the scope %s is not one that this gateway knows; its keys open nothing", scope)
	}
	s.user = users[strings.ToLower(strings.TrimPrefix(d.String("ownerId"), "/users/"))]
	info := policy.SubscriptionInfo{ID: d.Name(), Name: d.String("displayName"), PrimaryKey: b.secret(d, "primaryKey"), SecondaryKey: b.secret(d, "secondaryKey"),
		Created: when(d.String("createdDate")), Start: s.start, End: s.end}
	for _, key := range []string{info.PrimaryKey, info.SecondaryKey} {
		if key == "" {
			continue
		}
		one, as := s, info
		as.Key = key
		one.info, one.key = &as, key
		sum := sha256.Sum256([]byte(key))
		if other := b.out.keys[sum]; other != nil && other.info.ID != info.ID {
			b.problem(d.Key, false, "one of its keys is also a key of the subscription %s, which keeps it; regenerate one of them", other.info.ID)
			continue
		}
		b.out.keys[sum] = &one
	}
}

// when reads a time of the management API; zero where there is none.
func when(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

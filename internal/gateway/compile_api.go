package gateway

import (
	"maps"
	"slices"
	"strings"

	"tandem/internal/apim"
	"tandem/internal/policy"
)

// compileAPI compiles one revision of an API: the current one answers at its path and at path;rev=N, others at path;rev=N
// alone. before, where not nil, is what the same documents gave when something shared was different.
func (c *compiler) compileAPI(d *apim.Document, before *compiledAPI) *compiledAPI {
	out := &compiledAPI{}
	sh := c.shared
	name, rev := apim.SplitRevision(d.Name())
	root := c.source.docs[apim.Key(apim.RootType, []string{name})]
	current := root != nil && root.String("current") == rev
	a := &api{kind: strings.ToLower(d.String("type")), name: strings.ToLower(name), subscription: d.Bool("subscriptionRequired", true), version: d.String("apiVersion"),
		keyHeader: d.String("subscriptionKeyParameterNames.header"), keyQuery: d.String("subscriptionKeyParameterNames.query"),
		info: &policy.APIInfo{ID: name, Name: d.String("displayName"), Path: d.String("path"), Revision: rev, Version: d.String("apiVersion"), Current: current}}
	out.api = a
	if a.keyHeader == "" {
		a.keyHeader = "Ocp-Apim-Subscription-Key"
	}
	if a.keyQuery == "" {
		a.keyQuery = "subscription-key"
	}
	a.info.KeyHeader, a.info.KeyQuery = a.keyHeader, a.keyQuery
	a.challenge = `",name="` + a.keyHeader + `",type="header"`
	if protocols, ok := d.Value("protocols").([]any); ok {
		for _, p := range protocols {
			if text, ok := p.(string); ok {
				a.info.Protocols = append(a.info.Protocols, text)
			}
		}
	}
	if address := d.String("serviceUrl"); address != "" {
		base, err := parseBase(sh.resolve(address))
		if err != nil {
			out.problem(d.Key, false, "serviceUrl: %v", err)
		}
		a.service, a.info.ServiceURL = base, base
	} else if a.kind == "graphql" {
		a.graphql = c.compileGraphQL(out, d)
	}
	a.endpoint = &endpoint{to: upstream{scheme: a.service.Scheme, host: a.service.Host, http2: a.kind == kindGRPC}}
	a.prefixes = c.prefixes(a, d, current)
	a.diagnostics = c.diagnosticsOf(out, d)
	for _, p := range sh.products.sorted {
		if p.apis[a.name] {
			a.products = append(a.products, p)
			if !p.needs && a.open == nil {
				a.open = p
			}
		}
	}
	if before != nil {
		a.operations, a.byDocument, out.operations = before.api.operations, before.api.byDocument, before.operations
	} else {
		c.compileOperations(out, d)
	}
	c.linkOperations(out, d)
	return out
}

// compileOperations compiles the operations of an API without their policies.
func (c *compiler) compileOperations(out *compiledAPI, d *apim.Document) {
	a := out.api
	a.operations, a.byDocument = &tree{}, map[string]*operation{}
	docs := sorted(c.source.operations[parentOf(d.Key)])
	for _, od := range docs {
		op := c.operation(a, c.source.open(od))
		if c.source.policies[parentOf(d.Key)][policyKey(d, od)] != nil {
			op.links = 1 + len(a.byDocument)
			a.byDocument[policyKey(d, od)] = op
		}
		if problem := a.operations.insert(op); problem != "" {
			out.operations.problem(od.Key, false, "%s", problem)
		}
	}
	if len(docs) == 0 {
		for _, op := range c.catchAll(a) {
			a.operations.insert(op)
		}
	}
}

func policyKey(d, od *apim.Document) string {
	return apim.Key(typePolicies, []string{d.Name(), od.Name(), "policy"})
}

// linkOperations computes the effective policies of an API's operations. Those without a policy of their own share the
// API's.
func (c *compiler) linkOperations(out *compiledAPI, d *apim.Document) {
	a, sh := out.api, c.shared
	unit, why := c.unit(&out.part, sh, apim.Key("apis.policies", []string{d.Name(), "policy"}), policy.API)
	if why == "" {
		why = sh.globalWhy
	}
	above := scopes{global: sh.global, api: unit, products: a.products}
	common := above.link(unitEntry{})
	common.broken = why
	a.preflight = common.plain
	a.links = make([]*linked, 1+len(a.byDocument))
	a.links[0] = common
	for _, key := range slices.Sorted(maps.Keys(a.byDocument)) {
		own, ownWhy := c.unit(&out.part, sh, key, policy.Operation)
		if ownWhy == "" {
			ownWhy = why
		}
		l := &linked{broken: ownWhy}
		if ownWhy == "" {
			l = above.link(own)
		}
		a.links[a.byDocument[key].links] = l
	}
}

// scopes are the policies around an operation.
type scopes struct {
	global, api unitEntry
	products    []*product
}

// linked is the effective policies of operations that have the same policies.
type linked struct {
	plain    *policy.Pipeline              // without a product
	products map[*product]*policy.Pipeline // in a product's context; absent where the product's policy cannot run
	setsHost bool
	cors     bool
	broken   string // why they cannot run; empty: they can
}

func (s scopes) link(own unitEntry) *linked {
	l := &linked{plain: policy.Link(s.global.unit, s.api.unit, own.unit), setsHost: s.global.setsHost || s.api.setsHost || own.setsHost, cors: s.global.cors || s.api.cors || own.cors}
	if len(s.products) == 0 {
		return l
	}
	l.products = make(map[*product]*policy.Pipeline, len(s.products))
	for _, p := range s.products {
		l.setsHost = l.setsHost || p.unit.setsHost
		switch {
		case p.broken != "":
		case p.unit.unit == nil:
			l.products[p] = l.plain
		default:
			l.products[p] = policy.Link(s.global.unit, p.unit.unit, s.api.unit, own.unit)
		}
	}
	return l
}

// operation compiles one operation without its policies.
func (c *compiler) operation(a *api, od *apim.Document) *operation {
	op := &operation{method: strings.ToUpper(od.String("method")), template: od.String("urlTemplate"),
		info: &policy.OperationInfo{ID: od.Name(), Method: strings.ToUpper(od.String("method")), Name: od.String("displayName"), URLTemplate: od.String("urlTemplate")}}
	if a.kind == kindWebSocket && strings.EqualFold(op.info.ID, "onHandshake") {
		op.method, op.template = "GET", "/*" // every path of the API is a handshake
	}
	if _, query, ok := strings.Cut(op.template, "?"); ok {
		for part := range strings.SplitSeq(query, "&") {
			name, value, given := strings.Cut(part, "=")
			q := queryParam{name: name, param: strings.Trim(value, "{}")}
			if given && !strings.HasPrefix(value, "{") {
				q.literal, q.param = true, ""
				q.value = unescapeQuery(value)
			}
			op.query = append(op.query, q)
		}
	}
	if c.stats != nil {
		op.stats = c.stats(a.info.ID, op.info.ID)
	}
	return op
}

// prefixes are the paths at which an API answers, in lower case.
func (c *compiler) prefixes(a *api, d *apim.Document, current bool) []string {
	path := strings.ToLower(strings.Trim(d.String("path"), "/"))
	rev := ";rev=" + strings.ToLower(a.info.Revision)
	set := c.shared.sets[strings.ToLower(d.String("apiVersionSetId"))]
	segment := ""
	if set != nil && a.version != "" {
		switch set.String("versioningScheme") {
		case "Segment":
			segment = "/" + strings.ToLower(a.version)
		case "Query":
			a.scheme, a.versionName = "query", set.String("versionQueryName")
		case "Header":
			a.scheme, a.versionName = "header", set.String("versionHeaderName")
		}
	}
	out := []string{strings.TrimPrefix(path+segment, "/") + rev}
	if segment != "" { // clients write the revision behind the path as well as behind the version
		out = append(out, path+rev+segment)
	}
	if current {
		out = append(out, strings.TrimPrefix(path+segment, "/"))
	}
	return out
}

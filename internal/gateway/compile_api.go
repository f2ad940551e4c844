package gateway

import (
	"strings"

	"tandem/internal/apim"
	"tandem/internal/policy"
)

// api compiles one revision of an API and puts it where it answers: the current revision at its path, others at
// path;rev=N.
func (b *build) api(d *apim.Document, operations []*apim.Document, global *policy.Unit, globalWhy string) {
	name, rev := apim.SplitRevision(d.Name())
	root := b.docs[apim.Key(apim.RootType, []string{name})]
	current := root != nil && root.String("current") == rev
	a := &api{kind: d.String("type"), subscription: d.Bool("subscriptionRequired", true), version: d.String("apiVersion"),
		keyHeader: d.String("subscriptionKeyParameterNames.header"), keyQuery: d.String("subscriptionKeyParameterNames.query"),
		info: &policy.APIInfo{ID: name, Name: d.String("displayName"), Path: d.String("path"), Revision: rev, Version: d.String("apiVersion"), Current: current}}
	if a.keyHeader == "" {
		a.keyHeader = "Ocp-Apim-Subscription-Key"
	}
	if a.keyQuery == "" {
		a.keyQuery = "subscription-key"
	}
	a.info.KeyHeader, a.info.KeyQuery = a.keyHeader, a.keyQuery
	if protocols, ok := d.Value("protocols").([]any); ok {
		for _, p := range protocols {
			if text, ok := p.(string); ok {
				a.info.Protocols = append(a.info.Protocols, text)
			}
		}
	}
	if address := d.String("serviceUrl"); address != "" {
		base, err := parseBase(address)
		if err != nil {
			b.problem(d.Key, false, "serviceUrl: %v", err)
		}
		a.service, a.info.ServiceURL = base, base
	}
	a.prefix = b.prefix(a, d, current)
	for _, p := range b.sortedProducts() {
		if p.apis[strings.ToLower(name)] {
			a.products = append(a.products, p)
			if !p.needs && a.open == nil {
				a.open = p
			}
		}
	}
	unit, why := b.unit(apim.Key("apis.policies", []string{d.Name(), "policy"}), policy.API)
	a.preflight = policy.Link(global, unit)
	if why == "" {
		why = globalWhy
	}
	for _, od := range operations {
		a.operations.insert(b.operation(a, d, od, global, unit, why))
	}
	if current {
		b.out.apis[strings.ToLower(name)] = a
	}
	b.out.router.add(a)
}

func (b *build) sortedProducts() []*product {
	out := make([]*product, 0, len(b.prods))
	for _, d := range b.byType["products"] {
		out = append(out, b.prods[strings.ToLower(d.Name())])
	}
	return out
}

// prefix is the path at which an API answers, in lower case.
func (b *build) prefix(a *api, d *apim.Document, current bool) string {
	prefix := strings.ToLower(strings.Trim(d.String("path"), "/"))
	if !current {
		prefix += ";rev=" + a.info.Revision
	}
	set := b.sets[strings.ToLower(d.String("apiVersionSetId"))]
	if set == nil || a.version == "" {
		return prefix
	}
	switch set.String("versioningScheme") {
	case "Segment":
		prefix = strings.TrimPrefix(prefix+"/"+strings.ToLower(a.version), "/")
	case "Query":
		a.scheme, a.versionName = "query", set.String("versionQueryName")
	case "Header":
		a.scheme, a.versionName = "header", set.String("versionHeaderName")
	}
	return prefix
}

func (b *build) operation(a *api, d, od *apim.Document, global, unit *policy.Unit, why string) *operation {
	op := &operation{method: strings.ToUpper(od.String("method")), template: od.String("urlTemplate"),
		info: &policy.OperationInfo{ID: od.Name(), Method: strings.ToUpper(od.String("method")), Name: od.String("displayName"), URLTemplate: od.String("urlTemplate")}}
	if _, query, ok := strings.Cut(op.template, "?"); ok {
		for part := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(part, "=")
			op.query = append(op.query, queryParam{name: name, param: strings.Trim(value, "{}")})
		}
	}
	own, ownWhy := b.unit(apim.Key("apis.operations.policies", []string{d.Name(), od.Name(), "policy"}), policy.Operation)
	if ownWhy != "" {
		why = ownWhy
	}
	op.broken = why
	if why != "" {
		return op
	}
	op.plain = policy.Link(global, unit, own)
	op.products = make(map[*product]*policy.Pipeline, len(a.products))
	for _, p := range a.products {
		op.products[p] = policy.Link(global, p.unit, unit, own)
	}
	return op
}

package policy

import (
	"slices"
	"strings"

	"tandem/internal/policy/markup"
)

// checkNode holds an element against its row: attributes, children, text.
func (c *compiler) checkNode(n *markup.Node, owner string, attrs []Attribute, children []Child, body Body, nested []string) {
	c.checkAttributes(n, owner, attrs)
	counts := map[string]int{}
	for _, e := range n.Elements() {
		if body == Policies || body == Listed && slices.Contains(nested, e.Name) {
			if i := slices.IndexFunc(children, func(k Child) bool { return k.Name == e.Name }); i < 0 {
				continue // a policy: checked when it is compiled
			}
		}
		i := slices.IndexFunc(children, func(k Child) bool { return k.Name == e.Name })
		if i < 0 {
			if body == Content { // markup inside text was read as raw
				continue
			}
			c.report(Error, e.Pos, KindElement, owner+"/"+e.Name, "<%s> does not take <%s>", n.Name, e.Name)
			continue
		}
		k := children[i]
		if counts[k.Name]++; counts[k.Name] == 2 && !k.Many {
			c.report(Error, e.Pos, KindElement, owner+"/"+e.Name, "<%s> takes <%s> once", n.Name, e.Name)
		}
		kind := Empty
		switch {
		case k.AnyNest:
			kind = Policies
		case len(k.Policies) > 0:
			kind = Listed
		case k.Text:
			kind = Content
		}
		c.checkNode(e, owner+"/"+k.Name, k.Attrs, k.Children, kind, k.Policies)
	}
	for _, k := range children {
		if k.Required && counts[k.Name] == 0 {
			c.report(Error, n.Pos, KindElement, owner+"/"+k.Name, "<%s> needs <%s>", n.Name, k.Name)
		}
	}
	if body == Empty && len(children) == 0 {
		for _, k := range n.Children {
			if k.Kind == markup.Text && strings.TrimSpace(k.Value.Text) != "" {
				c.report(Warning, k.Pos, KindElement, owner, "<%s> takes no text; it is ignored", n.Name)
			}
		}
	}
}

func (c *compiler) checkAttributes(n *markup.Node, owner string, attrs []Attribute) {
	groups := map[string]bool{}
	for i, a := range n.Attrs {
		name := owner + "/" + a.Name
		if slices.ContainsFunc(n.Attrs[:i], func(b markup.Attr) bool { return b.Name == a.Name }) {
			c.report(Error, a.Pos, KindAttribute, name, "the attribute %s is given twice", a.Name)
			continue
		}
		k := slices.IndexFunc(attrs, func(r Attribute) bool { return r.Name == a.Name })
		if k < 0 {
			if a.Name != "id" && !strings.HasPrefix(a.Name, "xmlns") {
				c.report(Error, a.Pos, KindAttribute, name, "%s has no attribute %s", n.Name, a.Name)
			}
			continue
		}
		row := attrs[k]
		if row.OneOf != "" {
			groups[row.OneOf] = true
		}
		v := c.value(a.Value)
		switch {
		case v.Expr && row.Literal:
			c.report(Warning, a.Pos, KindAttribute, name, "%s of %s is documented to take no expression", a.Name, n.Name)
		case !v.Expr && len(row.Values) > 0 && !c.presumed(v) && !slices.ContainsFunc(row.Values, func(s string) bool { return strings.EqualFold(s, strings.TrimSpace(v.Text)) }):
			c.report(Error, v.Pos, KindAttribute, name, "%s of %s must be one of %s", a.Name, n.Name, strings.Join(row.Values, ", "))
		}
	}
	for _, row := range attrs {
		if row.Required {
			if _, ok := n.Attr(row.Name); !ok {
				c.report(Error, n.Pos, KindAttribute, owner+"/"+row.Name, "%s needs the attribute %s", n.Name, row.Name)
			}
		}
		if row.OneOf != "" && !groups[row.OneOf] {
			groups[row.OneOf] = true
			var names []string
			for _, r := range attrs {
				if r.OneOf == row.OneOf {
					names = append(names, r.Name)
				}
			}
			c.report(Error, n.Pos, KindAttribute, owner, "%s needs one of %s", n.Name, strings.Join(names, ", "))
		}
	}
}

// presumed tells whether a value stands in for one that is not known: a named value, or, in a file by itself, a
// placeholder that a deployment fills in ("#{host}#", "${host}", "{host}", "__host__", "$(host)").
func (c *compiler) presumed(v markup.Value) bool {
	if !c.opts.Presume || v.Expr {
		return false
	}
	return v.Substituted || strings.ContainsAny(v.Text, "{#") || strings.Contains(v.Text, "$(") || strings.Contains(v.Text, "__")
}

// hasPart tells whether the host has a part that policies may need.
func (c *compiler) hasPart(part string) bool {
	h := c.host
	switch part {
	case partClient:
		return h.Client != nil
	case partForwarder:
		return h.Forwarder != nil
	case partCounters:
		return h.Counters != nil
	case partGates:
		return h.Gates != nil
	case partTokens:
		return h.Tokens != nil
	case partAuthorizations:
		return h.Authorization != nil
	case partLoggers:
		return h.Loggers != nil
	case partMetrics:
		return h.Metrics != nil
	case partDapr:
		return h.Dapr != "" && h.Client != nil
	case partBus:
		return h.Bus != nil
	case partSubscribers:
		return h.Subscribers != nil
	case partVectors:
		return h.Vectors != nil && h.Client != nil && h.Backends != nil
	}
	return false
}

// The parts of a Host, as messages name them.
const (
	partClient         = "a client for outgoing requests"
	partForwarder      = "a forwarder to backends"
	partCounters       = "counters"
	partGates          = "concurrency gates"
	partTokens         = "a token source for managed identities"
	partAuthorizations = "a credential manager"
	partLoggers        = "loggers"
	partMetrics        = "a metrics sink"
	partDapr           = "a Dapr sidecar"
	partBus            = "a Service Bus connection"
	partSubscribers    = "GraphQL subscriptions"
)

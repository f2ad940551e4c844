package policy

import (
	"net/netip"
	"strings"

	"tandem/internal/exchange"
	"tandem/internal/policy/markup"
)

var policyCheckHeader = &Policy{
	Name: "check-header", Category: "Access restriction", Does: "refuses a request without a header, or with a wrong value",
	Sections: inboundOnly, Scopes: noWorkspace,
	Attrs:    []Attribute{need("name"), need("failed-check-httpcode"), attr("failed-check-error-message"), attr("ignore-case", trueFalse...)},
	Children: []Child{{Name: "value", Many: true, Text: true}},
	compile: func(c *compiler, n *markup.Node) runFunc {
		name, code, message := c.text(n, "name", ""), c.integer(n, "failed-check-httpcode", 401, 100), c.text(n, "failed-check-error-message", "")
		fold, values := c.boolean(n, "ignore-case", true), c.texts(n, "value")
		return func(s *State) error {
			key, err := name.get(s)
			if err != nil {
				return err
			}
			refuse := func(reason, why string) error {
				status, err := code.get(s)
				if err != nil {
					return err
				}
				text, err := message.get(s)
				if err != nil {
					return err
				}
				e := failure(int(status), reason, why)
				e.Text = text
				return e
			}
			if !s.Request.Header.Has(key) {
				return refuse(ReasonHeaderMissing, "Header "+key+" was not found in the request. Access denied.")
			}
			allowed, err := all(s, values)
			if err != nil || len(allowed) == 0 {
				return err
			}
			ci, err := fold.get(s)
			if err != nil {
				return err
			}
			got := strings.Join(s.Request.Header.Values(key), ",")
			for _, v := range allowed {
				if v == got || ci && strings.EqualFold(v, got) {
					return nil
				}
			}
			return refuse(ReasonHeaderValue, "Header "+key+" value of "+got+" is not allowed. Access denied.")
		}
	},
}

var policyIPFilter = &Policy{
	Name: "ip-filter", Category: "Access restriction", Does: "allows or forbids callers by their address",
	Sections: inboundOnly,
	Attrs:    []Attribute{need("action", "allow", "forbid")},
	Children: []Child{{Name: "address", Many: true, Text: true}, {Name: "address-range", Many: true, Attrs: []Attribute{need("from"), need("to")}}},
	compile:  compileIPFilter,
}

func compileIPFilter(c *compiler, n *markup.Node) runFunc {
	type span struct{ from, to *text }
	var spans []span
	for _, e := range n.Elements() {
		if e.Name == "address" {
			t := c.content(e)
			spans = append(spans, span{t, t})
		} else {
			spans = append(spans, span{c.text(e, "from", ""), c.text(e, "to", "")})
		}
	}
	for _, sp := range spans {
		for _, t := range []*text{sp.from, sp.to} {
			if _, _, ok := addressRange(t.lit); t.constant() && !ok && !c.presumed(t.node) && !strings.Contains(t.lit, "{{") {
				c.report(Error, t.node.Pos, KindAttribute, n.Name, "an address of ip-filter is not an IP address")
			}
		}
	}
	action := c.text(n, "action", "allow")
	return func(s *State) error {
		ip := s.callerIP()
		if !ip.IsValid() {
			return failure(403, ReasonIPUnknown, "Failed to establish IP address for the caller. Access denied.")
		}
		act, err := action.get(s)
		if err != nil {
			return err
		}
		inside := false
		for _, sp := range spans {
			ends, err := all(s, []*text{sp.from, sp.to})
			if err != nil {
				return err
			}
			from, _, ok1 := addressRange(ends[0])
			_, to, ok2 := addressRange(ends[1])
			if ok1 && ok2 && from.Is4() == ip.Is4() && from.Compare(ip) <= 0 && ip.Compare(to) <= 0 {
				inside = true
				break
			}
		}
		if act == "forbid" && inside {
			return failure(403, ReasonIPBlocked, "Caller IP address is blocked. Access denied.")
		}
		if act != "forbid" && !inside {
			return failure(403, ReasonIPNotAllowed, "Caller IP address "+ip.String()+" is not allowed. Access denied.")
		}
		return nil
	}
}

// addressRange reads an address, or a prefix in CIDR form, as its first and last address.
func addressRange(s string) (first, last netip.Addr, ok bool) {
	s = strings.TrimSpace(s)
	if p, err := netip.ParsePrefix(s); err == nil {
		b := p.Masked().Addr().AsSlice()
		for i := p.Bits(); i < 8*len(b); i++ {
			b[i/8] |= 1 << (7 - i%8)
		}
		end, _ := netip.AddrFromSlice(b)
		return p.Masked().Addr(), end, true
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), a.Unmap(), err == nil
}

func (s *State) callerIP() netip.Addr { return s.Remote.Addr().Unmap() }

func exchangeBytes(s string) exchange.Body { return exchange.Bytes([]byte(s)) }

package policy

import (
	"strings"

	"tandem/internal/policy/markup"
)

var policyTrace = &Policy{
	Name: "trace", Category: "Logging", Does: "adds a line to the request's trace",
	Sections: []Section{Inbound, Outbound, Backend}, Body: Content,
	Attrs:    []Attribute{need("source").lit(), attr("severity", "verbose", "information", "error").lit().def("verbose")},
	Children: []Child{{Name: "message", Text: true}, {Name: "metadata", Many: true, Attrs: []Attribute{need("name"), need("value")}}},
	compile: func(c *compiler, n *markup.Node) runFunc {
		source, severity := c.text(n, "source", ""), c.attrText(n, "severity")
		message := c.content(n)
		if e := element(n, "message"); e != nil {
			message = c.content(e)
		}
		names, values := c.pairs(n, "metadata")
		return func(s *State) error {
			if s.Tracer == nil && !s.Tracing && s.Note == nil {
				return nil
			}
			from, err := source.get(s)
			if err != nil {
				return err
			}
			m, err := message.get(s)
			if err != nil {
				return err
			}
			ks, err := all(s, names)
			if err != nil {
				return err
			}
			vs, err := all(s, values)
			if err != nil {
				return err
			}
			for i := range ks {
				m += " " + ks[i] + "=" + vs[i]
			}
			if s.Note != nil {
				s.Note(severity, from, strings.TrimSpace(m))
			}
			if severity != "" {
				from = severity + ": " + from
			}
			s.trace(from + ": " + strings.TrimSpace(m))
			return nil
		}
	},
}

// pairs compiles child elements that have a name and a value.
func (c *compiler) pairs(n *markup.Node, child string) (names, values []*text) {
	for _, e := range n.Elements() {
		if e.Name == child {
			names = append(names, c.text(e, "name", ""))
			if _, ok := e.Attr("value"); ok {
				values = append(values, c.text(e, "value", ""))
			} else {
				values = append(values, nil)
			}
		}
	}
	return names, values
}

// trace adds a message to the trace.
func (s *State) trace(message string) {
	if s.Tracer != nil {
		s.Tracer.Step(TraceStep{Section: s.section, Policy: "trace", Message: message})
	}
}

var policyEmitMetric = &Policy{
	Name: "emit-metric", Category: "Logging", Does: "sends a custom metric",
	Sections: everySection, Needs: partMetrics,
	Attrs:    []Attribute{need("name"), attr("value").def("1"), attr("namespace"), attr("default-dimensions", trueFalse...)},
	Children: []Child{{Name: "dimension", Many: true, Attrs: []Attribute{need("name"), attr("value")}}},
	compile: func(c *compiler, n *markup.Node) runFunc {
		name, value, ns := c.text(n, "name", ""), c.number(n, "value", 1), c.text(n, "namespace", "API Management")
		names, values := c.pairs(n, "dimension")
		return func(s *State) error {
			v, err := all(s, []*text{name, ns})
			if err != nil {
				return err
			}
			f, err := value.float(s)
			if err != nil {
				return err
			}
			dims, err := s.dimensions(names, values)
			if err != nil {
				return err
			}
			s.Host.Metrics.Emit(v[1], v[0], f, dims)
			return nil
		}
	},
}

// dimensions evaluates dimensions; one without a value is one of the names that Azure knows.
func (s *State) dimensions(names, values []*text) ([]Dimension, error) {
	var out []Dimension
	for i := range names {
		name, err := names[i].get(s)
		if err != nil {
			return nil, err
		}
		d := Dimension{Name: name}
		if values[i] != nil {
			if d.Value, err = values[i].get(s); err != nil {
				return nil, err
			}
		} else {
			d.Value = s.defaultDimension(name)
		}
		out = append(out, d)
	}
	return out, nil
}

func (s *State) defaultDimension(name string) string {
	switch name {
	case "API ID":
		if s.API != nil {
			return s.API.ID
		}
	case "Operation ID":
		if s.Operation != nil {
			return s.Operation.ID
		}
	case "Product ID":
		if s.Product != nil {
			return s.Product.ID
		}
	case "User ID":
		if s.User != nil {
			return s.User.ID
		}
	case "Subscription ID":
		if s.Subscription != nil {
			return s.Subscription.ID
		}
	case "Location":
		if s.Deployment != nil {
			return s.Deployment.Region
		}
	case "Gateway ID":
		if s.Deployment != nil {
			return s.Deployment.GatewayID
		}
	case "Backend ID":
		return s.BackendID
	}
	return ""
}

var policyLogToEventHub = &Policy{
	Name: "log-to-eventhub", Category: "Integration", Does: "sends a message to a logger",
	Sections: everySection, Scopes: noWorkspace, Body: Content, Needs: partLoggers,
	Attrs: []Attribute{need("logger-id"), attr("partition-id").lit(), attr("partition-key")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		logger, id, key, data := c.text(n, "logger-id", ""), c.text(n, "partition-id", ""), c.text(n, "partition-key", ""), c.content(n)
		if l := c.host.Loggers; l != nil && logger.constant() && !c.opts.Presume && !strings.Contains(logger.lit, "{{") && !l.Has(logger.lit) {
			c.report(Error, n.Pos, KindPart, logger.lit, "there is no logger %s; create it", logger.lit)
		}
		return func(s *State) error {
			v, err := all(s, []*text{logger, id, key, data})
			if err != nil {
				return err
			}
			// Azure sends in the background: a logger that fails does not fail the request.
			if err := s.Host.Loggers.Log(s.Ctx(), v[0], LogEvent{Data: v[3], PartitionKey: v[2], PartitionID: v[1]}); err != nil {
				s.trace("log-to-eventhub: the logger " + v[0] + " did not take the event")
			}
			return nil
		}
	},
}

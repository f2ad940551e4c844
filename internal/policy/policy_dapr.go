package policy

import (
	"encoding/json"
	"time"

	"tandem/internal/exchange"
	"tandem/internal/policy/markup"
)

var selfHosted = []Scope{Global, Product, API, Operation}

var policyPublishToDapr = &Policy{
	Name: "publish-to-dapr", Category: "Integration", Does: "publishes a message to a topic through the Dapr sidecar",
	Sections: inboundOnly, Scopes: selfHosted, Body: Content, Needs: partDapr,
	Attrs: []Attribute{attr("pubsub-name"), need("topic"), attr("ignore-error", trueFalse...).def("false"), attr("response-variable-name").lit(), attr("timeout").def("5"),
		attr("template", "liquid").lit(), attr("content-type").def("application/json")},
	compile: func(c *compiler, n *markup.Node) runFunc {
		pubsub, topic, media := c.text(n, "pubsub-name", ""), c.text(n, "topic", ""), c.text(n, "content-type", "application/json")
		body, wrong := c.bodyText(n)
		if wrong != "" {
			c.report(Error, n.Pos, KindConstruct, n.Name, "%s", wrong)
			return nil
		}
		call := c.daprCall(n)
		return func(s *State) error {
			v, err := all(s, []*text{pubsub, topic, media})
			if err != nil {
				return err
			}
			b, err := body(s, onRequest)
			if err != nil {
				return err
			}
			path := v[1] // "pubsub/topic" where pubsub-name is not given
			if v[0] != "" {
				path = v[0] + "/" + v[1]
			}
			return call(s, "/v1.0/publish/"+path, v[2], b)
		}
	},
}

var policyInvokeDaprBinding = &Policy{
	Name: "invoke-dapr-binding", Category: "Integration", Does: "invokes an output binding of the Dapr sidecar",
	Sections: []Section{Inbound, Outbound, OnError}, Scopes: selfHosted, Needs: partDapr,
	Attrs: []Attribute{need("name"), attr("operation").def("create"), attr("ignore-error", trueFalse...).def("false"), attr("response-variable-name").lit(),
		attr("timeout").def("5"), attr("template", "liquid").lit(), attr("content-type")},
	Children: []Child{{Name: "metadata", Children: []Child{{Name: "item", Many: true, Text: true, Attrs: []Attribute{need("key")}}}}, {Name: "data", Text: true}},
	compile: func(c *compiler, n *markup.Node) runFunc {
		name, operation := c.text(n, "name", ""), c.text(n, "operation", "create")
		var keys, values []*text
		if e := element(n, "metadata"); e != nil {
			for _, k := range e.Elements() {
				keys, values = append(keys, c.text(k, "key", "")), append(values, c.content(k))
			}
		}
		data := func(*State, target) ([]byte, error) { return nil, nil }
		if e := element(n, "data"); e != nil {
			e = &markup.Node{Kind: e.Kind, Name: e.Name, Attrs: n.Attrs, Children: e.Children, Pos: e.Pos}
			made, wrong := c.bodyText(e)
			if wrong != "" {
				c.report(Error, e.Pos, KindConstruct, n.Name, "%s", wrong)
				return nil
			}
			data = made
		}
		call, to := c.daprCall(n), c.target()
		return func(s *State) error {
			v, err := all(s, []*text{name, operation})
			if err != nil {
				return err
			}
			ks, err := all(s, keys)
			if err != nil {
				return err
			}
			vs, err := all(s, values)
			if err != nil {
				return err
			}
			b, err := data(s, to)
			if err != nil {
				return err
			}
			meta := map[string]string{}
			for i := range ks {
				meta[ks[i]] = vs[i]
			}
			var content any = string(b)
			if json.Valid(b) {
				content = json.RawMessage(b)
			}
			in, err := json.Marshal(map[string]any{"operation": v[1], "metadata": meta, "data": content})
			if err != nil {
				return err
			}
			return call(s, "/v1.0/bindings/"+v[0], "application/json", in)
		}
	},
}

// daprCall compiles the attributes that both policies share into a call of the sidecar.
func (c *compiler) daprCall(n *markup.Node) func(s *State, path, media string, body []byte) error {
	ignore, timeout, variable := c.boolean(n, "ignore-error", false), c.integer(n, "timeout", 5, 1), c.attrText(n, "response-variable-name")
	return func(s *State, path, media string, body []byte) error {
		wait, err := timeout.seconds(s)
		if err != nil {
			return err
		}
		r, err := s.dapr(path, media, body, wait)
		if err == nil && (r.Status < 200 || r.Status > 299) && variable == "" {
			err = failure(500, "DaprFailure", "The Dapr sidecar refused the request.")
		}
		if variable != "" {
			if r != nil {
				s.vars.set(variable, &Answer{Response: *r})
			} else {
				s.vars.set(variable, nil)
			}
		}
		if err == nil {
			return nil
		}
		if skipped, ierr := ignore.get(s); ierr != nil || skipped {
			return ierr
		}
		return err
	}
}

func (s *State) dapr(path, media string, body []byte, timeout time.Duration) (*exchange.Response, error) {
	u, ok := parseURL(s.Host.Dapr)
	if !ok {
		return nil, failure(500, "DaprFailure", "The URL of the Dapr sidecar is not absolute.")
	}
	u.Path = joinPath(u.Path, path)
	r := &exchange.Request{Method: "POST", Proto: "HTTP/1.1", URL: u}
	r.Header.Add("Content-Type", media)
	r.Body = exchange.Bytes(body)
	a, err := s.Host.Client.Do(s.Ctx(), r, SendOptions{Timeout: timeout})
	if err != nil {
		return nil, err
	}
	if _, err := a.Body.Bytes(s.Host.maxBody()); err != nil {
		return nil, bodyFailure(err)
	}
	return a, nil
}

var policySendServiceBusMessage = &Policy{
	Name: "send-service-bus-message", Category: "Integration", Does: "sends a message to a queue or a topic of Azure Service Bus",
	Sections: []Section{Inbound, Outbound, OnError}, Scopes: noWorkspace, Needs: partBus,
	Attrs: []Attribute{attr("queue-name").oneOf("destination"), attr("topic-name").oneOf("destination"), attr("namespace"), attr("client-id")},
	Children: []Child{{Name: "message-properties", Children: []Child{{Name: "message-property", Many: true, Text: true, Attrs: []Attribute{need("name")}}}},
		{Name: "payload", Required: true, Text: true}},
	compile: func(c *compiler, n *markup.Node) runFunc {
		queue, topic, ns, client := c.text(n, "queue-name", ""), c.text(n, "topic-name", ""), c.text(n, "namespace", ""), c.text(n, "client-id", "")
		payload := &text{}
		if e := element(n, "payload"); e != nil {
			payload = c.content(e)
		}
		var names, values []*text
		if e := element(n, "message-properties"); e != nil {
			for _, k := range e.Elements() {
				names, values = append(names, c.text(k, "name", "")), append(values, c.content(k))
			}
		}
		return func(s *State) error {
			v, err := all(s, []*text{ns, queue, topic, client, payload})
			if err != nil {
				return err
			}
			props, err := s.dimensions(names, values)
			if err != nil {
				return err
			}
			if err := s.Host.Bus.SendMessage(s.Ctx(), v[0], v[1], v[2], v[3], props, v[4]); err != nil {
				return &LastError{Status: 500, Reason: "ServiceBusFailure", Message: "The message could not be sent.", Err: err}
			}
			return nil
		}
	},
}

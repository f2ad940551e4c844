package policy

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"tandem/internal/policy/markup"
)

// fault is one thing that a validation policy found, in the form that errors-variable-name keeps.
type fault struct {
	Name                  string `json:"name"`
	Type                  string `json:"type"`
	ValidationRule        string `json:"validationRule"`
	Details               string `json:"details"`
	Action                string `json:"action"`
	TransactionInProgress bool   `json:"transactionInProgress,omitempty"`
}

// faults collects what a validation policy finds in one request.
type faults struct {
	list     []fault
	variable string
	status   int // of the answer when something is prevented
}

// add notes a fault unless its action ignores it.
func (f *faults) add(action, kind, name, rule, format string, args ...any) {
	if action == "ignore" || action == "" {
		return
	}
	f.list = append(f.list, fault{Name: name, Type: kind, ValidationRule: rule, Details: fmt.Sprintf(format, args...), Action: action})
}

// finish stores the faults and refuses the request when one of them is prevented.
func (f *faults) finish(s *State) error {
	if f.variable != "" {
		if v, err := f.boxed(); err == nil && len(f.list) > 0 {
			s.vars.set(f.variable, v)
		}
	}
	for _, x := range f.list {
		if x.Action != "prevent" {
			s.trace("validation detected: " + x.Details)
			continue
		}
		e := failure(f.status, x.ValidationRule, x.Details)
		if f.status == 502 || f.status == 500 {
			e.Text = "The request could not be processed due to an internal error. Contact the API owner."
		}
		return e
	}
	return nil
}

func (f *faults) boxed() (any, error) {
	b, err := json.Marshal(f.list)
	if err != nil {
		return nil, err
	}
	v, err := bodyParsers["JArray"].run(netString(string(b)))
	return v.R, err
}

// status of a refusal: a request is the client's fault, a response the backend's.
func validationStatus(section Section) int {
	if section == Inbound {
		return 400
	}
	return 502
}

// actions are the actions for specified and unspecified parts, with those of single names.
type actions struct {
	specified, unspecified *text
	named                  map[string]*text
}

func (c *compiler) actions(n *markup.Node, specified, unspecified, child string, outer *actions) *actions {
	a := &actions{named: map[string]*text{}}
	if outer != nil {
		a.specified, a.unspecified = outer.specified, outer.unspecified
	}
	if _, ok := n.Attr(specified); ok {
		a.specified = c.text(n, specified, "")
	}
	if _, ok := n.Attr(unspecified); ok {
		a.unspecified = c.text(n, unspecified, "")
	}
	for _, e := range n.Elements() {
		if e.Name == child {
			name, _ := e.Attr("name")
			a.named[strings.ToLower(c.value(name.Value).Text)] = c.text(e, "action", "")
		}
	}
	return a
}

// of gives the action for a name that is, or is not, in the contract.
func (a *actions) of(s *State, name string, known bool) (string, error) {
	t := a.unspecified
	if known {
		t = a.specified
	}
	if own := a.named[strings.ToLower(name)]; own != nil {
		t = own
	}
	if t == nil {
		return "", nil
	}
	return t.get(s)
}

// check holds a parameter's text against its documented type and schema.
func (p *Parameter) check(value string) []string {
	if len(p.Values) > 0 {
		for _, v := range p.Values {
			if v == value {
				return nil
			}
		}
		return []string{"The value is not one of the allowed values."}
	}
	v, ok := typed(p.Type, value)
	if !ok {
		return []string{"The value is not of the type " + p.Type + "."}
	}
	if p.Schema != nil {
		c, err := p.Schema.compile()
		if err != nil {
			return []string{err.Error()}
		}
		return p.Schema.check(c, v)
	}
	return nil
}

func typed(kind, value string) (any, bool) {
	switch kind {
	case "integer":
		_, err := strconv.ParseInt(value, 10, 64)
		return json.Number(value), err == nil
	case "number":
		_, err := strconv.ParseFloat(value, 64)
		return json.Number(value), err == nil
	case "boolean":
		b, err := strconv.ParseBool(strings.ToLower(value))
		return b, err == nil && len(value) > 1
	case "array":
		var out []any
		for _, x := range strings.Split(value, ",") {
			out = append(out, x)
		}
		return out, true
	case "object":
		var v any
		return v, json.Unmarshal([]byte(value), &v) == nil
	}
	return value, true
}

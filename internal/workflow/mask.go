package workflow

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"tandem/internal/workflow/expr"
	"tandem/internal/workflow/value"
)

// mask stands where a secret stood.
const mask = "*sanitized*"

// masker removes secrets from what a run's history shows (law 7): the values of secure parameters, what actions with
// secure data took and gave, and whatever stands under a name that is known for secrets, wherever else in the run the same
// text appears, escaped for an address or in base64 too.
type masker struct {
	secrets []string
	known   map[string]bool
	replace *strings.Replacer
}

// shortest is the length from which on a text counts as a secret by its value: shorter ones are masked by name alone,
// since they would be found everywhere.
const shortest = 5

func secretNames() []string {
	return []string{"access_token", "refresh_token", "id_token", "client_secret", "clientsecret", "client_assertion", "password",
		"accesskey", "access_key", "accountkey", "account_key", "sharedaccesskey", "primarykey", "secondarykey", "connectionstring",
		"authorization", "proxy-authorization", "ocp-apim-subscription-key", "x-functions-key", "x-api-key", "apikey", "api_key",
		"cookie", "set-cookie", "pfx", "secret", "sig"}
}

func secretName(name string) bool { return slices.Contains(secretNames(), strings.ToLower(name)) }

func newMasker(def *Definition, parameters map[string]any) *masker {
	m := &masker{known: map[string]bool{}}
	for _, p := range def.Parameters {
		if p.Secret() {
			m.leaves(parameters[p.Name])
		}
	}
	return m
}

func (m *masker) add(s string) {
	if len(s) < shortest || m.known[s] || s == mask {
		return
	}
	m.known[s] = true
	m.replace = nil
	m.secrets = append(m.secrets, s)
	for _, other := range []string{url.QueryEscape(s), url.PathEscape(s), base64.StdEncoding.EncodeToString([]byte(s)), strings.Trim(string(value.Encode(s)), `"`)} {
		if !m.known[other] {
			m.known[other] = true
			m.secrets = append(m.secrets, other)
		}
	}
	if token, is := strings.CutPrefix(s, "Bearer "); is {
		m.add(token)
	}
}

// leaves takes every text in a value for a secret.
func (m *masker) leaves(v any) {
	switch v := v.(type) {
	case string:
		m.add(v)
	case []any:
		for _, e := range v {
			m.leaves(e)
		}
	case *value.Object:
		if data, _, is := expr.Content(v); is {
			m.add(string(data))
		}
		v.Walk(func(_ string, e any) { m.leaves(e) })
	}
}

// learnValue takes texts under the names of secrets for secrets.
func (m *masker) learnValue(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			m.learnValue(e)
		}
	case *value.Object:
		v.Walk(func(name string, e any) {
			if s, isText := e.(string); isText && secretName(name) {
				m.add(s)
			}
			m.learnValue(e)
		})
	case string:
		// Form data and addresses: name=value pairs.
		if !strings.Contains(v, "=") || len(v) > 1<<16 {
			return
		}
		for _, pair := range strings.FieldsFunc(v, func(r rune) bool { return r == '&' || r == '?' || r == ';' }) {
			name, text, _ := strings.Cut(pair, "=")
			if secretName(strings.TrimSpace(name)) {
				m.add(text)
			}
		}
	}
}

// learn finds the secrets in a record.
func (m *masker) learn(def *Definition, rec *Record) {
	m.learnValue(rec.Inputs)
	m.learnValue(rec.Outputs)
	a := def.actions[rec.Action]
	if a == nil {
		return
	}
	if a.secureIn {
		m.leaves(rec.Inputs)
	}
	if a.secureOut {
		if o, is := rec.Outputs.(*value.Object); is && o.Has("body") {
			body, _ := o.Get("body")
			m.leaves(body)
		} else {
			m.leaves(rec.Outputs)
		}
	}
}

// text masks a string.
func (m *masker) text(s string) string {
	if m.replace == nil {
		slices.SortFunc(m.secrets, func(a, b string) int { return len(b) - len(a) }) // the longest first
		var pairs []string
		for _, secret := range m.secrets {
			pairs = append(pairs, secret, mask)
		}
		m.replace = strings.NewReplacer(pairs...)
	}
	return m.replace.Replace(s)
}

// value masks a value.
func (m *masker) value(v any) any {
	switch v := v.(type) {
	case string:
		return m.text(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = m.value(v[i])
		}
		return out
	case *value.Object:
		if data, mediaType, is := expr.Content(v); is {
			if masked := m.text(string(data)); masked != string(data) {
				return expr.NewContent([]byte(masked), mediaType)
			}
		}
		out := value.New()
		v.Walk(func(name string, e any) {
			if _, isText := e.(string); isText && secretName(name) {
				out.Set(name, mask)
				return
			}
			out.Set(m.text(name), m.value(e))
		})
		return out
	}
	return v
}

func (m *masker) fault(f *Fault) *Fault {
	if f == nil {
		return nil
	}
	return &Fault{Code: m.text(f.Code), Message: m.text(f.Message)}
}

func (m *masker) result(rec *Record) ActionResult {
	return ActionResult{Name: rec.Action, Repetition: rec.repetition(), Status: rec.Status, Code: rec.Code, Error: m.fault(rec.Error)}
}

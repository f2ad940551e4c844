package gateway

import (
	"strings"

	"tandem/internal/exchange"
)

// leastSecret is how long a secret named value must be to be looked for in texts: shorter ones would be found everywhere.
const leastSecret = 4

// secretFields are header fields whose values never go into a trace.
var secretFields = []string{"Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Functions-Key", "Api-Key", "X-Api-Key"}

// clean takes secrets out of a text: the subscription's keys, and the service's secret named values (law 7).
func (t *trace) clean(text string) string { return t.r.clean(text) }

func (r *run) clean(text string) string {
	for _, secret := range r.gen.shared.secretValues {
		text = strings.ReplaceAll(text, secret, masked)
	}
	if sub := r.state.Subscription; sub != nil {
		for _, key := range []string{sub.PrimaryKey, sub.SecondaryKey} {
			if key != "" {
				text = strings.ReplaceAll(text, key, masked)
			}
		}
	}
	for _, name := range secretFields[:3] {
		for _, value := range r.state.Request.Header.Values(name) {
			if len(value) >= leastSecret {
				text = strings.ReplaceAll(text, value, masked)
			}
		}
	}
	if len(text) > mostText {
		text = text[:mostText] + "…"
	}
	return text
}

func (t *trace) headers(h exchange.Header) []map[string]string {
	out := make([]map[string]string, 0, len(h))
	for _, f := range h {
		value := f.Value
		if t.r.secretField(f.Name) {
			value = masked
		}
		out = append(out, map[string]string{"name": f.Name, "value": t.clean(value)})
	}
	return out
}

// secretField tells whether a field's value is a secret by its name.
func (r *run) secretField(field string) bool {
	secret := r.api != nil && strings.EqualFold(field, r.api.keyHeader)
	for _, name := range secretFields {
		secret = secret || strings.EqualFold(field, name)
	}
	return secret
}

func (t *trace) url(u exchange.URL) string {
	if u.Query != "" {
		u.Query = maskQuery(u.Query)
	}
	return t.clean(u.String())
}

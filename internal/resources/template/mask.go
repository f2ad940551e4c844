package template

import (
	"strings"
)

// Mask gives a value with the texts of secret parameters taken out, for answers that show what would be deployed.
func (p *Plan) Mask(v any) any {
	var secrets []string
	for _, q := range p.t.parameters {
		if p.t.secret(q.spec, 0) {
			secrets = texts(p.env.params[strings.ToLower(q.name)], secrets)
		}
	}
	if len(secrets) == 0 {
		return v
	}
	return mask(v, secrets)
}

// texts gathers the texts in a value.
func texts(v any, into []string) []string {
	switch v := v.(type) {
	case string:
		if v != "" {
			into = append(into, v)
		}
	case []any:
		for _, item := range v {
			into = texts(item, into)
		}
	case map[string]any:
		for _, item := range v {
			into = texts(item, into)
		}
	}
	return into
}

func mask(v any, secrets []string) any {
	switch v := v.(type) {
	case string:
		for _, s := range secrets {
			v = strings.ReplaceAll(v, s, "*******")
		}
		return v
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = mask(item, secrets)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for name, item := range v {
			out[name] = mask(item, secrets)
		}
		return out
	}
	return v
}

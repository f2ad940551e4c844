package replica

import (
	"regexp"
	"strings"

	"tandem/internal/apim"
)

// reference is what one resource says of another.
type reference struct {
	path string // of the other, revisions named where they were
	how  string // "property loggerId", "{{key}}"
}

// The names by which policies refer to other resources, and the collections of those.
var (
	policyReference = regexp.MustCompile(`(?i)\b(backend-id|fragment-id|certificate-id|logger-id|schema-id|embeddings-backend-id|provider-id)\s*=\s*["']([^"'@{}]+)["']`)
	namedValueUse   = regexp.MustCompile(`\{\{\s*([A-Za-z0-9._-]+)\s*\}\}`)
)

// mayRefer tells whether a policy may have one of the attributes, which is cheaper to find out than which.
func mayRefer(text string) bool {
	for at := strings.IndexByte(text, '-'); at >= 0 && at+2 < len(text); {
		if text[at+1]|0x20 == 'i' && text[at+2]|0x20 == 'd' {
			return true
		}
		next := strings.IndexByte(text[at+1:], '-')
		if next < 0 {
			return false
		}
		at += 1 + next
	}
	return false
}

func referred(attribute string) string {
	switch strings.ToLower(attribute) {
	case "backend-id", "embeddings-backend-id":
		return "backends"
	case "fragment-id":
		return "policyFragments"
	case "certificate-id":
		return "certificates"
	case "logger-id":
		return "loggers"
	case "schema-id":
		return "schemas"
	default:
		return "authorizationProviders"
	}
}

// references lists what an item needs beside its parents; x is its own side.
func (i *item) references(table *apim.Table, x *index) (out []reference) {
	if i.kind == nil {
		return nil
	}
	inside := ""
	if strings.HasPrefix(i.kind.Type(), "workspaces.") {
		inside = "workspaces/" + i.ids[0] + "/"
	}
	if target := i.kind.LinkTarget(); target != "" {
		path := target + "/" + i.ids[len(i.ids)-1]
		if inside != "" && table.ByType("workspaces."+target) != nil {
			path = inside + path
		}
		out = append(out, reference{path, "link"})
	}
	for _, ref := range i.kind.References {
		if v, ok := i.props[ref.Property].(string); ok {
			if path := strings.Trim(v, "/"); strings.Contains(path, "/") {
				out = append(out, reference{path, "property " + ref.Property})
			}
		}
	}
	if v, ok := i.props["apiId"].(string); ok && len(i.kind.References) == 0 {
		out = append(out, reference{strings.Trim(v, "/"), "property apiId"})
	}
	if pool, ok := i.props["pool"].(map[string]any); ok && strings.HasSuffix(i.kind.Type(), "backends") {
		services, _ := pool["services"].([]any)
		for _, s := range services {
			if m, ok := s.(map[string]any); ok {
				if id, ok := m["id"].(string); ok {
					out = append(out, reference{strings.Trim(id, "/"), "pool"})
				}
			}
		}
	}
	isPolicy := textual(i.kind)
	text, _ := i.props["value"].(string)
	if isPolicy && mayRefer(text) {
		for _, m := range policyReference.FindAllStringSubmatch(text, -1) {
			out = append(out, reference{inside + referred(m[1]) + "/" + m[2], m[1]})
		}
	}
	liquid := isPolicy && strings.Contains(text, "liquid")
	seen := map[string]bool{}
	eachString(i.props, func(s string) {
		if !strings.Contains(s, "{{") {
			return
		}
		for _, m := range namedValueUse.FindAllStringSubmatch(s, -1) {
			path, known := x.names[inside+m[1]]
			if !known && (liquid || !isPolicy) || seen[m[1]] {
				continue // a template's own words, or braces of a text
			}
			seen[m[1]] = true
			if !known {
				path = inside + "namedValues/" + m[1]
			}
			out = append(out, reference{path, "{{" + m[1] + "}}"})
		}
	})
	return out
}

func eachString(v any, use func(string)) {
	switch v := v.(type) {
	case string:
		use(v)
	case []any:
		for _, inner := range v {
			eachString(inner, use)
		}
	case map[string]any:
		for _, name := range sortedKeys(v) {
			eachString(v[name], use)
		}
	}
}

// index finds what references name among the items of one side.
type index struct {
	items
	current map[string]string // current revision by rootName
	names   map[string]string // path of a named value by what policies call it, behind its workspace's path
}

func newIndex(all items) *index {
	x := &index{items: all, current: map[string]string{}, names: map[string]string{}}
	for _, i := range all {
		if i.kind == nil {
			continue
		}
		name, _ := i.props["displayName"].(string)
		switch i.kind.Type() {
		case "namedValues":
			x.names[name] = i.path
		case "workspaces.namedValues":
			x.names["workspaces/"+i.ids[0]+"/"+name] = i.path
		case "apis", "workspaces.apis":
			if i.current {
				parts := strings.Split(i.path, "/")
				_, rev := apim.SplitRevision(i.path)
				x.current[rootOf(parts, len(parts)-1)] = rev
			}
		}
	}
	return x
}

// find gives the item that a reference names: an API without a revision is its current one. Nil: there is none.
func (x *index) find(path string) *item {
	if i := x.items[strings.ToLower(path)]; i != nil {
		return i
	}
	parts := strings.Split(path, "/")
	at := apiAt(parts)
	if at == 0 {
		return nil
	}
	if _, rev := apim.SplitRevision(parts[at]); rev == "" {
		parts[at] += ";rev=" + x.current[rootOf(parts, at)]
	}
	return x.items[strings.ToLower(strings.Join(parts, "/"))]
}

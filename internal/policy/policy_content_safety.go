package policy

import (
	"encoding/json"
	"strings"

	"tandem/internal/exchange"
	"tandem/internal/policy/markup"
)

var policyContentSafety = &Policy{
	Name: "llm-content-safety", Category: "AI gateway", Does: "refuses prompts that Azure AI Content Safety finds harmful",
	Sections: []Section{Inbound, Outbound}, Scopes: []Scope{Global, Workspace, Product, API}, Needs: partClient,
	Attrs: []Attribute{need("backend-id"), attr("shield-prompt", trueFalse...).def("false"), attr("enforce-on-completions", "false"),
		attr("window-size"), attr("window-overlap-size")},
	Children: []Child{
		{Name: "categories", Attrs: []Attribute{attr("output-type", "FourSeverityLevels", "EightSeverityLevels")},
			Children: []Child{{Name: "category", Many: true, Attrs: []Attribute{need("name", "Hate", "SelfHarm", "Sexual", "Violence"), need("threshold")}}}},
		{Name: "blocklists", Children: []Child{{Name: "id", Many: true, Text: true}}},
	},
	compile: compileContentSafety,
}

// maxSafetyText is how many characters the service takes at once.
const maxSafetyText = 10000

func compileContentSafety(c *compiler, n *markup.Node) runFunc {
	backend, shield, lists := c.text(n, "backend-id", ""), c.boolean(n, "shield-prompt", false), c.list(n, "blocklists", "id")
	output := &text{lit: "FourSeverityLevels"}
	var names []*text
	var limits []*integer
	if e := element(n, "categories"); e != nil {
		output = c.text(e, "output-type", "FourSeverityLevels")
		for _, k := range e.Elements() {
			names, limits = append(names, c.text(k, "name", "")), append(limits, c.integer(k, "threshold", 0, 0))
		}
	}
	return func(s *State) error {
		if !s.Request.Body.Present() {
			return nil
		}
		body, err := s.readBody(&s.Request.Message)
		if err != nil {
			return err
		}
		prompt := promptOf(body)
		if prompt == "" {
			return nil
		}
		id, err := backend.get(s)
		if err != nil {
			return err
		}
		info := BackendInfo{}
		if s.Host.Backends != nil {
			info, _ = s.Host.Backends.Backend(id)
		}
		base, ok := parseURL(info.URL)
		if !ok {
			return failure(500, ReasonConnection, "There is no backend "+id+".")
		}
		if ok, err := shield.get(s); err != nil {
			return err
		} else if ok {
			if err := s.shieldPrompt(base, prompt); err != nil {
				return err
			}
		}
		v, err := all(s, append([]*text{output}, names...))
		if err != nil {
			return err
		}
		blocklists, err := all(s, lists)
		if err != nil {
			return err
		}
		threshold := map[string]int64{}
		for i, name := range v[1:] {
			if threshold[name], err = limits[i].get(s); err != nil {
				return err
			}
		}
		for _, part := range pieces(prompt, maxSafetyText) {
			if err := s.analyze(base, part, v[0], threshold, blocklists); err != nil {
				return err
			}
		}
		return nil
	}
}

// pieces cuts a text into parts of at most n characters.
func pieces(s string, n int) []string {
	r := []rune(s)
	var out []string
	for len(r) > 0 {
		k := min(n, len(r))
		out, r = append(out, string(r[:k])), r[k:]
	}
	return out
}

func (s *State) safetyCall(base exchange.URL, method string, in, out any) error {
	u := base
	u.Path = joinPath(strings.TrimSuffix(u.Path, "/contentsafety"), "/contentsafety/"+method)
	u.Query = "api-version=2024-09-01"
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if b, err = s.postJSON(u, true, b); err != nil {
		return err
	}
	if err := json.Unmarshal(b, out); err != nil {
		return failure(500, ReasonConnection, "The content safety service's answer cannot be read.")
	}
	return nil
}

func (s *State) shieldPrompt(base exchange.URL, prompt string) error {
	var out struct {
		UserPromptAnalysis struct {
			AttackDetected bool `json:"attackDetected"`
		} `json:"userPromptAnalysis"`
	}
	for _, part := range pieces(prompt, maxSafetyText) {
		if err := s.safetyCall(base, "text:shieldPrompt", map[string]any{"userPrompt": part, "documents": []string{}}, &out); err != nil {
			return err
		}
		if out.UserPromptAnalysis.AttackDetected {
			return failure(403, "ContentSafetyViolation", "The prompt was refused by content safety: an attack was detected.")
		}
	}
	return nil
}

func (s *State) analyze(base exchange.URL, prompt, output string, threshold map[string]int64, lists []string) error {
	in := map[string]any{"text": prompt, "outputType": output, "blocklistNames": lists}
	if len(threshold) > 0 {
		var names []string
		for name := range threshold {
			names = append(names, name)
		}
		in["categories"] = names
	} else if len(lists) == 0 {
		return nil
	}
	var out struct {
		BlocklistsMatch    []any `json:"blocklistsMatch"`
		CategoriesAnalysis []struct {
			Category string `json:"category"`
			Severity int64  `json:"severity"`
		} `json:"categoriesAnalysis"`
	}
	if err := s.safetyCall(base, "text:analyze", in, &out); err != nil {
		return err
	}
	if len(out.BlocklistsMatch) > 0 {
		return failure(403, "ContentSafetyViolation", "The prompt was refused by content safety: it is on a block list.")
	}
	for _, c := range out.CategoriesAnalysis {
		if limit, ok := threshold[c.Category]; ok && c.Severity >= limit {
			return failure(403, "ContentSafetyViolation", "The prompt was refused by content safety: "+c.Category+".")
		}
	}
	return nil
}

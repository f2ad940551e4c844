package policy

import (
	"strconv"
	"time"

	"tandem/internal/policy/markup"
)

// llmRows gives the policies for language models: each exists as llm-... and, older, as azure-openai-...
func llmRows() []*Policy {
	var out []*Policy
	for _, family := range []string{"llm-", "azure-openai-"} {
		out = append(out,
			&Policy{Name: family + "token-limit", Category: "AI gateway", Does: "limits the tokens under a key per minute and over a period",
				Sections: inboundOnly, Needs: partCounters, compile: compileTokenLimit,
				Attrs: []Attribute{need("counter-key"), attr("tokens-per-minute").oneOf("limit"), attr("token-quota").oneOf("limit"),
					attr("token-quota-period", "Indefinite", "Hourly", "Daily", "Weekly", "Monthly", "Yearly"), need("estimate-prompt-tokens", trueFalse...),
					attr("retry-after-header-name").lit(), attr("retry-after-variable-name").lit(), attr("remaining-quota-tokens-header-name").lit(),
					attr("remaining-quota-tokens-variable-name").lit(), attr("remaining-tokens-header-name").lit(), attr("remaining-tokens-variable-name").lit(),
					attr("tokens-consumed-header-name").lit(), attr("tokens-consumed-variable-name").lit(),
					attr("prompt-type", "auto", "chat-completion", "completion", "embeddings"), attr("ignore-prompt", trueFalse...)}},
			&Policy{Name: family + "emit-token-metric", Category: "AI gateway", Does: "sends metrics of the tokens that a call took",
				Sections: inboundOnly, Needs: partMetrics, compile: compileTokenMetric,
				Attrs:    []Attribute{attr("namespace").lit(), attr("name"), attr("value-type", "all", "total-tokens", "prompt-tokens", "completion-tokens"), attr("ignore-prompt", trueFalse...)},
				Children: []Child{{Name: "dimension", Many: true, Attrs: []Attribute{need("name"), attr("value")}}}},
			&Policy{Name: family + "semantic-cache-lookup", Category: "AI gateway", Does: "answers a prompt from an earlier one of like meaning",
				Sections: inboundOnly, Scopes: noWorkspace, Needs: partVectors, compile: compileSemanticLookup,
				Attrs: []Attribute{need("score-threshold"), need("embeddings-backend-id"), attr("embeddings-backend-auth").def("system-assigned"),
					attr("ignore-system-messages", trueFalse...), attr("max-message-count"), attr("cache-id")},
				Children: []Child{{Name: "vary-by", Many: true, Text: true}}},
			&Policy{Name: family + "semantic-cache-store", Category: "AI gateway", Does: "keeps the answer for prompts of like meaning",
				Sections: []Section{Outbound}, Scopes: noWorkspace, Needs: partVectors, compile: compileSemanticStore,
				Attrs: []Attribute{need("duration"), attr("cache-response", trueFalse...)}},
		)
	}
	return append(out, policyContentSafety)
}

// quotaPeriods are the shortest lengths by which calendar knows a period; Indefinite has none.
var quotaPeriods = map[string]time.Duration{"Hourly": time.Hour, "Daily": 24 * time.Hour, "Weekly": 7 * 24 * time.Hour, "Monthly": 28 * 24 * time.Hour, "Yearly": 365 * 24 * time.Hour}

type tokenLimit struct {
	key, period          *text
	perMinute, perPeriod *integer
	estimate             *boolean
	ignorePrompt         *boolean
	names                map[string]string
}

func compileTokenLimit(c *compiler, n *markup.Node) runFunc {
	l := &tokenLimit{key: c.text(n, "counter-key", ""), period: c.text(n, "token-quota-period", "Indefinite"), estimate: c.boolean(n, "estimate-prompt-tokens", false),
		ignorePrompt: c.boolean(n, "ignore-prompt", false), perMinute: c.integer(n, "tokens-per-minute", 0, 1), perPeriod: c.integer(n, "token-quota", 0, 1), names: map[string]string{}}
	for _, a := range []string{"retry-after", "remaining-quota-tokens", "remaining-tokens", "tokens-consumed"} {
		for _, kind := range []string{"-header-name", "-variable-name"} {
			l.names[a+kind] = c.attrText(n, a+kind)
		}
	}
	return l.run
}

// out puts a figure where the policy wants it: a variable at once, a header when the answer goes.
func (l *tokenLimit) out(s *State, what string, n int64) {
	if v := l.names[what+"-variable-name"]; v != "" {
		s.vars.set(v, int32(min(n, 1<<31-1)))
	}
	if h := l.names[what+"-header-name"]; h != "" {
		s.later(func(s *State) { s.Response.Header.Set(h, strconv.FormatInt(n, 10)) })
	}
}

func (l *tokenLimit) run(s *State) error {
	key, err := l.key.get(s)
	if err != nil {
		return err
	}
	period, err := l.period.get(s)
	if err != nil {
		return err
	}
	prompt := int64(0)
	if ok, err := l.estimate.get(s); err != nil {
		return err
	} else if ok && !l.ignorePrompt.lit && s.Request.Body.Present() {
		b, err := s.readBody(&s.Request.Message)
		if err != nil {
			return err
		}
		prompt = estimateTokens(promptOf(b))
	}
	type window struct {
		key string
		w   Window
	}
	var windows []window
	for _, x := range []struct {
		limit  *integer
		what   string
		w      Window
		status int
		reason string
	}{
		{l.perMinute, "remaining-tokens", Window{Period: time.Minute, Kind: Sliding}, 429, "TokenLimitExceeded"},
		{l.perPeriod, "remaining-quota-tokens", Window{Period: quotaPeriods[period], Kind: Calendar}, 403, "TokenQuotaExceeded"},
	} {
		if !x.limit.set {
			continue
		}
		if x.w.Limit, err = x.limit.get(s); err != nil {
			return err
		}
		if x.w.Kind == Calendar && x.w.Period == 0 {
			x.w.Kind = Fixed
		}
		k := "tokens\x00" + x.what + "\x00" + key
		count := s.Host.Counters.Take(k, prompt, x.w, false)
		l.out(s, x.what, count.Remaining)
		if !count.Allowed {
			return l.refuse(s, x.status, x.reason, count.After)
		}
		windows = append(windows, window{k, x.w})
	}
	l.out(s, "tokens-consumed", prompt)
	counters, ignore := s.Host.Counters, l.ignorePrompt.lit
	header := l.names["tokens-consumed-header-name"]
	s.onUsage(func(s *State, u usage) {
		total := u.total
		if ignore {
			total = u.completion
		}
		for _, w := range windows {
			if more := total - prompt; more > 0 {
				counters.Take(w.key, more, w.w, true)
			}
		}
		if header != "" {
			s.Response.Header.Set(header, strconv.FormatInt(total, 10))
		}
		if v := l.names["tokens-consumed-variable-name"]; v != "" {
			s.vars.set(v, int32(total))
		}
	})
	return nil
}

func (l *tokenLimit) refuse(s *State, status int, reason string, after time.Duration) error {
	wait := max(1, int64((after+time.Second-1)/time.Second))
	message := "Token limit is exceeded. Try again in " + strconv.FormatInt(wait, 10) + " seconds."
	if status == 403 {
		message = "Out of token quota. Quota will be replenished in " + span(after) + "."
	}
	e := failure(status, reason, message)
	name := l.names["retry-after-header-name"]
	if name == "" {
		name = "Retry-After"
	}
	e.Header.Add(name, strconv.FormatInt(wait, 10))
	if v := l.names["retry-after-variable-name"]; v != "" {
		s.vars.set(v, int32(wait))
	}
	return e
}

func compileTokenMetric(c *compiler, n *markup.Node) runFunc {
	ns, kind := c.text(n, "namespace", "API Management"), c.text(n, "value-type", "all")
	names, values := c.pairs(n, "dimension")
	return func(s *State) error {
		v, err := all(s, []*text{ns, kind})
		if err != nil {
			return err
		}
		dims, err := s.dimensions(names, values)
		if err != nil {
			return err
		}
		metrics := s.Host.Metrics
		s.onUsage(func(_ *State, u usage) {
			for _, m := range []struct {
				name, kind string
				value      int64
			}{{"Total Tokens", "total-tokens", u.total}, {"Prompt Tokens", "prompt-tokens", u.prompt}, {"Completion Tokens", "completion-tokens", u.completion}} {
				if v[1] == "all" || v[1] == m.kind {
					metrics.Emit(v[0], m.name, float64(m.value), dims)
				}
			}
		})
		return nil
	}
}

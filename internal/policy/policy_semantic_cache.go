package policy

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"tandem/internal/exchange"
	"tandem/internal/policy/markup"
)

const partVectors = "a semantic cache (a vector store and an embeddings backend)"

// semanticPlan is what the lookup found out and the store needs.
type semanticPlan struct {
	partition string
	vector    []float32
}

func compileSemanticLookup(c *compiler, n *markup.Node) runFunc {
	threshold, backend, auth := c.number(n, "score-threshold", 0.05), c.text(n, "embeddings-backend-id", ""), c.text(n, "embeddings-backend-auth", "system-assigned")
	noSystem, most := c.boolean(n, "ignore-system-messages", false), c.integer(n, "max-message-count", 0, 0)
	vary := c.texts(n, "vary-by")
	return func(s *State) error {
		limit, err := threshold.float(s)
		if err != nil {
			return err
		}
		v, err := all(s, append([]*text{backend, auth}, vary...))
		if err != nil {
			return err
		}
		skipSystem, err := noSystem.get(s)
		if err != nil {
			return err
		}
		count, err := most.get(s)
		if err != nil {
			return err
		}
		body, err := s.readBody(&s.Request.Message)
		if err != nil {
			return err
		}
		prompt, ok := semanticPrompt(body, skipSystem, int(count))
		if !ok {
			return nil
		}
		p := &semanticPlan{partition: strings.Join(v[2:], "\x00")}
		if s.API != nil {
			p.partition = s.API.ID + "\x00" + p.partition
		}
		if p.vector, err = s.embed(v[0], v[1], prompt); err != nil {
			s.trace("semantic cache: no embedding could be had")
			return nil
		}
		s.semantic = p
		data, found, err := s.Host.Vectors.Nearest(s.Ctx(), p.partition, p.vector, limit)
		if err != nil || !found {
			return nil
		}
		var r storedResponse
		if json.Unmarshal(data, &r) != nil {
			return nil
		}
		s.resetResponse()
		s.Response.Status, s.Response.Reason, s.Response.Header, s.Response.Body = r.Status, r.Reason, r.Header, exchange.Bytes(r.Body)
		s.skipTo = true
		return nil
	}
}

// semanticPrompt gives the text that counts, unless the conversation has more messages than most.
func semanticPrompt(body []byte, noSystem bool, most int) (string, bool) {
	var r map[string]any
	if json.Unmarshal(body, &r) != nil {
		return "", false
	}
	if list, ok := r["messages"].([]any); ok {
		if most > 0 && len(list) > most {
			return "", false
		}
		var kept []any
		for _, m := range list {
			if o, ok := m.(map[string]any); !ok || !noSystem || o["role"] != "system" {
				kept = append(kept, m)
			}
		}
		r["messages"] = kept
	}
	b, err := json.Marshal(r)
	if err != nil {
		return "", false
	}
	p := promptOf(b)
	return p, p != ""
}

// embed asks the embeddings backend for a text's vector.
func (s *State) embed(backend, auth, prompt string) ([]float32, error) {
	info := BackendInfo{}
	if s.Host.Backends != nil {
		info, _ = s.Host.Backends.Backend(backend)
	}
	u, ok := parseURL(info.URL)
	if !ok {
		return nil, failure(500, ReasonConnection, "There is no embeddings backend "+backend+".")
	}
	if !strings.HasSuffix(u.Path, "/embeddings") {
		u.Path = joinPath(u.Path, "/embeddings")
	}
	if u.Query == "" {
		u.Query = "api-version=2024-02-01"
	}
	in, err := json.Marshal(map[string]string{"input": prompt})
	if err != nil {
		return nil, err
	}
	b, err := s.postJSON(u, auth == "system-assigned", in)
	if err != nil {
		return nil, err
	}
	var out struct {
		Data []struct {
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.Unmarshal(b, &out); err != nil || len(out.Data) == 0 {
		return nil, failure(500, ReasonConnection, "The embeddings backend gave no vector.")
	}
	return out.Data[0].Embedding, nil
}

// postJSON calls one of Azure's AI services, with a token of the managed identity if wanted and to be had.
func (s *State) postJSON(u exchange.URL, identity bool, body []byte) ([]byte, error) {
	r := &exchange.Request{Method: "POST", Proto: "HTTP/1.1", URL: u}
	r.Header.Add("Content-Type", "application/json")
	r.Body = exchange.Bytes(body)
	if identity && s.Host.Tokens != nil {
		token, err := s.Host.Tokens.Token(s.Ctx(), "https://cognitiveservices.azure.com/", "")
		if err != nil {
			return nil, err
		}
		r.Header.Add("Authorization", "Bearer "+token)
	}
	a, err := s.Host.Client.Do(s.Ctx(), r, SendOptions{Timeout: 30 * time.Second})
	if err != nil {
		return nil, err
	}
	b, err := a.Body.Bytes(s.Host.maxBody())
	if err != nil {
		return nil, err
	}
	if a.Status < 200 || a.Status > 299 {
		return nil, failure(500, ReasonConnection, "The service answered with status "+strconv.Itoa(a.Status)+".")
	}
	return b, nil
}

func compileSemanticStore(c *compiler, n *markup.Node) runFunc {
	duration := c.integer(n, "duration", 0, 0)
	return func(s *State) error {
		p := s.semantic
		if p == nil || s.skipTo || s.Response.Status != 200 {
			return nil
		}
		ttl, err := duration.seconds(s)
		if err != nil || ttl <= 0 {
			return err
		}
		body, err := s.readBody(&s.Response.Message)
		if err != nil {
			return nil
		}
		header := s.Response.Header.Clone()
		header.Del("Content-Length")
		header.Del("Transfer-Encoding")
		data, err := json.Marshal(storedResponse{Status: 200, Header: header, Body: body})
		if err != nil {
			return nil
		}
		_ = s.Host.Vectors.Store(s.Ctx(), p.partition, p.vector, data, ttl)
		return nil
	}
}

package policy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode"

	"tandem/internal/exchange"
)

// usage is how many tokens a call of a language model took.
type usage struct{ prompt, completion, total int64 }

// promptOf gives the text that a request asks a model with: messages, prompt or input.
func promptOf(body []byte) string {
	var r struct {
		Messages []struct {
			Role    string `json:"role"`
			Content any    `json:"content"`
		} `json:"messages"`
		Prompt any `json:"prompt"`
		Input  any `json:"input"`
	}
	if json.Unmarshal(body, &r) != nil {
		return ""
	}
	var b strings.Builder
	for _, m := range r.Messages {
		gatherText(&b, m.Content)
	}
	gatherText(&b, r.Prompt)
	gatherText(&b, r.Input)
	return strings.TrimSpace(b.String())
}

func gatherText(b *strings.Builder, v any) {
	switch v := v.(type) {
	case string:
		b.WriteString(v)
		b.WriteByte('\n')
	case []any:
		for _, x := range v {
			gatherText(b, x)
		}
	case map[string]any:
		gatherText(b, v["text"])
		gatherText(b, v["content"])
	}
}

// estimateTokens estimates how many tokens a text is. Models differ; this counts as their encodings do on average: a
// short word or a sign is one, a longer word one for each four letters more, an ideograph one.
func estimateTokens(s string) int64 {
	n, run := int64(0), 0
	flush := func() {
		if run > 0 {
			n += int64(1 + max(0, run-6+3)/4)
			run = 0
		}
	}
	for _, r := range s {
		switch {
		case r > 0x2E80:
			flush()
			n++
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			run++
		case unicode.IsSpace(r):
			flush()
		default:
			flush()
			n++
		}
	}
	flush()
	return n
}

// usageIn reads "usage" of an answer or of a piece of a streamed one, as the chat and the responses interfaces write it.
func usageIn(b []byte) (usage, bool) {
	var r struct {
		Usage    *usageJSON `json:"usage"`
		Response *struct {
			Usage *usageJSON `json:"usage"`
		} `json:"response"`
	}
	if json.Unmarshal(b, &r) != nil {
		return usage{}, false
	}
	u := r.Usage
	if u == nil && r.Response != nil {
		u = r.Response.Usage
	}
	if u == nil {
		return usage{}, false
	}
	out := usage{u.Prompt + u.Input, u.Completion + u.Output, u.Total}
	if out.total == 0 {
		out.total = out.prompt + out.completion
	}
	return out, true
}

type usageJSON struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`
	Input      int64 `json:"input_tokens"`
	Output     int64 `json:"output_tokens"`
}

// onUsage calls f once with what the call took: when the answer is complete, or, for a streamed one, when its last piece
// has gone to the client. An answer that tells nothing is estimated.
func (s *State) onUsage(f func(*State, usage)) {
	s.later(func(s *State) {
		if s.Response.Status < 200 || s.Response.Status > 299 {
			return
		}
		prompt := int64(0)
		if b, err := s.Request.Body.Bytes(s.Host.maxBody()); err == nil {
			prompt = estimateTokens(promptOf(b))
		}
		if mediaType(s.Response.Header) == "text/event-stream" && !s.Response.Body.Held() {
			st := *s
			s.Response.Body = exchange.Stream(&eventReader{r: bufio.NewReader(s.Response.Body.Reader()), done: func(u usage, text int64, ok bool) {
				if !ok {
					u = usage{prompt, text, prompt + text}
				}
				f(&st, u)
			}}, s.Response.Body.Length())
			return
		}
		b, err := s.readBody(&s.Response.Message)
		if err != nil {
			return
		}
		u, ok := usageIn(b)
		if !ok {
			text := estimateTokens(completionOf(b))
			u = usage{prompt, text, prompt + text}
		}
		f(s, u)
	})
}

func completionOf(b []byte) string {
	var r struct {
		Choices []struct {
			Message, Delta struct {
				Content any `json:"content"`
			}
			Text string `json:"text"`
		} `json:"choices"`
	}
	if json.Unmarshal(b, &r) != nil {
		return ""
	}
	var out strings.Builder
	for _, c := range r.Choices {
		gatherText(&out, c.Message.Content)
		gatherText(&out, c.Delta.Content)
		out.WriteString(c.Text)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// eventReader passes server-sent events on and looks for the usage in them.
type eventReader struct {
	r    *bufio.Reader
	rest []byte
	u    usage
	ok   bool
	text int64
	done func(usage, int64, bool)
}

// Read implements io.Reader: a line at a time, so that each event goes on as soon as it is here.
func (e *eventReader) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		line, err := e.r.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			err = nil
		}
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			if u, ok := usageIn(data); ok {
				e.u, e.ok = u, true
			}
			e.text += estimateTokens(completionOf(data))
		}
		e.rest = append(e.rest[:0], line...)
		if err != nil {
			if e.done != nil {
				e.done(e.u, e.text, e.ok)
				e.done = nil
			}
			if len(e.rest) == 0 {
				return 0, err
			}
			if err != io.EOF {
				n := copy(p, e.rest)
				return n, err
			}
		}
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

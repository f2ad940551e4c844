package replica

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"tandem"
)

// ReplayRequest is one request of an .http file.
type ReplayRequest struct {
	Name   string
	Method string
	Path   string // with query
	Header http.Header
	Body   []byte
}

// Replayed is how a request was answered by the scratch service and by the original.
type Replayed struct {
	Name     string `json:"name"`
	Scratch  int    `json:"scratch"`            // status; 0: no answer
	Original int    `json:"original,omitempty"` // status; 0: not asked
	Same     bool   `json:"same"`
}

// ParseRequests reads an .http file: requests parted by lines that begin with ###, each a request line, headers, an empty
// line and a body. Lines in front of a request that begin with # or // are comments.
func ParseRequests(file string, data []byte) ([]ReplayRequest, error) {
	var out []ReplayRequest
	fail := func(line int, why string) ([]ReplayRequest, error) {
		return nil, &tandem.Error{Op: "read requests", Subject: fmt.Sprintf("%s:%d", file, line), Kind: tandem.Invalid, Err: errors.New(why), Remedy: "write requests as: GET /path, headers, an empty line, a body; part them by lines of ###"}
	}
	var one *ReplayRequest
	name, inBody := "", false
	var body []string
	flush := func() {
		if one != nil {
			one.Body = []byte(strings.TrimRight(strings.Join(body, "\n"), "\n"))
			out = append(out, *one)
		}
		one, inBody, body = nil, false, nil
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "###"):
			flush()
			name = strings.TrimSpace(strings.TrimLeft(line, "#"))
		case one == nil && (strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "//")):
		case one == nil:
			words := strings.Fields(line)
			if len(words) < 2 || len(words) > 3 || !strings.HasPrefix(words[1], "/") || strings.ToUpper(words[0]) != words[0] {
				return fail(n, fmt.Sprintf("%q is no request line with a path that begins with a slash", line))
			}
			one = &ReplayRequest{Name: name, Method: words[0], Path: words[1], Header: http.Header{}}
			if one.Name == "" {
				one.Name = words[0] + " " + words[1]
			}
			name = ""
		case inBody:
			body = append(body, line)
		case line == "":
			inBody = true
		default:
			header, value, ok := strings.Cut(line, ":")
			if !ok || strings.ContainsAny(header, " \t") || header == "" {
				return fail(n, fmt.Sprintf("%q is no header", line))
			}
			one.Header.Add(header, strings.TrimSpace(value))
		}
	}
	flush()
	return out, nil
}

// replayWithin bounds one request.
const replayWithin = 30 * time.Second

// mostReplayed bounds a body that is compared.
const mostReplayed = 16 << 20

// replay sends each request to the scratch service and to the original and compares status, type and body.
func (p *Proof) replay(ctx context.Context, client *http.Client, requests []ReplayRequest, scratch, original string) {
	if original == "" {
		p.Doubts = append(p.Doubts, Reason{Message: "requests were replayed against the restored service alone; name the original gateway to compare the answers"})
	}
	bounded := *client
	bounded.Timeout, bounded.CheckRedirect = replayWithin, func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, r := range requests {
		a, err := r.send(ctx, &bounded, scratch)
		if err != nil {
			p.Doubts = append(p.Doubts, Reason{Path: r.Name, Message: "the restored service gave no answer: " + err.Error()})
			continue
		}
		done := Replayed{Name: r.Name, Scratch: a.status}
		if original != "" {
			b, err := r.send(ctx, &bounded, original)
			if err != nil {
				p.Doubts = append(p.Doubts, Reason{Path: r.Name, Message: "the original gave no answer: " + err.Error()})
			} else {
				done.Original = b.status
				if why := a.differs(b); why != "" {
					p.Failures = append(p.Failures, Reason{Path: r.Name, Message: "the restored service answers otherwise than the original: " + why})
				} else {
					done.Same = true
				}
			}
		}
		p.Replayed = append(p.Replayed, done)
	}
}

type replayAnswer struct {
	status int
	typ    string
	body   []byte
}

func (r ReplayRequest) send(ctx context.Context, c *http.Client, base string) (replayAnswer, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, strings.TrimRight(base, "/")+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return replayAnswer{}, err
	}
	req.Header = r.Header.Clone()
	if host := r.Header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := c.Do(req)
	if err != nil {
		return replayAnswer{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // it is read to its end
	body, err := io.ReadAll(io.LimitReader(bufio.NewReader(resp.Body), mostReplayed))
	return replayAnswer{resp.StatusCode, resp.Header.Get("Content-Type"), body}, err
}

// differs says how another answer differs; bodies may hold secrets and are not quoted.
func (a replayAnswer) differs(b replayAnswer) string {
	switch {
	case a.status != b.status:
		return fmt.Sprintf("status %d in place of %d", a.status, b.status)
	case a.typ != b.typ:
		return fmt.Sprintf("content type %q in place of %q", a.typ, b.typ)
	case !bytes.Equal(a.body, b.body):
		return fmt.Sprintf("another body (%d bytes, %d bytes)", len(a.body), len(b.body))
	}
	return ""
}

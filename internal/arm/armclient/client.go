// Package armclient calls a management endpoint of Azure Resource Manager, Tandem's own or Azure's: with tokens, retries,
// paging and long-running operations. It is small on purpose; the tests use the official SDKs beside it.
package armclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tandem"
	"tandem/internal/arm"
)

// TokenSource gives bearer tokens. Refresh throws away what it has kept, after the server refused it.
type TokenSource interface {
	Token(ctx context.Context) (string, error)
	Refresh()
}

// Config says how to call. Endpoint, Tokens, HTTP and Clock are needed.
type Config struct {
	Endpoint string // scheme and host: "https://management.azure.com"
	Tokens   TokenSource
	HTTP     *http.Client
	Clock    tandem.Clock
	// APIVersion of requests that name none.
	APIVersion string
	// Retries is how often a request is sent again; zero: 3, below zero: never.
	Retries int
	// MaxWait bounds one pause between tries or polls; zero: one minute.
	MaxWait time.Duration
	// MaxBody is the largest answer in bytes; zero: 256 MiB.
	MaxBody int64
}

// Client calls one endpoint. It may be used from many goroutines.
type Client struct{ Config }

// New makes a client.
func New(c Config) (*Client, error) {
	if c.Endpoint == "" || c.Tokens == nil || c.HTTP == nil || c.Clock == nil {
		return nil, &tandem.Error{Op: "make ARM client", Kind: tandem.Invalid, Remedy: "set Endpoint, Tokens, HTTP and Clock"}
	}
	c.Endpoint = strings.TrimRight(c.Endpoint, "/")
	if c.Retries == 0 {
		c.Retries = 3
	}
	if c.MaxWait == 0 {
		c.MaxWait = time.Minute
	}
	if c.MaxBody == 0 {
		c.MaxBody = 256 << 20
	}
	return &Client{c}, nil
}

// Request is one call.
type Request struct {
	Method string
	Path   string // below the endpoint, or a whole address on it, as links are; may have a query
	Query  url.Values
	Header http.Header
	Body   any // sent as JSON; []byte and json.RawMessage as they are; nil: none
}

// Response is an answer with a status below 300.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode reads the body as JSON.
func (r *Response) Decode(into any) error {
	if err := json.Unmarshal(r.Body, into); err != nil {
		return &tandem.Error{Op: "read answer", Kind: tandem.Corrupt, Err: err, Remedy: "check that the endpoint is Azure Resource Manager's"}
	}
	return nil
}

// Do sends a request and gives an answer below 300; other answers are *arm.Error. It tries again after answers that Azure
// calls transient and after broken connections, as long as sending twice does no harm: a POST or PATCH is sent again only
// after 429 and 503, which say that nothing was done.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	address, err := c.address(r)
	if err != nil {
		return nil, err
	}
	body, err := encode(r.Body)
	if err != nil {
		return nil, err
	}
	refreshed := false
	for try := 0; ; try++ {
		resp, err := c.send(ctx, r, address, body)
		if err == nil {
			return resp, nil
		}
		var e *arm.Error
		isAnswer := errors.As(err, &e)
		if isAnswer && e.Status == http.StatusUnauthorized && !refreshed {
			refreshed = true
			c.Tokens.Refresh()
			continue
		}
		if try >= c.Retries || ctx.Err() != nil || !transient(r.Method, e, isAnswer, err) {
			return nil, err
		}
		if err := c.Clock.Sleep(ctx, c.pause(try, e)); err != nil {
			return nil, err
		}
	}
}

func (c *Client) address(r Request) (string, error) {
	address := r.Path
	if !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") {
		address = c.Endpoint + "/" + strings.TrimLeft(address, "/")
	}
	u, err := url.Parse(address)
	if err == nil && !strings.HasPrefix(address+"/", c.Endpoint+"/") {
		// A link to elsewhere must not get the token.
		err = errors.New("it is not below " + c.Endpoint)
	}
	if err != nil {
		return "", &tandem.Error{Op: "call", Subject: r.Path, Kind: tandem.Invalid, Err: err, Remedy: "give a path or a link of this endpoint"}
	}
	q := u.Query()
	for name, values := range r.Query {
		q[name] = values
	}
	if q.Get("api-version") == "" && c.APIVersion != "" {
		q.Set("api-version", c.APIVersion)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

func encode(body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return b, nil
	case json.RawMessage:
		return b, nil
	}
	b, err := json.Marshal(body)
	if err != nil {
		return nil, &tandem.Error{Op: "write request", Kind: tandem.Invalid, Err: err}
	}
	return b, nil
}

func (c *Client) send(ctx context.Context, r Request, address string, body []byte) (*Response, error) {
	token, err := c.Tokens.Token(ctx)
	if err != nil {
		return nil, err
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	hr, err := http.NewRequestWithContext(ctx, r.Method, address, reader)
	if err != nil {
		return nil, &tandem.Error{Op: "call", Subject: r.Method + " " + r.Path, Kind: tandem.Invalid, Err: err}
	}
	for name, values := range r.Header {
		hr.Header[http.CanonicalHeaderKey(name)] = values
	}
	hr.Header.Set("Authorization", "Bearer "+token)
	if body != nil && hr.Header.Get("Content-Type") == "" {
		hr.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.HTTP.Do(hr)
	if err != nil {
		return nil, &tandem.Error{Op: "call", Subject: r.Method + " " + r.Path, Kind: tandem.Unavailable, Err: err, Remedy: "check that the endpoint is up and trusted"}
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, c.MaxBody+1))
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	if err == nil && int64(len(content)) > c.MaxBody {
		return nil, &tandem.Error{Op: "read answer of", Subject: r.Method + " " + r.Path, Kind: tandem.TooLarge, Remedy: fmt.Sprintf("ask for less than %d bytes at a time", c.MaxBody)}
	}
	if err != nil {
		return nil, &tandem.Error{Op: "read answer of", Subject: r.Method + " " + r.Path, Kind: tandem.Unavailable, Err: err}
	}
	if resp.StatusCode >= 300 {
		return nil, answerError(resp, content)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: content}, nil
}

// answerError reads ARM's envelope, or makes an error of what came instead.
func answerError(resp *http.Response, content []byte) error {
	var envelope struct {
		Error *arm.Error `json:"error"`
	}
	if json.Unmarshal(content, &envelope) != nil || envelope.Error == nil || envelope.Error.Code == "" {
		envelope.Error = arm.Errorf(0, strings.ReplaceAll(http.StatusText(resp.StatusCode), " ", ""), "The endpoint answered %s.", resp.Status)
	}
	envelope.Error.Status, envelope.Error.Header = resp.StatusCode, resp.Header
	return envelope.Error
}

func transient(method string, e *arm.Error, isAnswer bool, err error) bool {
	repeatable := method != http.MethodPost && method != http.MethodPatch
	if !isAnswer {
		return repeatable && tandem.KindOf(err) == tandem.Unavailable
	}
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return repeatable
	}
	return false
}

// pause is how long to wait before the next try: what the server says, else longer each time, with some chance in it so that
// clients do not come back together.
func (c *Client) pause(try int, e *arm.Error) time.Duration {
	if e != nil {
		if d, ok := retryAfter(e.Header, c.Clock.Now()); ok {
			return min(d, c.MaxWait)
		}
	}
	d := min(500*time.Millisecond<<min(try, 20), c.MaxWait)
	return d/2 + rand.N(d/2+1)
}

// retryAfter reads Retry-After-Ms, x-ms-retry-after-ms and Retry-After (seconds, or a date).
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if ms, err := time.ParseDuration(h.Get(name) + "ms"); err == nil && ms >= 0 {
			return ms, true
		}
	}
	text := h.Get("Retry-After")
	if s, err := time.ParseDuration(text + "s"); err == nil && s >= 0 {
		return s, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}

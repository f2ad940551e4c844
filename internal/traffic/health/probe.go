package health

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"tandem"
)

// maxBody bounds what is read of an answer: a probe looks for a word, it does not download.
const maxBody = 64 << 10

// conn is one connection to an endpoint, kept open between probes as a trip-wire: when the process behind it dies, the
// kernel says so at once.
type conn struct {
	net.Conn
	reader *bufio.Reader
	warned string // what is wrong with the certificate, where nobody asserts it
	// tripped is closed when the peer closed or spoke out of turn while the connection was idle; watching says that
	// somebody reads for it.
	tripped chan struct{}
	quiet   bool // after tripped: the read ended by our own deadline, the connection is sound
	opened  time.Time
}

// outcome is the result of one probe.
type outcome struct {
	ok     bool
	reason string // of a failure, or a warning
	stale  bool   // a kept connection was found closed before the answer began: no verdict on the endpoint
	keep   *conn  // open and usable again; nil where not
	took   time.Duration
}

// probe asks once. kept may be a connection of an earlier probe. The time allowed covers everything.
func probe(ctx context.Context, clock tandem.Clock, t Target, kept *conn, timeout time.Duration) outcome {
	began := clock.Now()
	o := ask(ctx, t, kept, began, began.Add(timeout))
	o.took = clock.Now().Sub(began)
	if !o.ok && !o.stale && o.took >= timeout {
		o.reason = fmt.Sprintf("no answer within %v: %s", timeout, o.reason)
	}
	return o
}

func ask(ctx context.Context, t Target, c *conn, began, deadline time.Time) outcome {
	fresh := c == nil
	if fresh {
		var err error
		if c, err = open(ctx, t, began, deadline); err != nil {
			return outcome{reason: explain(err)}
		}
	}
	if t.Protocol == TCP { // the handshake is the probe
		return outcome{ok: true, keep: c}
	}
	// A probe that is given up must not hang in a read.
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(began) })
	defer stop()
	c.SetDeadline(deadline)
	o := request(t, c)
	if o.keep == nil {
		c.Close()
	}
	if o.ok && c.warned != "" {
		o.reason = c.warned
	}
	o.stale = o.stale && !fresh
	return o
}

func open(ctx context.Context, t Target, began, deadline time.Time) (*conn, error) {
	d := net.Dialer{Deadline: deadline, KeepAlive: -1}
	raw, err := d.DialContext(ctx, "tcp", t.address())
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, opened: began}
	if t.Protocol == HTTPS {
		if err := c.startTLS(ctx, t, deadline, began); err != nil {
			raw.Close()
			return nil, err
		}
	}
	c.reader = bufio.NewReader(c.Conn)
	return c, nil
}

// startTLS shakes hands without judging the certificate, as Azure does, and then judges it: a bad one is a failure where
// the settings assert it, a warning where not.
func (c *conn) startTLS(ctx context.Context, t Target, deadline, now time.Time) error {
	name := t.serverName()
	cfg := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, NextProtos: []string{"http/1.1"}} // a probe meets old servers
	if net.ParseIP(name) == nil {
		cfg.ServerName = name
	}
	c.SetDeadline(deadline)
	s := tls.Client(c.Conn, cfg)
	if err := s.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	c.Conn = s
	if err := judge(s.ConnectionState(), name, now); err != nil {
		if t.Certificate {
			return fmt.Errorf("certificate: %w", err)
		}
		c.warned = "the certificate is not valid, which clients may refuse: " + err.Error()
	}
	return nil
}

// request sends a GET and reads the answer.
func request(t Target, c *conn) outcome {
	var b bytes.Buffer
	path := t.Path
	if path == "" {
		path = "/"
	}
	if t.Detail {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + "detail=1"
	}
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: Tandem Traffic Manager Endpoint Monitor\r\nAccept: */*\r\n", path, t.hostHeader())
	for _, h := range t.Headers {
		if !strings.EqualFold(h.Name, "Host") {
			fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
		}
	}
	b.WriteString("\r\n")
	if _, err := c.Write(b.Bytes()); err != nil {
		return outcome{reason: explain(err), stale: closedEarly(err)}
	}
	if _, err := c.reader.Peek(1); err != nil {
		return outcome{reason: explain(err), stale: closedEarly(err)}
	}
	response, err := http.ReadResponse(c.reader, &http.Request{Method: http.MethodGet})
	if err != nil {
		return outcome{reason: "the answer is not HTTP: " + explain(err)}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return outcome{reason: "the body broke off: " + explain(err)}
	}
	var o outcome
	if len(body) <= maxBody && !response.Close && response.ProtoAtLeast(1, 1) {
		o.keep = c
	}
	switch {
	case !t.expects(response.StatusCode):
		o.reason = fmt.Sprintf("status %d", response.StatusCode)
	case t.BodyMatch != "" && !bytes.Contains(body, []byte(t.BodyMatch)):
		o.reason = fmt.Sprintf("the body does not contain %q", t.BodyMatch)
	case t.Detail:
		o.reason = checkDetail(body)
		o.ok = o.reason == ""
	default:
		o.ok = true
	}
	return o
}

// closedEarly tells that a connection was closed, not slow: on a kept one that is a server's right.
func closedEarly(err error) bool {
	var timeout net.Error
	return !(errors.As(err, &timeout) && timeout.Timeout())
}

// explain puts an error into few words for the event log.
func explain(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	}
	return err.Error()
}

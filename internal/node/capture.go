package node

import (
	"bytes"
	"net/http"
)

// captured is an answer that is kept instead of sent.
type captured struct {
	Code   int
	Body   bytes.Buffer
	header http.Header
}

func newCaptured() *captured { return &captured{Code: http.StatusOK, header: http.Header{}} }

// Header implements http.ResponseWriter.
func (c *captured) Header() http.Header { return c.header }

// WriteHeader implements http.ResponseWriter.
func (c *captured) WriteHeader(status int) { c.Code = status }

// Write implements http.ResponseWriter.
func (c *captured) Write(p []byte) (int, error) { return c.Body.Write(p) }

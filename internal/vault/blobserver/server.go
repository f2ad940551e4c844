package blobserver

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"

	"tandem"
)

// Access is what a bearer token is asked for.
type Access struct {
	Account   string
	Container string // empty for the account itself
	Blob      string // empty for the container itself
	// Action is Azure's name, for example "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read".
	Action string
}

// Config is what a Server is made of.
type Config struct {
	Dir   string // where accounts lie; made where absent; one Server at a time holds it
	Clock tandem.Clock
	// Keys gives the keys of an account, decoded; false: there is no such account. It is asked on every request, so that a
	// regenerated key stops working at once.
	Keys func(account string) (keys [][]byte, ok bool)
	// Bearer decides over a bearer token: Unauthenticated becomes 401, Denied 403. Nil: bearer tokens are refused.
	Bearer func(ctx context.Context, token string, a Access) error
	// Authority is named in the challenge of a 401, for SDKs that look there; may be empty.
	Authority string
}

// Server is the endpoint, an http.Handler. It must be served over TLS for bearer tokens and SAS, which are refused
// otherwise, as in Azure.
type Server struct {
	config Config
	disk   *disk
}

// New opens the folder. What a crash left half-written is removed; what was acknowledged is there.
func New(c Config) (*Server, error) {
	d, err := openDisk(c.Dir, c.Clock)
	if err != nil {
		return nil, &tandem.Error{Op: "open blob folder", Subject: c.Dir, Kind: kindOr(err, tandem.Unavailable), Err: err,
			Remedy: "check that the folder can be written and that no other process serves it"}
	}
	return &Server{config: c, disk: d}, nil
}

// Close releases the folder. Requests under way may fail.
func (s *Server) Close() error { return s.disk.close() }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{s: s, w: w, r: r}
	c.begin()
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}

// call is one request under way.
type call struct {
	s         *Server
	w         http.ResponseWriter
	r         *http.Request
	query     map[string][]string // by lower-case name
	account   string
	container string // empty: the account is meant
	blob      string // empty: the container is meant
	pathStyle bool
	begun     bool // the status line is out
}

func (c *call) begin() {
	h := c.w.Header()
	var id [16]byte
	_, _ = rand.Read(id[:]) // crypto/rand never fails on supported systems; the id is for reading logs alone
	h.Set("x-ms-request-id", fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]))
	if v := c.r.Header.Get("x-ms-version"); v != "" && len(v) < 32 {
		h.Set("x-ms-version", v)
	}
	if v := c.r.Header.Get("x-ms-client-request-id"); v != "" && len(v) <= 1024 {
		h.Set("x-ms-client-request-id", v)
	}
	h.Set("Server", "Tandem-Blob/1.0")
}

// q gives the first value of a query parameter.
func (c *call) q(name string) string {
	if v := c.query[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// operation is one row of the service's table: what it does, what it asks of a token and of a SAS.
type operation struct {
	run      func(*call) error
	action   string // below Microsoft.Storage/storageAccounts/blobServices/
	sas      string // any of these letters of sp permits it
	resource byte   // of an account SAS's srt: s, c or o
}

// lookup maps "METHOD level restype comp" to what serves it. Level: account, container, blob.
func lookup(key string) (operation, bool) {
	const read, write, remove = "containers/blobs/read", "containers/blobs/write", "containers/blobs/delete"
	switch key {
	case "GET account  list":
		return operation{(*call).listContainers, "containers/read", "l", 's'}, true
	case "GET account account properties", "HEAD account account properties":
		return operation{(*call).accountInfo, "containers/read", "rwl", 's'}, true
	case "PUT container container ":
		return operation{(*call).createContainer, "containers/write", "cw", 'c'}, true
	case "GET container container ", "HEAD container container ", "GET container container metadata", "HEAD container container metadata":
		return operation{(*call).containerProperties, "containers/read", "rl", 'c'}, true
	case "PUT container container metadata":
		return operation{(*call).setContainerMetadata, "containers/write", "w", 'c'}, true
	case "DELETE container container ":
		return operation{(*call).deleteContainer, "containers/delete", "d", 'c'}, true
	case "GET container container list":
		return operation{(*call).listBlobs, read, "l", 'c'}, true
	case "PUT blob  ":
		return operation{(*call).putBlob, write, "wc", 'o'}, true
	case "PUT blob  block":
		return operation{(*call).putBlock, write, "wc", 'o'}, true
	case "PUT blob  blocklist":
		return operation{(*call).putBlockList, write, "wc", 'o'}, true
	case "GET blob  blocklist":
		return operation{(*call).getBlockList, read, "r", 'o'}, true
	case "PUT blob  metadata":
		return operation{(*call).setBlobMetadata, write, "w", 'o'}, true
	case "PUT blob  properties":
		return operation{(*call).setBlobProperties, write, "w", 'o'}, true
	case "GET blob  ", "GET blob  metadata":
		return operation{(*call).getBlob, read, "r", 'o'}, true
	case "HEAD blob  ", "HEAD blob  metadata":
		return operation{(*call).getBlob, read, "r", 'o'}, true
	case "DELETE blob  ":
		return operation{(*call).deleteBlob, remove, "d", 'o'}, true
	}
	return operation{}, false
}

func (c *call) serve() error {
	if err := c.address(); err != nil {
		return err
	}
	level := "blob"
	switch {
	case c.container == "":
		level = "account"
	case c.blob == "":
		level = "container"
	}
	op, ok := lookup(strings.Join([]string{c.r.Method, level, c.q("restype"), c.q("comp")}, " "))
	if !ok {
		// The signature is checked first, so that a stranger learns nothing; then the refusal is clear.
		op = operation{(*call).unsupported, "containers/blobs/read", "rwdlc", 'o'}
	}
	if err := c.authorise(op); err != nil {
		return err
	}
	return op.run(c)
}

func (c *call) unsupported() error {
	return &wireError{http.StatusNotImplemented, "NotImplemented", fmt.Sprintf("The operation %s restype=%q comp=%q is not served by this endpoint.", c.r.Method, c.q("restype"), c.q("comp"))}
}

func (c *call) accountInfo() error {
	h := c.w.Header()
	h.Set("x-ms-sku-name", "Standard_LRS")
	h.Set("x-ms-account-kind", "BlobStorage")
	h.Set("x-ms-is-hns-enabled", "false")
	c.status(http.StatusOK)
	return nil
}

func (c *call) status(code int) {
	c.begun = true
	c.w.WriteHeader(code)
}

func kindOr(err error, k tandem.Kind) tandem.Kind {
	if inner := tandem.KindOf(err); inner != "" {
		return inner
	}
	return k
}

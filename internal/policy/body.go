package policy

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"

	"tandem/internal/exchange"
)

// readBody gives the whole content of a message, which keeps it. Compressed content is decompressed first, and stays so:
// policies see text, as they do in Azure.
func (s *State) readBody(m *exchange.Message) ([]byte, error) {
	limit := s.Host.maxBody()
	b, err := m.Body.Bytes(limit)
	if err != nil {
		return nil, bodyFailure(err)
	}
	if len(b) == 0 {
		return b, nil
	}
	encoding := strings.ToLower(m.Header.Get("Content-Encoding"))
	var r io.Reader
	switch encoding {
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(bytes.NewReader(b))
	case "deflate":
		r, err = zlib.NewReader(bytes.NewReader(b))
	default:
		return b, nil
	}
	if err == nil {
		b, err = io.ReadAll(io.LimitReader(r, limit+1))
	}
	if err == nil && int64(len(b)) > limit {
		err = exchange.ErrBodyTooLarge
	}
	if err != nil {
		return nil, bodyFailure(err)
	}
	m.Body = exchange.Bytes(b)
	m.Header.Del("Content-Encoding")
	m.Header.Del("Content-Length")
	return b, nil
}

// bodyFailure is the error of a body that cannot be read.
func bodyFailure(err error) error {
	if errors.Is(err, exchange.ErrBodyTooLarge) {
		return &LastError{Status: 413, Reason: "RequestBodyTooLarge", Message: "The body is larger than policies may read.", Err: err}
	}
	return &LastError{Status: 500, Reason: ReasonConnection, Message: "The body could not be read.", Err: err}
}

// mediaType gives the type of a message without its parameters, in lower case.
func mediaType(h exchange.Header) string {
	t, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(t))
}

func isJSON(media string) bool {
	return media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")
}

func isXML(media string) bool {
	return media == "application/xml" || media == "text/xml" || strings.HasSuffix(media, "+xml")
}

// trimBOM drops a byte order mark.
func trimBOM(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) }

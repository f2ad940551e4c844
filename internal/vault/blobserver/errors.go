package blobserver

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"

	"tandem"
)

// wireError is an error as Azure words it: an HTTP status, a code in x-ms-error-code and in the XML body, a message.
type wireError struct {
	status  int
	code    string
	message string
}

func (e *wireError) Error() string { return e.code + ": " + e.message }

func errContainerNotFound() error {
	return &wireError{http.StatusNotFound, "ContainerNotFound", "The specified container does not exist."}
}

func errBlobNotFound() error {
	return &wireError{http.StatusNotFound, "BlobNotFound", "The specified blob does not exist."}
}

func errHeader(name string) error {
	return &wireError{http.StatusBadRequest, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format: " + name + "."}
}

func errQuery(name string) error {
	return &wireError{http.StatusBadRequest, "InvalidQueryParameterValue", "Value for one of the query parameters specified in the request URI is invalid: " + name + "."}
}

func errAuthentication(detail string) error {
	return &wireError{http.StatusForbidden, "AuthenticationFailed",
		"Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature. " + detail}
}

// fail sends err, or cuts the connection where the answer has begun already: the client must see that it is not whole.
func (c *call) fail(err error) {
	if c.begun {
		panic(http.ErrAbortHandler) // net/http's own way to cut an answer short; it recovers this value in silence
	}
	var we *wireError
	if !errors.As(err, &we) {
		we = &wireError{http.StatusInternalServerError, "InternalError", "The server encountered an internal error. Please retry the request."}
		if errors.Is(err, tandem.TooLarge) {
			we = &wireError{http.StatusInsufficientStorage, "InsufficientStorage", "The disk of the blob endpoint is full."}
		}
	}
	h := c.w.Header()
	for _, name := range []string{"ETag", "Last-Modified", "Content-MD5", "Content-Encoding", "Content-Disposition", "Content-Language", "Cache-Control"} {
		if we.status != http.StatusNotModified {
			h.Del(name)
		}
	}
	h.Set("x-ms-error-code", we.code)
	if we.status == http.StatusNotModified {
		c.status(we.status)
		return
	}
	body := errorXML(we, h.Get("x-ms-request-id"))
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.status(we.status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body) // the client is gone: nobody is left to tell
	}
}

func errorXML(e *wireError, id string) []byte {
	body, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}{Code: e.code, Message: e.message + "\nRequestId:" + id})
	if err != nil {
		return nil // two strings always marshal
	}
	return append([]byte(xml.Header), body...)
}

package http1

// Refusal is why a peer's message was not taken: the status a client is answered with, and a sentence for it. It is safe
// to show: it quotes nothing of the message.
type Refusal struct {
	Status  int
	Message string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Message }

func refuse(status int, message string) *Refusal { return &Refusal{status, message} }

// The refusals. None is changed after its making.
var (
	errBareLF        = refuse(400, "A line of the message does not end with CRLF.")
	errRequestLine   = refuse(400, "The request line is malformed.")
	errMethod        = refuse(400, "The request method is not a token.")
	errTarget        = refuse(400, "The request target is malformed.")
	errTargetLong    = refuse(414, "The request target is too long.")
	errVersion       = refuse(400, "The HTTP version is malformed.")
	errVersionOther  = refuse(505, "The HTTP version is not supported; use HTTP/1.1.")
	errConnect       = refuse(501, "The CONNECT method is not supported.")
	errHeadLarge     = refuse(431, "The header section is too large.")
	errHeadCount     = refuse(431, "The header section has too many fields.")
	errFold          = refuse(400, "A header field is folded over several lines.")
	errFieldName     = refuse(400, "A header field name is malformed.")
	errFieldValue    = refuse(400, "A header field value has a control character.")
	errNoHost        = refuse(400, "The Host header is missing.")
	errHost          = refuse(400, "The Host header is malformed or repeated.")
	errHostDiffers   = refuse(400, "The Host header and the request target name different hosts.")
	errLength        = refuse(400, "The Content-Length header is malformed or repeated.")
	errCoding        = refuse(400, "The Transfer-Encoding header is malformed or repeated.")
	errCodingOther   = refuse(501, "The transfer coding is not supported; use chunked.")
	errCodingLength  = refuse(400, "The message has both Content-Length and Transfer-Encoding.")
	errCodingOld     = refuse(400, "Transfer-Encoding is not part of HTTP/1.0.")
	errExpect        = refuse(417, "The expectation is not supported; use 100-continue.")
	errChunk         = refuse(400, "The chunked body is malformed.")
	errTrailer       = refuse(400, "The trailer section is malformed.")
	errBodyLarge     = refuse(413, "The request body is too large.")
	errBodySlow      = refuse(408, "The request body did not arrive in time.")
	errHeadSlow      = refuse(408, "The request did not arrive in time.")
	errBodyCut       = refuse(400, "The request body ended before its announced length.")
	errPanic         = refuse(500, "Internal server error")
	errStatusLine    = refuse(502, "The status line of the backend's response is malformed.")
	errUpgradeUnread = refuse(502, "The backend changed the protocol without being asked.")
	errInterimMany   = refuse(502, "The backend sent too many interim responses.")
)

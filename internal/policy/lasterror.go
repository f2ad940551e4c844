package policy

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"tandem/internal/exchange"
)

// Errors that parts of a Host return, wrapped.
var (
	ErrTimeout    = errors.New("the service did not answer in time")
	ErrConnection = errors.New("the service could not be reached")
	ErrClientGone = errors.New("the client went away")
)

// Reasons of LastError that Azure documents.
const (
	ReasonExpression     = "ExpressionValueEvaluationFailure"
	ReasonConnection     = "BackendConnectionFailure"
	ReasonClient         = "ClientConnectionFailure"
	ReasonTimeout        = "Timeout"
	ReasonNoOperation    = "OperationNotFound"
	ReasonKeyMissing     = "SubscriptionKeyNotFound"
	ReasonKeyInvalid     = "SubscriptionKeyInvalid"
	ReasonRateLimit      = "RateLimitExceeded"
	ReasonQuota          = "QuotaExceeded"
	ReasonJSONP          = "CallbackParameterInvalid"
	ReasonIPUnknown      = "FailedToParseCallerIP"
	ReasonIPNotAllowed   = "CallerIpNotAllowed"
	ReasonIPBlocked      = "CallerIpBlocked"
	ReasonHeaderMissing  = "HeaderNotFound"
	ReasonHeaderValue    = "HeaderValueNotAllowed"
	ReasonTokenMissing   = "TokenNotPresent"
	ReasonTokenSignature = "TokenSignatureInvalid"
	ReasonTokenAudience  = "TokenAudienceNotAllowed"
	ReasonTokenIssuer    = "TokenIssuerNotAllowed"
	ReasonTokenExpired   = "TokenExpired"
	ReasonTokenKey       = "TokenSignatureKeyNotFound"
	ReasonClaimMissing   = "TokenClaimNotFound"
	ReasonClaimValue     = "TokenClaimValueNotAllowed"
	ReasonJWT            = "JwtInvalid"
)

// LastError is why a request left its way: context.LastError, and the answer that it gets unless on-error gives another.
type LastError struct {
	Source   string // a policy's or a built-in step's name
	Reason   string
	Message  string
	Scope    Scope
	Section  Section
	Path     string // the nested policy, for example "choose[3]/when[2]"
	PolicyID string

	Status int    // of the answer
	Body   string // of the answer; empty: made of Status and Text
	Text   string // the message of the answer; empty: Message
	Header exchange.Header
	Err    error // the cause, for the gateway's own log
}

// Error implements error.
func (e *LastError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Source, e.Message, e.Err)
	}
	return e.Source + ": " + e.Message
}

// Unwrap gives the cause.
func (e *LastError) Unwrap() error { return e.Err }

// failure makes the error of a policy that refuses a request.
func failure(status int, reason, message string) *LastError {
	return &LastError{Status: status, Reason: reason, Message: message}
}

// errResponded ends a pipeline whose answer is ready: return-response, mock-response, a preflight, a cache hit.
var errResponded = errors.New("the answer is ready")

// asLastError turns what went wrong in a step into a LastError, as Azure names it.
func asLastError(err error) *LastError {
	var e *LastError
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, ErrTimeout):
		return &LastError{Status: 500, Reason: ReasonTimeout, Message: "The service did not answer within the configured time.", Err: err}
	case errors.Is(err, ErrClientGone):
		return &LastError{Status: 499, Reason: ReasonClient, Message: "A task was canceled.", Err: err}
	case errors.Is(err, ErrConnection):
		return &LastError{Status: 500, Reason: ReasonConnection, Message: "The backend service could not be reached.", Err: err}
	}
	return &LastError{Status: 500, Message: err.Error(), Err: err}
}

// answer makes s.Response the answer that e gives. Clients are told no more of an internal error than its activity id.
func (e *LastError) answer(s *State) {
	s.resetResponse()
	r := &s.Response
	r.Status = e.Status
	if r.Status == 0 {
		r.Status = 500
	}
	r.Header = append(r.Header, e.Header...)
	if !r.Header.Has("Content-Type") {
		r.Header.Add("Content-Type", "application/json")
	}
	body := e.Body
	switch {
	case body != "":
	case r.Status == 500:
		body = `{ "statusCode": 500, "message": "Internal server error", "activityId": "` + s.RequestIDText() + `" }`
	default:
		text := e.Text
		if text == "" {
			text = e.Message
		}
		body = `{ "statusCode": ` + strconv.Itoa(r.Status) + `, "message": ` + quoteJSON(text) + ` }`
	}
	r.Body = exchange.Bytes([]byte(body))
}

// span writes a duration as .NET does: [d.]hh:mm:ss, rounded up to seconds.
func span(d time.Duration) string {
	s := int64((d + time.Second - 1) / time.Second)
	days := ""
	if s >= 86400 {
		days = strconv.FormatInt(s/86400, 10) + "."
		s %= 86400
	}
	return fmt.Sprintf("%s%02d:%02d:%02d", days, s/3600, s/60%60, s%60)
}

// KeyMissing is the error of a request without a subscription key where one is needed.
func KeyMissing() *LastError {
	return &LastError{Source: "authorization", Status: 401, Reason: ReasonKeyMissing,
		Message: "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API."}
}

// KeyInvalid is the error of a subscription key that opens nothing here.
func KeyInvalid() *LastError {
	return &LastError{Source: "authorization", Status: 401, Reason: ReasonKeyInvalid,
		Message: "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."}
}

// NoOperation is the error of a request that matches no API or no operation.
func NoOperation() *LastError {
	return &LastError{Source: "configuration", Status: 404, Reason: ReasonNoOperation, Text: "Resource not found",
		Message: "Unable to match incoming request to an operation."}
}

package arm

import (
	"context"
	"net/http"
	"strings"

	"tandem"
)

// authenticate reads the bearer token of a request. The words are Azure's; tools read the tenant out of the challenge.
func (s *Server) authenticate(ctx context.Context, r *http.Request) (Principal, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return Principal{}, s.unauthenticated("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.",
			"The authentication failed because of missing 'Authorization' header.")
	}
	scheme, token, _ := strings.Cut(header, " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Principal{}, s.unauthenticated("AuthenticationFailedInvalidHeader",
			"Authentication failed. The 'Authorization' header is provided in an invalid format.",
			"The 'Authorization' header must be 'Bearer' and a token.")
	}
	p, err := s.Authoriser.Authenticate(ctx, token)
	if err != nil && tandem.KindOf(err) == tandem.Unauthenticated {
		return Principal{}, s.unauthenticated("InvalidAuthenticationToken", "The access token is invalid.", "The access token is invalid.")
	}
	return p, err
}

func (s *Server) unauthenticated(code, message, description string) *Error {
	e := Errorf(http.StatusUnauthorized, code, "%s", message)
	e.Header = http.Header{"Www-Authenticate": {s.challenge("invalid_token", description)}}
	return e
}

// challenge is the WWW-Authenticate header (RFC 6750, section 3), with Azure's authorization_uri.
func (s *Server) challenge(code, description string) string {
	clean := strings.Map(func(r rune) rune {
		if r == '"' || r == '\\' || r < ' ' || r > '~' {
			return '\''
		}
		return r
	}, description)
	return `Bearer authorization_uri="` + s.AuthorizationURI + `", error="` + code + `", error_description="` + clean + `"`
}

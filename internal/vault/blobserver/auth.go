package blobserver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"tandem"
)

// skew is how far the date of a signed request may lie from now, as in Azure: an older one could be a replay.
const skew = 15 * time.Minute

// authorise decides by the Authorization header or, without one, by the SAS in the query.
func (c *call) authorise(op operation) error {
	keys, ok := c.s.config.Keys(c.account)
	if !ok {
		return errAuthentication("The account is not known here.")
	}
	header := c.r.Header.Get("Authorization")
	scheme, credential, _ := strings.Cut(header, " ")
	switch {
	case header == "" && c.q("sig") != "":
		return c.checkSAS(op, keys)
	case header == "":
		c.challenge()
		return &wireError{http.StatusUnauthorized, "NoAuthenticationInformation",
			"Server failed to authenticate the request. Please refer to the information in the www-authenticate header."}
	case strings.EqualFold(scheme, "SharedKey"):
		return c.checkSharedKey(keys, credential)
	case strings.EqualFold(scheme, "Bearer"):
		return c.checkBearer(op, strings.TrimSpace(credential))
	default:
		return &wireError{http.StatusBadRequest, "InvalidAuthenticationInfo", "The authorization scheme is not served: use SharedKey, Bearer or a SAS."}
	}
}

func (c *call) challenge() {
	v := "Bearer resource_id=https://storage.azure.com"
	if c.s.config.Authority != "" {
		v = "Bearer authorization_uri=" + c.s.config.Authority + " resource_id=https://storage.azure.com"
	}
	c.w.Header().Set("WWW-Authenticate", v)
}

func (c *call) checkBearer(op operation, token string) error {
	if c.s.config.Bearer == nil {
		return errAuthentication("Bearer tokens are not accepted by this account.")
	}
	if c.r.TLS == nil {
		return &wireError{http.StatusBadRequest, "AuthenticationFailed", "Bearer tokens are accepted over HTTPS alone."}
	}
	err := c.s.config.Bearer(c.r.Context(), token, Access{Account: c.account, Container: c.container, Blob: c.blob,
		Action: "Microsoft.Storage/storageAccounts/blobServices/" + op.action})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, tandem.Denied):
		return &wireError{http.StatusForbidden, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission."}
	case errors.Is(err, tandem.Unauthenticated):
		c.challenge()
		return &wireError{http.StatusUnauthorized, "InvalidAuthenticationInfo", "Server failed to authenticate the request. Please refer to the information in the www-authenticate header."}
	default:
		return &wireError{http.StatusServiceUnavailable, "ServerBusy", "The authority cannot decide over the token now. Please retry the request."}
	}
}

func (c *call) checkSharedKey(keys [][]byte, credential string) error {
	account, signature, ok := strings.Cut(credential, ":")
	if !ok {
		return &wireError{http.StatusBadRequest, "InvalidAuthenticationInfo", "The Authorization header is not of the form SharedKey account:signature."}
	}
	if account != c.account {
		return errAuthentication("The Authorization header names another account than the URI.")
	}
	date := c.r.Header.Get("x-ms-date")
	if date == "" {
		date = c.r.Header.Get("Date")
	}
	at, err := http.ParseTime(date)
	if err != nil {
		return errAuthentication("The request has no date that can be read.")
	}
	if d := c.s.config.Clock.Now().Sub(at); d > skew || d < -skew {
		return errAuthentication("Request date header too far from the current time: " + date)
	}
	// Current SDKs sort the x-ms- headers by Azure's weights; older ones by bytes. Both are signed with the key, so to
	// accept both gives nothing away.
	if c.signed(keys, signature, stringToSign(c.r, c.account, compareWeighted)) || c.signed(keys, signature, stringToSign(c.r, c.account, strings.Compare)) {
		return nil
	}
	return errAuthentication("The MAC signature found in the HTTP request is not the same as any computed signature.")
}

// signed compares a signature with that of every key, in constant time.
func (c *call) signed(keys [][]byte, signature, text string) bool {
	got, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	found := false
	for _, k := range keys {
		if len(k) == 0 {
			continue
		}
		m := hmac.New(sha256.New, k)
		m.Write([]byte(text))
		if hmac.Equal(got, m.Sum(nil)) {
			found = true
		}
	}
	return found
}

package blobserver

import (
	"bytes"
	"net"
	"net/http"
	"strings"
	"time"
)

// checkSAS verifies a shared access signature of the account (ss, srt) or of a container or blob (sr=c, sr=b), in the
// forms of service versions from 2015-04-05 on. Stored policies (si), directories and user delegation are not served.
func (c *call) checkSAS(op operation, keys [][]byte) error {
	version := c.q("sv")
	if version < "2015-04-05" || len(version) != len("2015-04-05") {
		return errAuthentication("The SAS has no service version (sv) from 2015-04-05 on.")
	}
	if c.q("si") != "" || c.q("skoid") != "" {
		return errAuthentication("Stored access policies and user delegation are not served.")
	}
	if err := c.checkTerms(); err != nil {
		return err
	}
	mismatch := func(code, message string) error { return &wireError{http.StatusForbidden, code, message} }
	if c.q("ss") != "" || c.q("srt") != "" {
		if !c.signed(keys, c.q("sig"), c.accountSAS(version)) {
			return errAuthentication("Signature did not match.")
		}
		if !strings.Contains(c.q("ss"), "b") {
			return mismatch("AuthorizationServiceMismatch", "This request is not authorized to perform this operation using this service.")
		}
		if !strings.ContainsRune(c.q("srt"), rune(op.resource)) {
			return mismatch("AuthorizationResourceTypeMismatch", "This request is not authorized to perform this operation using this resource type.")
		}
	} else {
		name, ok := c.serviceScope(op)
		if !ok {
			return mismatch("AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.")
		}
		if !c.signed(keys, c.q("sig"), c.serviceSAS(version, name)) {
			return errAuthentication("Signature did not match.")
		}
	}
	if !strings.ContainsAny(c.q("sp"), op.sas) {
		return mismatch("AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.")
	}
	return nil
}

// mayReplace tells whether the request may write over a blob: a SAS with create alone may not.
func (c *call) mayReplace() bool {
	return c.r.Header.Get("Authorization") != "" || strings.Contains(c.q("sp"), "w")
}

// checkTerms checks what holds for every SAS: time, protocol, address.
func (c *call) checkTerms() error {
	now := c.s.config.Clock.Now()
	if st := c.q("st"); st != "" {
		if at, ok := sasTime(st); !ok || now.Before(at) {
			return errAuthentication("Signature not valid in the specified time frame.")
		}
	}
	if at, ok := sasTime(c.q("se")); !ok || !now.Before(at) {
		return errAuthentication("Signature not valid in the specified time frame.")
	}
	switch c.q("spr") {
	case "", "https,http":
	case "https":
		if c.r.TLS == nil {
			return &wireError{http.StatusForbidden, "AuthorizationProtocolMismatch", "This request is not authorized to perform this operation using this protocol."}
		}
	default:
		return errQuery("spr")
	}
	if sip := c.q("sip"); sip != "" && !inRange(c.r.RemoteAddr, sip) {
		return &wireError{http.StatusForbidden, "AuthorizationSourceIPMismatch", "This request is not authorized to perform this operation using this source IP."}
	}
	return nil
}

func (c *call) accountSAS(version string) string {
	fields := []string{c.account, c.q("sp"), c.q("ss"), c.q("srt"), c.q("st"), c.q("se"), c.q("sip"), c.q("spr"), version}
	if version >= "2020-12-06" {
		fields = append(fields, c.q("ses"))
	}
	return strings.Join(fields, "\n") + "\n"
}

// serviceScope names the resource that a service SAS must cover. A container's SAS serves its blobs and its listing, a
// blob's serves that blob; neither serves the container itself.
func (c *call) serviceScope(op operation) (string, bool) {
	name := "/blob/" + c.account + "/" + c.container
	switch {
	case c.container == "":
		return "", false
	case c.q("sr") == "c" && (c.blob != "" || c.q("comp") == "list"):
		return name, true
	case c.q("sr") == "b" && c.blob != "":
		return name + "/" + c.blob, true
	}
	return "", false
}

func (c *call) serviceSAS(version, name string) string {
	fields := []string{c.q("sp"), c.q("st"), c.q("se"), name, c.q("si"), c.q("sip"), c.q("spr"), version}
	if version >= "2018-11-09" {
		fields = append(fields, c.q("sr"), "") // the empty one is a snapshot's time
	}
	if version >= "2020-12-06" {
		fields = append(fields, c.q("ses"))
	}
	fields = append(fields, c.q("rscc"), c.q("rscd"), c.q("rsce"), c.q("rscl"), c.q("rsct"))
	return strings.Join(fields, "\n")
}

func sasTime(s string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02T15:04:05.9999999Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// inRange tells whether the client's address is in "from" or "from-to".
func inRange(remote, sip string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	from, to, two := strings.Cut(sip, "-")
	if !two {
		to = from
	}
	ip, low, high := net.ParseIP(host).To4(), net.ParseIP(from).To4(), net.ParseIP(to).To4()
	return ip != nil && low != nil && high != nil && bytes.Compare(ip, low) >= 0 && bytes.Compare(ip, high) <= 0
}

package health

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Protocol is how an endpoint is probed.
type Protocol string

// The protocols of a probe.
const (
	HTTP  Protocol = "HTTP"
	HTTPS Protocol = "HTTPS"
	TCP   Protocol = "TCP"
)

// Header is one request header.
type Header struct{ Name, Value string }

// StatusRange is a range of HTTP statuses that count as success, both ends within.
type StatusRange struct{ Min, Max int }

// Target is what to probe and how. It is comparable by Equal; a change restarts the probe and keeps the state.
type Target struct {
	Host     string // DNS name or address
	Port     int
	Protocol Protocol
	Path     string
	Headers  []Header      // a Host header replaces the target's name
	Expected []StatusRange // empty: 200 alone
	// BodyMatch must be part of the body's first 64 KiB; empty: any body.
	BodyMatch string
	// Certificate demands that the TLS certificate is valid for the name; Azure does not look at it.
	Certificate bool
	// Detail asks for Tandem's detailed status (?detail=1) and demands that the gateway has a generation, its key and its
	// certificate.
	Detail  bool
	Timeout time.Duration // of one probe, from dial to the last octet
	Rules   Rules
}

// Equal compares what is probed and the rules.
func (t Target) Equal(u Target) bool { return fmt.Sprintf("%+v", t) == fmt.Sprintf("%+v", u) }

func (t Target) address() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

// hostHeader is the name a virtual host is chosen by: a Host header of the settings, else the target with its port where
// that is not the protocol's own.
func (t Target) hostHeader() string {
	for _, h := range t.Headers {
		if strings.EqualFold(h.Name, "Host") {
			return h.Value
		}
	}
	if t.Protocol == HTTP && t.Port == 80 || t.Protocol == HTTPS && t.Port == 443 {
		if strings.Contains(t.Host, ":") {
			return "[" + t.Host + "]"
		}
		return t.Host
	}
	return t.address()
}

// serverName is the name for TLS: of the Host header, else of the target; none for an address.
func (t Target) serverName() string {
	name := t.Host
	for _, h := range t.Headers {
		if strings.EqualFold(h.Name, "Host") {
			name = h.Value
			if host, _, err := net.SplitHostPort(name); err == nil {
				name = host
			}
		}
	}
	return name
}

func (t Target) expects(status int) bool {
	if len(t.Expected) == 0 {
		return status == 200
	}
	for _, r := range t.Expected {
		if r.Min <= status && status <= r.Max {
			return true
		}
	}
	return false
}

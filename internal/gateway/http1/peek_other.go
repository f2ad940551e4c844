//go:build !unix

package http1

import "net"

// What peek found.
const (
	peekNothing = iota
	peekData
	peekClosed
)

// peek finds nothing where the system has no such look; a stale connection then shows when it is used.
func peek(net.Conn) int { return peekNothing }

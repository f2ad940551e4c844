//go:build unix

package http1

import (
	"net"
	"syscall"
)

// What peek found.
const (
	peekNothing = iota // open, nothing to read
	peekData           // open, something to read
	peekClosed         // ended or broken
)

// peek looks at what a TCP connection would read, without waiting or taking it.
func peek(nc net.Conn) int {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return peekNothing
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return peekClosed
	}
	found := peekClosed
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
			found = peekNothing
		case err == nil && n > 0:
			found = peekData
		}
		return true
	})
	if err != nil {
		return peekClosed
	}
	return found
}

//go:build linux && (amd64 || arm64)

package nameserver

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const canShare = true

// shareSocket lets several sockets listen on one port, so that each core has its own queue, and forbids fragments: an
// answer too long for the path is better lost than forged together (RFC 9715).
func shareSocket(network, _ string, c syscall.RawConn) error {
	var err error
	control := func(fd uintptr) {
		if network == "tcp4" || network == "tcp6" {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			return
		}
		if err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return
		}
		// Older kernels do not know the option; the answers are below any usual path limit without it.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT)
	}
	if e := c.Control(control); e != nil {
		return e
	}
	return err
}

//go:build linux && (amd64 || arm64)

package nameserver

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

const canShare = true

// shareSocket lets several sockets listen on one port, so that each core has its own queue, and forbids fragments: an
// answer too long for the path is better lost than forged together (RFC 9715).
func shareSocket(network, address string, c syscall.RawConn) error {
	var err error
	control := func(fd uintptr) {
		if network == "tcp4" || network == "tcp6" {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
			return
		}
		if err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return
		}
		// On a wildcard address the answer must leave from where the question came to: the kernel tells it.
		if host, _, e := net.SplitHostPort(address); e == nil && net.ParseIP(host).IsUnspecified() {
			level, option := unix.IPPROTO_IP, unix.IP_PKTINFO
			if network == "udp6" { // tells of IPv4 packets too, in mapped form
				level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
			}
			if err = unix.SetsockoptInt(int(fd), level, option, 1); err != nil {
				return
			}
		}
		// Older kernels do not know the option; the answers are below any usual path limit without it.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT)
	}
	if e := c.Control(control); e != nil {
		return e
	}
	return err
}

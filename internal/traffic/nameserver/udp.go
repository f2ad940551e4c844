package nameserver

import (
	"errors"
	"net"
	"net/netip"
)

// packetSize is the room for one packet in or out: questions are small, answers end at maxUDP plus options.
const packetSize = 4096

// serveSingly answers one packet per system call, where batches are not to be had.
func (s *Server) serveSingly(c *net.UDPConn) {
	in, out := make([]byte, packetSize), make([]byte, packetSize)
	for {
		n, from, err := c.ReadFromUDPAddrPort(in)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier answer: it concerns nobody else
		}
		s.stats.UDP.Add(1)
		var q query
		if n = s.respond(&q, in[:n], s.moment(), from.Addr().Unmap(), false, out); n > 0 && !spoofProne(from) {
			c.WriteToUDPAddrPort(out[:n], from)
		}
	}
}

// spoofProne tells of source ports no client asks from: an answer would start a loop with another service.
func spoofProne(from netip.AddrPort) bool {
	switch from.Port() {
	case 0, 7, 13, 17, 19, 53, 123:
		return true
	}
	return false
}

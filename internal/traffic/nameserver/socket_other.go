//go:build !linux || !(amd64 || arm64)

package nameserver

import (
	"net"
	"syscall"
)

const canShare = false

func shareSocket(string, string, syscall.RawConn) error { return nil }

func (s *Server) serveUDP(c *net.UDPConn) { s.serveSingly(c) }

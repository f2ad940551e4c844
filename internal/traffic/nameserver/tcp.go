package nameserver

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"
)

// serveTCP accepts connections up to the bound; above it a new one is closed at once, which costs the client one try.
func (s *Server) serveTCP(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			if isClosed(err) {
				return
			}
			continue
		}
		if !s.admit(c) {
			c.Close()
			continue
		}
		s.work.Go(func() {
			defer func() {
				c.Close()
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
			}()
			s.serveStream(c)
		})
	}
}

// admit counts a connection in; one client may hold a quarter of all, so that it cannot shut the others out.
func (s *Server) admit(c net.Conn) bool {
	from, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return false
	}
	addr := from.AddrPort().Addr().Unmap()
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := 0
	for _, a := range s.conns {
		if a == addr {
			mine++
		}
	}
	if len(s.conns) >= s.config.TCPConnections || mine >= max(1, s.config.TCPConnections/4) {
		return false
	}
	s.conns[c] = addr
	return true
}

// serveStream answers questions on one connection, in order, until the client is silent for too long (RFC 7766).
func (s *Server) serveStream(c net.Conn) {
	from, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return
	}
	_, private := c.(*tls.Conn)
	src := from.AddrPort().Addr().Unmap()
	r := bufio.NewReader(c)
	in, out := make([]byte, packetSize), make([]byte, 2+packetSize)
	for {
		now := s.config.Clock.Now()
		c.SetDeadline(now.Add(s.config.TCPIdle))
		var length [2]byte
		if _, err := io.ReadFull(r, length[:]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint16(length[:]))
		if n > len(in) { // no honest question is that long
			return
		}
		if _, err := io.ReadFull(r, in[:n]); err != nil {
			return
		}
		s.stats.TCP.Add(1)
		q := query{stream: true, private: private}
		n = s.respond(&q, in[:n], s.moment(), src, true, out[2:])
		if n == 0 {
			return
		}
		binary.BigEndian.PutUint16(out, uint16(n))
		c.SetWriteDeadline(now.Add(min(s.config.TCPIdle, 5*time.Second)))
		if _, err := c.Write(out[:2+n]); err != nil {
			return
		}
	}
}

func isClosed(err error) bool { return errors.Is(err, net.ErrClosed) }

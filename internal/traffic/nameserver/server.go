package nameserver

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tandem"
)

// Config says what a Server serves and where.
type Config struct {
	Listen string // "192.0.2.1:53"; UDP and TCP; port 0 picks one
	Zones  []*Zone
	Clock  tandem.Clock
	// Sockets is how many UDP sockets share the port, one per core; 0 means one per processor Go may use.
	Sockets int
	// RateLimit is the number of answers per second and network (/24, /56) that UDP clients without a valid cookie get;
	// 0 means 5,000, negative none. One in Slip answers over it says to come by TCP; 0 means 2.
	RateLimit, Slip int
	// CookieSecret is shared by all servers of the zone (RFC 9018); zero means one made at start.
	CookieSecret [16]byte
	// NSID names this server to those who ask (RFC 5001); empty: it does not tell.
	NSID string
	// TLSListen and TLS open DNS over TLS (RFC 7858) beside; empty: none.
	TLSListen string
	TLS       *tls.Config
	// OnQuery is told one in Sample questions, at random; it must not block. Sample 0: none.
	Sample  uint32
	OnQuery func(Query)
	// Area gives the area of a client, below MaxAreas, that questions are counted by; nil: all are of area 0.
	Area func(netip.Addr) int
	// TCPConnections bounds open TCP connections; 0 means 256. TCPIdle is how long one may be silent; 0 means 10 s.
	TCPConnections int
	TCPIdle        time.Duration
}

// ServerStats counts what the server did; the fields only grow.
type ServerStats struct{ UDP, TCP, Dropped, Errors, Refused, Limited, Truncated atomic.Uint64 }

// Server answers questions for its zones over UDP and TCP.
type Server struct {
	config  Config
	zones   []*Zone
	cookies cookieJar
	limit   *limiter
	nsid    string
	stats   ServerStats
	began   time.Time

	udp  []*net.UDPConn
	tcp  net.Listener
	tls  net.Listener
	stop context.CancelFunc
	work sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]netip.Addr // open TCP connections by client
}

// New prepares a server; Start opens its sockets.
func New(c Config) (*Server, error) {
	if len(c.Zones) == 0 || c.Clock == nil {
		return nil, &tandem.Error{Op: "make DNS server", Subject: c.Listen, Kind: tandem.Invalid, Err: errors.New("it needs a zone and a clock"), Remedy: "set Zones and Clock"}
	}
	if c.RateLimit == 0 {
		c.RateLimit = 5000
	}
	if c.RateLimit > 1_000_000 {
		return nil, &tandem.Error{Op: "make DNS server", Subject: c.Listen, Kind: tandem.Invalid, Err: fmt.Errorf("a rate limit of %d is beyond 1,000,000", c.RateLimit), Remedy: "set a negative RateLimit for none"}
	}
	if c.Slip == 0 {
		c.Slip = 2
	}
	if c.Sockets == 0 {
		c.Sockets = runtime.GOMAXPROCS(0)
	}
	if c.TCPConnections == 0 {
		c.TCPConnections = 256
	}
	if c.TCPIdle == 0 {
		c.TCPIdle = 10 * time.Second
	}
	if (c.TLSListen != "") != (c.TLS != nil) || (c.Sample > 0) != (c.OnQuery != nil) {
		return nil, &tandem.Error{Op: "make DNS server", Subject: c.Listen, Kind: tandem.Invalid, Err: errors.New("TLSListen needs TLS, Sample needs OnQuery"), Remedy: "set both or none"}
	}
	if len(c.NSID) > 64 {
		return nil, &tandem.Error{Op: "make DNS server", Subject: c.Listen, Kind: tandem.Invalid, Err: errors.New("the NSID is longer than 64 octets"), Remedy: "shorten it"}
	}
	if c.CookieSecret == [16]byte{} {
		rand.Read(c.CookieSecret[:])
	}
	zones := slices.Clone(c.Zones)
	slices.SortFunc(zones, func(a, b *Zone) int { return len(b.wire) - len(a.wire) }) // the deeper one answers
	s := &Server{config: c, zones: zones, cookies: newCookieJar(c.CookieSecret), nsid: c.NSID, began: c.Clock.Now(), conns: map[net.Conn]netip.Addr{}}
	if c.RateLimit > 0 {
		var seed [8]byte
		rand.Read(seed[:])
		s.limit = &limiter{rate: uint32(c.RateLimit), slip: uint32(c.Slip), seed: binary.LittleEndian.Uint64(seed[:])}
	}
	return s, nil
}

// Stats are the server's counters.
func (s *Server) Stats() *ServerStats { return &s.stats }

// Start opens the sockets and answers until Stop. When it returns, questions are answered.
func (s *Server) Start() error {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	if err := s.open(ctx); err != nil {
		stop()
		s.closeSockets()
		return &tandem.Error{Op: "listen for DNS", Subject: s.config.Listen, Kind: tandem.Unavailable, Err: err, Remedy: "free the address or choose another; ports below 1024 need a privilege"}
	}
	for _, c := range s.udp {
		s.work.Go(func() { s.serveUDP(c) })
	}
	s.work.Go(func() { s.serveTCP(s.tcp) })
	if s.tls != nil {
		s.work.Go(func() { s.serveTCP(s.tls) })
	}
	return nil
}

// Addr is the address that is listened on, with the real port.
func (s *Server) Addr() netip.AddrPort {
	return s.udp[0].LocalAddr().(*net.UDPAddr).AddrPort()
}

// TLSAddr is the address of DNS over TLS; only where TLSListen was set.
func (s *Server) TLSAddr() netip.AddrPort { return s.tls.Addr().(*net.TCPAddr).AddrPort() }

// Stop closes the sockets and waits for the work under way.
func (s *Server) Stop() {
	if s.stop == nil {
		return
	}
	s.stop()
	s.closeSockets()
	s.work.Wait()
}

func (s *Server) closeSockets() {
	for _, c := range s.udp {
		c.Close()
	}
	for _, l := range []net.Listener{s.tcp, s.tls} {
		if l != nil {
			l.Close()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

// open binds UDP and TCP to one port; where the port is 0, a few are tried until both are free.
func (s *Server) open(ctx context.Context) error {
	host, port, err := net.SplitHostPort(s.config.Listen)
	if err != nil {
		return err
	}
	tries := 1
	if port == "0" {
		tries = 20
	}
	for ; tries > 0; tries-- {
		if err = s.openOnce(ctx, s.config.Listen, host); err == nil {
			return nil
		}
		s.closeSockets()
		s.udp, s.tcp, s.tls = nil, nil, nil
	}
	return err
}

func (s *Server) openOnce(ctx context.Context, address, host string) error {
	lc := net.ListenConfig{Control: shareSocket}
	for range s.config.Sockets {
		c, err := lc.ListenPacket(ctx, "udp", address)
		if err != nil {
			if len(s.udp) > 0 && !canShare {
				break
			}
			return err
		}
		u := c.(*net.UDPConn)
		u.SetReadBuffer(4 << 20) // a burst of a few hundred questions does not fit the default
		u.SetWriteBuffer(4 << 20)
		s.udp = append(s.udp, u)
		address = net.JoinHostPort(host, fmt.Sprint(u.LocalAddr().(*net.UDPAddr).Port))
		if !canShare {
			break
		}
	}
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	s.tcp = l
	if s.config.TLSListen == "" {
		return nil
	}
	if l, err = lc.Listen(ctx, "tcp", s.config.TLSListen); err == nil {
		s.tls = tls.NewListener(l, s.config.TLS)
	}
	return err
}

func (s *Server) moment() moment {
	now := s.config.Clock.Now()
	return moment{seconds: uint32(now.Unix()), millis: uint32(now.Sub(s.began)/time.Millisecond) + 1}
}

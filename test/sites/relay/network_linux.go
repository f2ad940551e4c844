package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"tandem"
)

// Config says which sites there are.
type Config struct {
	Clock tandem.Clock
	// Sites are the names; the Nth, counted from 1, has the address 10.77.N.1.
	Sites []string
	// MTU in bytes; 0: 1500.
	MTU int
	// Seed decides over losses and jitter.
	Seed uint64
}

// Network is the sites with the relay between them.
type Network struct {
	sites  []*Site
	links  map[[2]string]*link
	cancel context.CancelFunc
	work   sync.WaitGroup
	stray  atomic.Uint64
}

// Site is one place: a network namespace with one address.
type Site struct {
	Name string
	Addr netip.Addr
	ns   *namespace
	tun  *os.File
	mu   sync.Mutex // two links may deliver at once
}

// netBits is the length of the net that all sites are in.
const netBits = 16

// New makes the sites and starts the relay. The error is ErrNotPermitted where this machine does not let us.
func New(c Config) (*Network, error) {
	if c.MTU == 0 {
		c.MTU = 1500
	}
	if c.Clock == nil || len(c.Sites) == 0 || len(c.Sites) > 254 || c.MTU < 576 || c.MTU > 65535 {
		return nil, &tandem.Error{Op: "make network", Kind: tandem.Invalid, Err: fmt.Errorf("clock %v, %d sites, MTU %d", c.Clock, len(c.Sites), c.MTU), Remedy: "give a clock, 1 to 254 sites and an MTU of 576 to 65535"}
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &Network{links: map[[2]string]*link{}, cancel: cancel}
	for i, name := range c.Sites {
		s := &Site{Name: name, Addr: netip.AddrFrom4([4]byte{10, 77, byte(i + 1), 1})}
		if n.Site(name) != nil {
			return nil, errors.Join(fmt.Errorf("two sites are called %s", name), n.Close())
		}
		n.sites = append(n.sites, s)
		if err := s.open(c.MTU); err != nil {
			return nil, errors.Join(fmt.Errorf("make site %s: %w", name, err), n.Close())
		}
	}
	for i, from := range n.sites {
		for j, to := range n.sites {
			if i != j {
				n.links[[2]string{from.Name, to.Name}] = newLink(c.Clock, c.Seed, uint64(i)<<32|uint64(j), to.deliver)
			}
		}
	}
	for _, l := range n.links {
		n.work.Go(func() { l.run(ctx) })
	}
	for _, s := range n.sites {
		n.work.Go(func() { n.read(s, c.MTU) })
	}
	return n, nil
}

func (s *Site) open(mtu int) (err error) {
	if s.ns, err = newNamespace(); err != nil {
		return err
	}
	return s.ns.do(func() error {
		s.tun, err = openTUN(netip.PrefixFrom(s.Addr, netBits), mtu)
		return err
	})
}

// read forwards what leaves a site until its device is closed.
func (n *Network) read(s *Site, mtu int) {
	to := map[netip.Addr]*link{}
	for _, other := range n.sites {
		if l := n.links[[2]string{s.Name, other.Name}]; l != nil {
			to[other.Addr] = l
		}
	}
	buf := make([]byte, mtu+64)
	for {
		size, err := s.tun.Read(buf)
		if err != nil {
			return
		}
		if l := to[destination(buf[:size])]; l != nil {
			l.send(buf[:size])
			continue
		}
		n.stray.Add(1)
	}
}

// destination is where an IPv4 packet goes; the zero address for any other.
func destination(p []byte) netip.Addr {
	if len(p) < 20 || p[0]>>4 != 4 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(p[16:20]))
}

// deliver hands a packet to the site's kernel. One that the kernel does not take is lost, as on any wire.
func (s *Site) deliver(packet []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.tun.Write(packet)
}

// Site gives a site by its name; nil: there is none.
func (n *Network) Site(name string) *Site {
	for _, s := range n.sites {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Sites gives all sites in their order.
func (n *Network) Sites() []*Site { return n.sites }

// Change changes one direction of a link, while packets flow.
func (n *Network) Change(from, to string, f func(*Settings)) error {
	l := n.links[[2]string{from, to}]
	if l == nil {
		return fmt.Errorf("there is no link from %s to %s", from, to)
	}
	if err := l.change(f); err != nil {
		return fmt.Errorf("link from %s to %s: %w", from, to, err)
	}
	return nil
}

// Settings are those of one direction of a link.
func (n *Network) Settings(from, to string) Settings { return n.links[[2]string{from, to}].settings() }

// Counters are those of one direction of a link.
func (n *Network) Counters(from, to string) Counters { return n.links[[2]string{from, to}].counted() }

// Stray counts packets that were for no site; they went nowhere.
func (n *Network) Stray() uint64 { return n.stray.Load() }

// Close ends the relay and removes the sites. Processes that still run in one stay, cut off from everything.
func (n *Network) Close() error {
	n.cancel()
	var errs []error
	for _, s := range n.sites {
		if s.tun != nil {
			errs = append(errs, s.tun.Close())
		}
	}
	n.work.Wait()
	for _, s := range n.sites {
		if s.ns != nil {
			errs = append(errs, s.ns.close())
		}
	}
	return errors.Join(errs...)
}

// Do runs f on a thread inside the site. Sockets that f opens and processes that it starts stay there; goroutines that it
// starts do not run there.
func (s *Site) Do(f func() error) error { return s.ns.do(f) }

// DialContext connects from inside the site to a literal address. It fits http.Transport.
func (s *Site) DialContext(ctx context.Context, network, address string) (c net.Conn, err error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, fmt.Errorf("dial from %s: no name is resolved inside a site: %w", s.Name, err)
	}
	err = s.ns.do(func() error {
		var d net.Dialer
		c, err = d.DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// Listen opens a TCP listener inside the site.
func (s *Site) Listen(address string) (l net.Listener, err error) {
	err = s.ns.do(func() error {
		l, err = net.Listen("tcp", address)
		return err
	})
	return l, err
}

// ListenPacket opens a UDP socket inside the site.
func (s *Site) ListenPacket(address string) (c net.PacketConn, err error) {
	err = s.ns.do(func() error {
		c, err = net.ListenPacket("udp", address)
		return err
	})
	return c, err
}

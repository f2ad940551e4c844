//go:build linux && (amd64 || arm64)

package nameserver

import (
	"encoding/binary"

	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many packets one system call may carry.
const batchSize = 32

// message is the kernel's struct mmsghdr.
type message struct {
	header unix.Msghdr
	length uint32
	_      [4]byte
}

// batch holds the buffers of one worker. Everything in it is allocated once; the kernel's headers point into it, so it must
// not move, which Go's heap grants.
type batch struct {
	in, out           [batchSize]message
	inVec, outVec     [batchSize]unix.Iovec
	names             [batchSize]unix.RawSockaddrInet6 // large enough for both families
	inBytes, outBytes [batchSize][packetSize + 64]byte // the odd size keeps them from falling on the same places of the cache
	queries           [batchSize]query
	verdicts          [batchSize]verdict
	warmer            warmer
	// control receives the address a question came to (on sockets of a wildcard address), and goes back as it is with the
	// answer, which then leaves from that address.
	control [batchSize][controlSize]byte
}

// controlSize holds one in6_pktinfo with its header.
const controlSize = 64

// serveUDP reads and answers in batches. It stays on the poller: the system calls run inside RawConn's callbacks and never
// block, so no thread is handed over (measured: a blocking thread costs twice at 10,000 questions a second).
func (s *Server) serveUDP(c *net.UDPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	b := new(batch)
	for i := range batchSize {
		b.inVec[i].Base = &b.inBytes[i][0]
		b.inVec[i].SetLen(packetSize)
		b.outVec[i].Base = &b.outBytes[i][0]
		b.in[i].header = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&b.names[i])), Iov: &b.inVec[i]}
		b.in[i].header.SetIovlen(1)
	}
	wildcard := c.LocalAddr().(*net.UDPAddr).IP.IsUnspecified()
	var got, sent, want int
	var errno syscall.Errno
	read := func(fd uintptr) bool {
		n, _, e := syscall.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.in[0])), batchSize, unix.MSG_DONTWAIT, 0, 0)
		got, errno = int(n), e
		return e != syscall.EAGAIN
	}
	write := func(fd uintptr) bool {
		n, _, e := syscall.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.out[sent])), uintptr(want-sent), unix.MSG_DONTWAIT, 0, 0)
		errno = e
		switch {
		case e == syscall.EAGAIN:
			return false
		case e != 0:
			sent++ // this one cannot be sent (its client is unreachable); go on with the next
		default:
			sent += int(n)
		}
		return true
	}
	for {
		for i := range batchSize {
			b.in[i].header.Namelen = unix.SizeofSockaddrInet6
			if wildcard {
				b.in[i].header.Control = &b.control[i][0]
				b.in[i].header.SetControllen(controlSize)
			}
		}
		if err := raw.Read(read); err != nil {
			return
		}
		if errno != 0 {
			if errno == syscall.EBADF {
				return
			}
			continue
		}
		s.stats.UDP.Add(uint64(got))
		at := s.moment()
		want, sent = 0, 0
		for i := range got {
			b.queries[i].reset()
			b.verdicts[i] = b.queries[i].parse(b.inBytes[i][:b.in[i].length])
		}
		s.warm(&b.warmer, b.queries[:got], b.verdicts[:got])
		for i := range got {
			from, ok := b.source(i)
			if !ok || spoofProne(from) {
				continue
			}
			n := s.respondTo(&b.queries[i], b.verdicts[i], b.inBytes[i][:b.in[i].length], at, from.Addr(), false, b.outBytes[want][:packetSize])
			if n == 0 {
				continue
			}
			b.outVec[want].SetLen(n)
			m := &b.out[want].header
			m.Name, m.Namelen, m.Iov = b.in[i].header.Name, b.in[i].header.Namelen, &b.outVec[want]
			m.SetIovlen(1)
			m.Control, m.Controllen = b.in[i].header.Control, b.in[i].header.Controllen
			want++
		}
		for sent < want {
			if err := raw.Write(write); err != nil {
				return
			}
		}
	}
}

// source reads the address the kernel wrote for packet i.
func (b *batch) source(i int) (netip.AddrPort, bool) {
	n := &b.names[i]
	switch n.Family {
	case unix.AF_INET:
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(n))
		port := (*[2]byte)(unsafe.Pointer(&four.Port))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), binary.BigEndian.Uint16(port[:])), true
	case unix.AF_INET6:
		port := (*[2]byte)(unsafe.Pointer(&n.Port))
		return netip.AddrPortFrom(netip.AddrFrom16(n.Addr).Unmap(), binary.BigEndian.Uint16(port[:])), true
	}
	return netip.AddrPort{}, false
}

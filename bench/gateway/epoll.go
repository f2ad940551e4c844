//go:build linux

package main

import (
	"fmt"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// poller is one thread's epoll: the backend and the load must cost less than what they measure.
type poller struct {
	fd     int
	events [256]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(0)
	if err != nil {
		return nil, fmt.Errorf("make epoll: %w", err)
	}
	return &poller{fd: fd}, nil
}

func (p *poller) add(fd int) error {
	return unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// wait calls do with each descriptor that can be read.
func (p *poller) wait(do func(fd int) error) error {
	n, err := unix.EpollWait(p.fd, p.events[:], -1)
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return fmt.Errorf("wait for epoll: %w", err)
	}
	for i := range n {
		if err := do(int(p.events[i].Fd)); err != nil {
			return err
		}
	}
	return nil
}

func socketAddress(address string) (*unix.SockaddrInet4, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("read address %s: %w; write it as 127.0.0.1:8080", address, err)
	}
	a := &unix.SockaddrInet4{}
	copy(a.Addr[:], net.ParseIP(host).To4())
	a.Port, err = strconv.Atoi(port)
	return a, err
}

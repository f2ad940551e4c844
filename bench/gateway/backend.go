//go:build linux

package main

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// runBackend answers every request with 1 KiB of JSON, on one thread.
func runBackend(address string) error {
	runtime.LockOSThread()
	body := `{"data":"` + strings.Repeat("x", 1024-len(`{"data":""}`)) + `"}`
	answer := []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: bench\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	a, err := socketAddress(address)
	if err != nil {
		return err
	}
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("make socket: %w", err)
	}
	if err := unix.SetsockoptInt(l, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return fmt.Errorf("set up socket: %w", err)
	}
	if err := unix.Bind(l, a); err != nil {
		return fmt.Errorf("listen on %s: %w; choose another -port", address, err)
	}
	if err := unix.Listen(l, 1024); err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	p, err := newPoller()
	if err != nil {
		return err
	}
	if err := p.add(l); err != nil {
		return fmt.Errorf("watch listener: %w", err)
	}
	buf := make([]byte, 64<<10)
	for {
		err := p.wait(func(fd int) error {
			if fd == l {
				nfd, _, err := unix.Accept4(l, unix.SOCK_NONBLOCK)
				if err != nil {
					return nil // it went away again
				}
				if err := unix.SetsockoptInt(nfd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
					return err
				}
				return p.add(nfd)
			}
			n, err := unix.Read(fd, buf)
			if err == unix.EAGAIN {
				return nil
			}
			if n <= 0 || err != nil {
				return unix.Close(fd)
			}
			for range bytes.Count(buf[:n], []byte("\r\n\r\n")) {
				if _, err := unix.Write(fd, answer); err != nil {
					return unix.Close(fd)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

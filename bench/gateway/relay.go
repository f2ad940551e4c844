//go:build linux

package main

import (
	"fmt"
	"net"
)

// runRelay passes bytes between each client and a connection of its own to the backend: the floor below every gateway.
func runRelay(listen, target string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w; choose another -port", err)
	}
	for {
		client, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go relay(client, target)
	}
}

// relay takes turns, as requests and answers do, and so needs one goroutine.
func relay(client net.Conn, target string) {
	defer client.Close()
	backend, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer backend.Close()
	buf := make([]byte, 8<<10)
	for {
		for _, way := range [2][2]net.Conn{{client, backend}, {backend, client}} {
			n, err := way[0].Read(buf)
			if err != nil {
				return
			}
			if _, err := way[1].Write(buf[:n]); err != nil {
				return
			}
		}
	}
}

//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"tandem"
)

// loadResult is what the load part prints, as JSON.
type loadResult struct {
	Requests int
	Failed   int     // answers other than 200
	Seconds  float64 // from the first request to the last answer
	P50, P99 float64 // microseconds; at a fixed rate from the scheduled send time
}

// loader is the load: one thread, keep-alive connections.
type loader struct {
	poller   *poller
	clock    tandem.SystemClock
	requests [][]byte
	conns    map[int]*loadConn
	free     []*loadConn
	next     int // number of the next request
	total    int
	done     int
	failed   int
	took     []time.Duration
	start    time.Time
}

type loadConn struct {
	fd    int
	since time.Time // when the request was due
	got   []byte
	need  int // bytes of the answer; 0: not known yet
}

func runLoad(target string, conns, requests, rate int) error {
	runtime.LockOSThread()
	debug.SetGCPercent(400)
	l := &loader{conns: make(map[int]*loadConn), total: requests, took: make([]time.Duration, 0, requests)}
	for i := range keyCount {
		l.requests = append(l.requests, []byte("GET /echo/resource?id=1 HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench/1.0\r\n"+
			"Accept: application/json\r\nX-Request-Id: 0123456789abcdef\r\nOcp-Apim-Subscription-Key: "+subscriptionKey(i)+"\r\n\r\n"))
	}
	var err error
	if l.poller, err = newPoller(); err != nil {
		return err
	}
	a, err := socketAddress(target)
	if err != nil {
		return err
	}
	for range conns {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return fmt.Errorf("make socket: %w", err)
		}
		if err := unix.Connect(fd, a); err != nil {
			return fmt.Errorf("connect to %s: %w", target, err)
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return fmt.Errorf("set up socket: %w", err)
		}
		c := &loadConn{fd: fd}
		l.conns[fd] = c
		l.free = append(l.free, c)
		if err := l.poller.add(fd); err != nil {
			return fmt.Errorf("watch socket: %w", err)
		}
	}
	if rate > 0 {
		err = l.open(rate)
	} else {
		err = l.closed()
	}
	if err != nil {
		return err
	}
	seconds := l.clock.Now().Sub(l.start).Seconds()
	slices.Sort(l.took)
	at := func(q float64) float64 { return float64(l.took[int(q*float64(len(l.took)-1))].Microseconds()) }
	return json.NewEncoder(os.Stdout).Encode(loadResult{l.done, l.failed, seconds, at(0.5), at(0.99)})
}

// closed sends the next request of a connection when it has the answer to the last.
func (l *loader) closed() error {
	l.start = l.clock.Now()
	for _, c := range l.free {
		if err := l.send(c, l.start); err != nil {
			return err
		}
	}
	buf := make([]byte, 64<<10)
	for l.done < l.total {
		err := l.poller.wait(func(fd int) error {
			c := l.conns[fd]
			answered, err := l.receive(c, buf)
			if answered && l.next < l.total {
				return l.send(c, l.clock.Now())
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// open sends at a fixed rate, whatever the answers do.
func (l *loader) open(rate int) error {
	interval := time.Second / time.Duration(rate)
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("make timer: %w", err)
	}
	every := unix.NsecToTimespec(int64(interval))
	l.start = l.clock.Now()
	if err := unix.TimerfdSettime(timer, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
		return fmt.Errorf("set timer: %w", err)
	}
	if err := l.poller.add(timer); err != nil {
		return fmt.Errorf("watch timer: %w", err)
	}
	due := 0
	buf := make([]byte, 64<<10)
	for l.done < l.total {
		err := l.poller.wait(func(fd int) error {
			if fd != timer {
				c := l.conns[fd]
				answered, err := l.receive(c, buf)
				if answered {
					l.free = append(l.free, c)
				}
				return err
			}
			var ticks [8]byte
			if _, err := unix.Read(timer, ticks[:]); err != nil {
				return nil // another wake-up took the ticks
			}
			due += int(binary.NativeEndian.Uint64(ticks[:]))
			return nil
		})
		if err != nil {
			return err
		}
		for l.next < min(due, l.total) && len(l.free) > 0 {
			c := l.free[0]
			l.free = l.free[1:]
			if err := l.send(c, l.start.Add(interval*time.Duration(l.next+1))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loader) send(c *loadConn, due time.Time) error {
	c.since, c.got, c.need = due, c.got[:0], 0
	request := l.requests[l.next*7919%keyCount]
	l.next++
	if _, err := unix.Write(c.fd, request); err != nil {
		return fmt.Errorf("send request: %w; see why the gateway closes connections", err)
	}
	return nil
}

// receive reads; it tells whether the answer is whole.
func (l *loader) receive(c *loadConn, buf []byte) (bool, error) {
	n, err := unix.Read(c.fd, buf)
	if n <= 0 {
		return false, fmt.Errorf("receive answer: the gateway closed the connection (%v)", err)
	}
	c.got = append(c.got, buf[:n]...)
	if c.need == 0 {
		end := bytes.Index(c.got, []byte("\r\n\r\n"))
		if end < 0 {
			return false, nil
		}
		at := bytes.Index(c.got[:end], []byte("\r\nContent-Length: "))
		if at < 0 {
			at = bytes.Index(bytes.ToLower(c.got[:end]), []byte("\r\ncontent-length: "))
		}
		if at < 0 {
			return false, fmt.Errorf("read answer: it has no Content-Length: %.200q", c.got)
		}
		for _, d := range c.got[at+18 : end] {
			if d < '0' || d > '9' {
				break
			}
			c.need = 10*c.need + int(d-'0')
		}
		c.need += end + 4
	}
	if len(c.got) < c.need {
		return false, nil
	}
	l.done++
	if !bytes.HasPrefix(c.got, []byte("HTTP/1.1 200")) {
		l.failed++
	}
	l.took = append(l.took, l.clock.Now().Sub(c.since))
	return true, nil
}

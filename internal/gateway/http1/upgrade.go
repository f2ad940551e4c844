package http1

import (
	"io"
	"sync/atomic"

	"tandem"
)

var errNoUpgrade error = &tandem.Error{Op: "upgrade connection", Kind: tandem.Invalid,
	Remedy: "an answer 101 needs a streamed body that is an io.ReadWriteCloser, and a client that asked for it"}

// upgrade answers 101 and joins the client to the backend until both have ended, or neither says anything for
// Timeouts.Upgraded.
func (c *serverConn) upgrade() (sent int64, err error) {
	res := &c.x.Response
	peer, ok := res.Body.Reader().(io.ReadWriteCloser)
	if !ok || !c.facts.upgrade || !c.body.mayKeep() {
		return 0, errNoUpgrade
	}
	defer peer.Close()
	b := appendStatusLine(make([]byte, 0, 512), 101, res.Reason)
	for _, f := range res.Header {
		if !hopByHop(f.Name) && validToken(f.Name) {
			b = appendField(b, f.Name, f.Value)
		}
	}
	b = appendField(b, "Connection", "Upgrade")
	b = appendField(b, "Upgrade", res.Header.Get("Upgrade"))
	if err := c.enterRead(phaseUpgraded, c.run.config.Timeouts.Upgraded); err != nil {
		return 0, err
	}
	if err := c.write(append(b, "\r\n"...)); err != nil {
		return 0, err
	}
	var count atomic.Int64
	up := make(chan struct{})
	c.run.wg.Go(func() {
		defer close(up)
		if c.joinUp(peer) != nil {
			peer.Close()
			c.nc.Close()
		}
	})
	if err = c.joinDown(peer, &count); err != nil {
		peer.Close()
		c.nc.Close()
	}
	<-up
	return count.Load(), err
}

// joinUp copies from the client to the backend.
func (c *serverConn) joinUp(peer io.ReadWriteCloser) error {
	for {
		if c.in.r < c.in.w {
			if _, err := peer.Write(c.in.buf[c.in.r:c.in.w]); err != nil {
				return err
			}
		}
		n, err := c.nc.Read(c.in.buf)
		c.in.r, c.in.w = 0, n
		if n == 0 && err != nil {
			return halfClose(peer, err)
		}
		if !c.joined() {
			return errUpgradeIdle
		}
	}
}

// joinDown copies from the backend to the client.
func (c *serverConn) joinDown(peer io.ReadWriteCloser, count *atomic.Int64) error {
	buf := c.run.buffers.get(smallBuffer)
	defer c.run.buffers.put(buf)
	for {
		n, err := peer.Read(*buf)
		if n > 0 {
			if err := c.write((*buf)[:n]); err != nil {
				return err
			}
			count.Add(int64(n))
		}
		if !c.joined() {
			return errUpgradeIdle
		}
		if err != nil {
			return halfClose(c.nc, err)
		}
	}
}

// joined notes that a joined connection is alive; false where its time is up.
func (c *serverConn) joined() bool {
	return c.reads.enter(c.run.warden, phaseUpgraded, c.run.config.Timeouts.Upgraded) != phaseExpired
}

// halfClose passes the end of one side on to the other.
func halfClose(to any, err error) error {
	half, ok := to.(interface{ CloseWrite() error })
	if err != io.EOF || !ok {
		return err
	}
	return half.CloseWrite()
}

var errUpgradeIdle error = &tandem.Error{Op: "join upgraded connection", Kind: tandem.Closed,
	Remedy: "neither side sent anything for the time that is allowed; send pings, or raise the timeout"}

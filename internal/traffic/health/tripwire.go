package health

import (
	"time"
)

// past is a deadline that ends a read at once.
var past = time.Unix(1, 0)

// watch reads ahead on an idle connection. The goroutine ends when the peer closes, when release is called, or at Close.
func (c *conn) watch() {
	c.tripped = make(chan struct{})
	c.SetDeadline(time.Time{})
	done := c.tripped
	go func() {
		defer close(done)
		_, err := c.reader.Peek(1)
		c.quiet = err != nil && !closedEarly(err)
	}()
}

// release ends the watch and tells whether the connection can be used.
func (c *conn) release() bool {
	if c.tripped == nil {
		return true
	}
	c.SetReadDeadline(past)
	<-c.tripped
	c.tripped = nil
	return c.quiet
}

// drop ends the watch and closes.
func (c *conn) drop() {
	if c == nil {
		return
	}
	c.Close()
	if c.tripped != nil {
		<-c.tripped
		c.tripped = nil
	}
}

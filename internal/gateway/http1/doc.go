// Package http1 is the gateway's HTTP codec: a strict HTTP/1.1 (RFC 9110, RFC 9112) for both of its sides, clients and
// backends, on any net.Conn, with a goroutine per connection and bodies that stream.
//
// A Server reads requests into an exchange.Exchange, calls its Handler and writes exchange.Response. A Pool sends an
// exchange.Request to one backend and fills an exchange.Response. HTTP/2, on either side, is the standard library's,
// brought to the same exchange.
//
// # Strictness
//
// A message that two readers could frame differently is refused, not repaired: a proxy that guesses is how requests get
// smuggled. So both sides want CRLF, one Content-Length or one "Transfer-Encoding: chunked" and never both, no folded
// lines, tokens as field names, no control characters, and plain hexadecimal chunk sizes. What goes out is written anew
// from the exchange; no framing line of the sender is passed on.
//
// # Time
//
// Deadlines are kept by a warden: one goroutine that looks at all connections every 50 ms. A timer per request would
// cost more than parsing it. So a timeout is late by up to 50 ms.
package http1

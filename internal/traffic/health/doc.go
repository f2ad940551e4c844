// Package health watches endpoints and decides what they are: one goroutine per endpoint probes over HTTP, HTTPS or TCP, and
// a pure function, Step, turns results into a state. Nothing here knows of DNS.
package health

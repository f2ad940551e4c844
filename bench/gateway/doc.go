// Command gateway compares what one proxied request costs, in microseconds of CPU, for Tandem's gateway and its peers:
// nginx, HAProxy, and a bare TCP relay as the floor. All do the same: look the subscription key up among 10,000, limit
// the rate by key, set and remove a request header, set a response header, pass on a 1 KiB answer.
//
//	go run ./bench/gateway                          # Tandem's codec with a minimal handler
//	go run ./bench/gateway -tandem "tandem ..."     # any command; {listen} {tls} {backend} {keys} {cert} {key} are filled in
//
// The gateways are all up at once and take turns slice by slice, so that a noisy machine is noisy for all; the least of
// several slices says what the quiet machine costs. CPU is user and system time of all processes of a gateway's session
// from /proc, which counts in ticks of 10 ms: a slice of 30,000 requests resolves a third of a microsecond.
//
// Modes: sat (closed loop, 64 connections, gateway on CPU 0, load and backend on CPU 1), 5k (5,000 requests/s, latency
// from the scheduled send time), 2core (nothing pinned), tls and h2 (by h2load, where it is installed). There is no pass
// or fail by time: the figures are for people and for ratios.
package main

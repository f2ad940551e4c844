// Command flap puts Tandem's Traffic Manager before endpoints that fail now and then, answer slowly or vanish, and before
// cuts of its own network, in sites that the relay joins; it counts where DNS sends clients and prints a table. Moves that
// are wrong make it fail: those to an endpoint that fails at least as often as the one that is left, but for the way back to
// the first endpoint once that is well.
//
//	go run ./test/sites/flap                 # a minute for each phase
//	go run ./test/sites/flap -for 10m -docs docs/flapping.md
package main

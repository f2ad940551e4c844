// Package vantage exchanges verdicts on endpoints between the places that probe them, over HTTP: each tells the others at
// once what changed, and on a beat that it is still there. Exchange is both ends, a client and a handler, and is the
// health.Peers of a monitor.
//
// # The exchange
//
// A message is a JSON object, POSTed to Path of each other place; the answer is a message in the same form. It carries the
// speaker's verdicts that the listener has not yet confirmed, and the number of the listener's newest message that the
// speaker took in (the echo). By the echo the listener knows, on its own monotonic clock alone, the longest that what it
// hears can have been under way: since it sent the message that is echoed. A message without an echo of this run of the
// listener is not believed, however new it looks, so that one that lay in a cut network changes nothing when it arrives
// (law 11).
//
// Verdicts are numbered by the speaker, across all endpoints. A message says which numbers it covers; the listener says up
// to which number it has all. Messages may overtake each other or be lost.
package vantage

// Package relay joins network namespaces into a small internet of the tests' own. Every site is a namespace with one TUN
// device; the relay reads the packets that leave a site, and hands them to the site that they are for after what their link
// does to them: delay, jitter, loss, a rate, a cut. Every direction of every link has settings of its own, which change while
// packets flow. No packet leaves the machine.
//
// Namespaces and devices have no names outside this process: they are held by file descriptors alone, so that nothing stays
// behind, however the process ends.
package relay

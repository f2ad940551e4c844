//go:build race

package failover

// raced is whether the race detector is on. The exploration is one goroutine of pure functions, which it cannot fault and
// slows down tenfold; with it a part of the states is enough.
const raced = true

//go:build linux

package main

import "testing"

// TestFleet: over days of cuts and losses three vantage points make exactly the moves that the truth demands.
func TestFleet(t *testing.T) {
	for _, c := range fleetCases() {
		for seed := range uint64(3) {
			moves, wrong := c.run(seed)
			if wrong != 0 || moves != 3*c.want {
				t.Errorf("%s, day %d: %d moves of all three, %d demanded, %d wrong", c.name, seed, moves, 3*c.want, wrong)
			}
		}
	}
}

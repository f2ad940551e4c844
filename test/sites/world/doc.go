// Package world runs Tandem in a lab: a node at each of the sites south (the home and the standby), central (the primary) and
// witness, clients at a site of their own, 80 ms round trip apart. It has the writers and callers whose every outcome is
// kept, and what is checked of them afterwards.
package world

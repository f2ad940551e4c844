// Package rehearsal is the world in which Tandem shows what it does, and the story told in it: two regions as processes of
// their own, a real backend, backup and restore, traffic by DNS, a region that dies, failover and failback, measured.
package rehearsal

// Package recovery carries out what package failover decides for recovery groups: it keeps their state and history, asks
// the sites to act, runs schedules and drills, and writes evidence.
//
// # Parts
//
// A Controller runs where the control plane leads. For each group it holds one document, failover.State with its
// revision, in the shared store; takes events (the clock, witnesses, renewals, people, outcomes), calls failover.Step, commits state
// and facts in one transaction, and only then carries out the actions, each with its id, at least once.
//
// An agent (package recovery/agent) runs on each node, for the node's services that are members of a group. It holds the
// service's lease, refuses writes without it (law 4), follows or feeds the replication stream, and carries out the tasks
// of a Site. What it was told last lies in its region's own store, so it stays true after a restart.
//
// Controllers reach agents, and agents reach the leading controller, by HTTP over the nodes' mutual TLS, or directly
// within one process.
package recovery

// Package node builds a running node from one configuration struct: New, Start, Stop. The whole of it runs inside tests,
// several nodes in one process.
//
// A node serves one region: its store, its part of the management plane and the gateways of its services. One node of a
// deployment is the home: it has in addition what a recovery needs and what must outlive the other regions (token
// authority, directory, resource groups, traffic profiles with their DNS server, storage accounts).
package node

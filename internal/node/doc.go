// Package node builds a running node from one configuration struct: New, Start, Stop. The whole of it runs inside tests,
// several nodes in one process.
//
// A node serves one region: its store, its part of the management plane and the gateways of its services. One node of a
// deployment is the home, or several are control members that share an etcd over their places: these have in addition what a
// recovery needs and what must outlive a region (token authority, directory, resource groups, traffic profiles with their DNS
// server, storage accounts).
package node

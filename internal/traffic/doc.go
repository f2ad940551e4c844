// Package traffic is Traffic Manager: profiles on Azure's management wire (Provider), the watching of their endpoints
// (package health) and a DNS server that answers for them (package nameserver). Service binds the three.
//
// A profile is one document in the store, below traffic/profiles/; its relative name is held by a second one below
// traffic/names/, so that two profiles cannot have the same. What nodes measure stays on the node.
package traffic

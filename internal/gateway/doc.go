// Package gateway is the data plane of one API Management service: it compiles the service's documents into a generation
// (routes, subscription keys, pipelines), swaps one pointer when they change, and serves requests from it.
//
// A request takes the generation once and keeps it to its end (law 2). The gateway waits for no control plane: it keeps
// what it served last in a file and starts from it (law 8). Subscription keys lie in memory as hashes to look up by; the
// keys themselves are unsealed only into the contexts that policies may read.
package gateway

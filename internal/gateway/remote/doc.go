// Package remote keeps counters and cached answers in a Redis-compatible server (Redis, Valkey, Azure Cache for Redis), so
// that the gateways of a service share them.
//
// No request fails because the server does: a cache that cannot be asked has nothing, and counters that cannot be shared are
// counted in the gateway alone until the server answers again.
package remote

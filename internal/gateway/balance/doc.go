// Package balance decides which backend of a service takes a request: circuit breakers and load-balanced pools as API
// Management has them. Nothing in it tells the time or talks to a network: the caller says when it is and what happened.
package balance

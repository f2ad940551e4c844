// Package console is the web console: what a person needs to see and to press. Pages are rendered here, on the server, and
// stay live by server-sent events. The console has no rights of its own: what it shows of the management plane and what it
// changes there goes through the ARM front door with the token of who signed in, so that roles decide.
package console

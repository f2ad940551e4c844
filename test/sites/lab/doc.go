// Package lab puts processes into sites that the relay joins, breaks what is between them and in them, and asks from where
// clients are. A test takes one with New, which skips the test where network namespaces cannot be made; a command with Open.
package lab

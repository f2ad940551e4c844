// Package keys holds what Tandem proves itself and hides things with: its certificate authority, the versioned master
// key that seals secrets at rest (law 7), and the age identities that backups are encrypted to.
//
// Every secret file is made with mode 0600, written whole or not at all, and refused when others may read it. No error
// of this package contains a secret.
package keys

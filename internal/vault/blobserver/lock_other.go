//go:build !unix

package blobserver

import "os"

// lockFolder opens the file for exclusive use as far as the system enforces that for open files.
func lockFolder(file string) (*os.File, error) {
	return os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
}

//go:build unix

package blobserver

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFolder holds the folder for this process; the kernel lets go when the process ends, however it ends.
func lockFolder(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another process holds it: %w", err), f.Close())
	}
	return f, nil
}

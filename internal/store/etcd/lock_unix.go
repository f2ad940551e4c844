//go:build unix

package etcd

import (
	"os"
	"path/filepath"
	"syscall"
)

// lockDir takes the folder for this store. The kernel frees it when the process ends, however it ends. The engine has locks
// of its own, but waits for them for ever.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, openError(dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, lockedError(dir, err)
	}
	return f, nil
}

func unlockDir(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

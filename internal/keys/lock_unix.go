//go:build unix

package keys

import (
	"errors"
	"os"
	"syscall"
)

// lock waits until this process alone holds the lock file beside a key file. The kernel lets go when the process ends.
func lock(file string) (unlock func() error, err error) {
	f, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
	}
}

//go:build unix

package rehearsal

import (
	"os"
	"syscall"
)

// lockFile takes a lock that ends with the process, however that ends; false: another process has it.
func lockFile(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

package tandem

import (
	"syscall"
	"time"
	"unsafe"
)

// clockBoottime is CLOCK_BOOTTIME of clock_gettime(2).
const clockBoottime = 7

// Boottime implements BootClock.
func (c SystemClock) Boottime() time.Duration {
	var t syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		return c.Now().Sub(time.Unix(0, 0)) // a kernel before 2.6.39
	}
	return time.Duration(t.Nano())
}

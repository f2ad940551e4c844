//go:build unix

package rehearsal

import (
	"os/exec"
	"syscall"
)

// detach puts a child into a process group of its own: Ctrl-C is for the parent, which ends its children in order.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

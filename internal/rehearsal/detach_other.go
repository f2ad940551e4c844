//go:build !unix

package rehearsal

import "os/exec"

func detach(*exec.Cmd) {}

//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "compare gateways: the CPU time of processes is read from Linux's /proc; run this on Linux")
	os.Exit(1)
}

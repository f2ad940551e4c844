//go:build !linux

package main

import "fmt"

func main() { fmt.Println("flap: network namespaces are Linux's") }

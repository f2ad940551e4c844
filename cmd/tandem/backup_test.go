package main

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// truncateFile cuts a file to half: truncate FILE.
func truncateFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: truncate file")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), info.Size()/2))
}

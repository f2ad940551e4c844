package main

import (
	"context"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tandem"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tandem": func() {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		os.Exit(run(ctx, os.Args[1:]))
	}})
}

// TestScripts runs the command as a user does; scripts are in testdata.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		e.Setenv("HOME", e.WorkDir)
		e.Setenv("TMPDIR", e.WorkDir+"/tmp")
		return os.MkdirAll(e.WorkDir+"/tmp", 0o700)
	}, Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"waitfor": waitFor, "newer": newer, "empty": empty, "fillworkflow": fillWorkflow, "truncate": truncateFile}})
}

// waitFor waits until a file has a text: waitfor FILE TEXT.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor file text")
	}
	for range 1200 {
		if b, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && strings.Contains(string(b), args[1]) {
			return
		}
		ts.Check((tandem.SystemClock{}).Sleep(context.Background(), 50*time.Millisecond))
	}
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Fatalf("%s never had %q; it has %q, %v", args[0], args[1], b, err)
}

// newer waits until a file was written after another one: newer FILE REFERENCE.
func newer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: newer file reference")
	}
	reference, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	for range 1200 {
		if f, err := os.Stat(ts.MkAbs(args[0])); err == nil && f.ModTime().After(reference.ModTime()) {
			return
		}
		ts.Check((tandem.SystemClock{}).Sleep(context.Background(), 50*time.Millisecond))
	}
	ts.Fatalf("%s was never written after %s", args[0], args[1])
}

// empty demands that a folder has nothing in it: empty DIR.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: empty dir")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, e := range entries {
		ts.Fatalf("%s is left in %s", e.Name(), args[0])
	}
}

// TestReadmeCommands holds the README to commands that tests run: each either is one of make's, which the continuous
// integration runs, or stands in a script.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	var scripts strings.Builder
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.IsDir() {
			continue // of another test
		}
		b, err := os.ReadFile("testdata/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(b)
	}
	found := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		for line := range strings.SplitSeq(strings.TrimSpace(block[1]), "\n") {
			found++
			words := strings.Fields(line)
			switch {
			case words[0] == "make":
				if !strings.Contains("\n"+string(makefile), "\n"+words[1]+":") {
					t.Errorf("README: %q: the Makefile has no target %s", line, words[1])
				}
			case slices.Equal(words[:3], []string{"go", "run", "./cmd/tandem"}):
				if command := "tandem " + strings.Join(words[3:], " "); !strings.Contains(scripts.String(), command) {
					t.Errorf("README: %q: no script runs %q", line, command)
				}
			default:
				t.Errorf("README: %q is run by no test", line)
			}
		}
	}
	if found < 4 {
		t.Errorf("the README has %d commands; its first ones are missing", found)
	}
}

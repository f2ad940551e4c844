package etcd

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"tandem"
	"tandem/internal/store"
)

const victimWriters = 8

// TestLaw1Kill kills a process with SIGKILL while it writes, many times over on the same folder, and demands every write
// that it had acknowledged, whole.
func TestLaw1Kill(t *testing.T) {
	dir := t.TempDir()
	acknowledged := map[string]int{} // the last count of each writer
	total := 0
	for round := range 4 {
		// 300 acknowledgements and more in the rounds to come: over the snapshot count of the engine's log.
		total += victim(t, dir, 300*(round+1), acknowledged)
		s := open(t, dir)
		for writer, n := range acknowledged {
			var documents [2]store.Document
			for i, half := range []string{"a", "b"} {
				d, err := s.Get(t.Context(), writer+"/"+half, 0)
				if err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				documents[i] = d
			}
			var got int
			if _, err := fmt.Sscan(string(documents[0].Value), &got); err != nil {
				t.Fatal(err)
			}
			if got < n {
				t.Errorf("round %d: %s acknowledged %d, the store has %d", round, writer, n, got)
			}
			if string(documents[0].Value) != string(documents[1].Value) || documents[0].Revision != documents[1].Revision {
				t.Errorf("round %d: the last batch of %s is torn: %s at %d, %s at %d", round, writer,
					documents[0].Value, documents[0].Revision, documents[1].Value, documents[1].Revision)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged commits survived 4 kills", total)
}

// victim runs a child process that writes into dir, kills it after n acknowledgements, and notes all that came out of it.
func victim(t *testing.T, dir string, n int, acknowledged map[string]int) int {
	cmd := child("TestVictim", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	count := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() { // after the kill too: what was printed before it counts
		var writer string
		var value int
		if _, err := fmt.Sscanf(lines.Text(), "ok %s %d", &writer, &value); err != nil {
			continue // cut off by the kill
		}
		acknowledged[writer] = value
		if count++; count == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || count < n {
		t.Fatalf("the victim ended by itself after %d acknowledgements: %v", count, err)
	}
	return count
}

// TestVictim is the process that TestLaw1Kill kills; by itself it does nothing.
func TestVictim(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("this is the child process of TestLaw1Kill")
	}
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	var print sync.Mutex
	var writers sync.WaitGroup
	for w := range victimWriters {
		writers.Go(func() {
			name := fmt.Sprint("writer-", w)
			from := 0
			if d, err := s.Get(t.Context(), name+"/a", 0); err == nil {
				fmt.Sscan(string(d.Value), &from)
			} else if tandem.KindOf(err) != tandem.NotFound {
				t.Error(err)
			}
			for n := from + 1; ; n++ {
				value := []byte(fmt.Sprint(n, " ", strings.Repeat("x", 2000)))
				_, err := s.Commit(t.Context(), store.Batch{Put: []store.Write{{Key: name + "/a", Value: value}, {Key: name + "/b", Value: value}}})
				if err != nil {
					t.Error(err)
					return
				}
				print.Lock()
				_, err = io.WriteString(os.Stdout, fmt.Sprintf("ok %s %d\n", name, n))
				print.Unlock()
				if err != nil {
					return // the parent is gone
				}
			}
		})
	}
	writers.Wait()
}

//go:build unix

package blobserver_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tandem/internal/vault/blobserver"
)

// TestKilledServerKeepsWhatItAcknowledged runs a writer in a process of its own, kills it with SIGKILL in the middle of its
// work, several times on the same folder, and finds every blob that was acknowledged, whole (law 1).
func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	if dir := os.Getenv("TANDEM_TEST_KILL_DIR"); dir != "" {
		writeForever(t, dir)
		return
	}
	dir, acked := t.TempDir(), map[string]string{}
	for round := range 4 {
		c := exec.Command(os.Args[0], "-test.run", "^TestKilledServerKeepsWhatItAcknowledged$")
		c.Env = append(os.Environ(), "TANDEM_TEST_KILL_DIR="+dir, fmt.Sprintf("TANDEM_TEST_KILL_ROUND=%d", round))
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			name, unit, ok := strings.Cut(lines.Text(), " ")
			if !ok {
				t.Fatalf("the writer says %q", lines.Text())
			}
			acked[name] = unit
			if n == 25+10*round { // what it says after the kill was acknowledged too: the pipe keeps it
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := c.Wait(); err == nil {
			t.Fatal("the writer ended by itself")
		}
		s := open(t, dir)
		for name, unit := range acked {
			w := direct(s, "GET", "/drstore1/box/"+name, nil, "")
			got, _, _ := strings.Cut(w.Body.String(), ";")
			// The write that was under way may have replaced it, whole as well.
			if w.Code != 200 || w.Body.String() != content(got) || got != unit && !newer(got, unit) {
				t.Fatalf("round %d, %s: %d, %q in place of %q", round, name, w.Code, got, unit)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(acked) == 0 {
		t.Fatal("nothing was acknowledged")
	}
}

func content(unit string) string { return strings.Repeat(unit+";", 3000) }

// newer compares "round.n".
func newer(a, b string) bool {
	var ar, an, br, bn int
	if n, err := fmt.Sscanf(a+" "+b, "%d.%d %d.%d", &ar, &an, &br, &bn); n != 4 || err != nil {
		return false
	}
	return ar > br || ar == br && an > bn
}

// writeForever replaces five blobs in turn, one in two by blocks, and says so after each acknowledgement.
func writeForever(t *testing.T, dir string) {
	s := open(t, dir)
	direct(s, "PUT", "/drstore1/box?restype=container", nil, "")
	for n := 0; ; n++ {
		name, unit := fmt.Sprintf("b%d", n%5), fmt.Sprintf("%s.%d", os.Getenv("TANDEM_TEST_KILL_ROUND"), n)
		if code := store(s, name, content(unit), n%2 == 0); code != http.StatusCreated {
			t.Fatalf("put: %d", code)
		}
		fmt.Println(name, unit)
	}
}

func store(s *blobserver.Server, name, body string, blocks bool) int {
	if !blocks {
		return direct(s, "PUT", "/drstore1/box/"+name, map[string]string{"x-ms-blob-type": "BlockBlob"}, body).Code
	}
	direct(s, "PUT", "/drstore1/box/"+name+"?comp=block&blockid=QQ==", nil, body[:len(body)/2])
	direct(s, "PUT", "/drstore1/box/"+name+"?comp=block&blockid=Qg==", nil, body[len(body)/2:])
	return direct(s, "PUT", "/drstore1/box/"+name+"?comp=blocklist", nil, "<BlockList><Latest>QQ==</Latest><Latest>Qg==</Latest></BlockList>").Code
}

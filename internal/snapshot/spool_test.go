package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"tandem"
)

// TestSpoolBeyondMemory fills the spool far beyond what stays in memory and reads it in any order. The file on disk shows
// nothing of what went in, and is gone at the end.
func TestSpoolBeyondMemory(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var s spool
	type piece struct {
		at   int64
		data []byte
	}
	var pieces []piece
	rnd := rand.New(rand.NewPCG(5, 6))
	for total := 0; total < 40<<20; {
		data := []byte(strings.Repeat(fmt.Sprintf("plaintext %d ", total), 1+rnd.IntN(20_000)))
		at, err := s.add(data)
		if err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, piece{at, data})
		total += len(data)
	}
	if s.file == nil {
		t.Fatal("nothing went to the disk")
	}
	for _, i := range rnd.Perm(len(pieces)) {
		got := make([]byte, len(pieces[i].data))
		if err := s.read(got, pieces[i].at); err != nil || !bytes.Equal(got, pieces[i].data) {
			t.Fatalf("piece %d at %d: %v", i, pieces[i].at, err)
		}
	}
	disk, err := os.ReadFile(s.file.Name())
	if err != nil || bytes.Contains(disk, []byte("plaintext")) || len(disk) < 1<<20 {
		t.Errorf("the file of %d bytes shows what is in it: %v", len(disk), err)
	}
	if err := s.read(make([]byte, 1), s.size); err == nil {
		t.Error("read past the end")
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.file.Name()); !os.IsNotExist(err) {
		t.Errorf("the file stays: %v", err)
	}
}

func TestLargeSnapshotThroughTheDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 60 MiB")
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	id := testIdentity(t)
	var rs []Resource
	for i := range 60 {
		rs = append(rs, Resource{Path: fmt.Sprintf("schemas/s%02d", (i*37)%60), Properties: json.RawMessage(`"` + strings.Repeat(fmt.Sprintf("%08d", i), 1<<17) + `"`)})
	}
	data := write(t, id, rs)
	report, err := Verify(context.Background(), bytes.NewReader(data), id)
	if err != nil || report.Resources != 60 {
		t.Fatalf("%+v, %v", report.Resources, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := Write(context.Background(), failing{io.ErrClosedPipe}, testMeta(), seq(rs), Recipients{id.Recipient()}); err == nil {
		t.Error("a broken writer went unseen")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind by a failure: %v, %v", left, err)
	}
	t.Setenv("TMPDIR", dir+"/absent")
	if _, err := Write(context.Background(), io.Discard, testMeta(), seq(rs), Recipients{id.Recipient()}); !errors.Is(err, tandem.Unavailable) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("no place for temporary files: %v", err)
	}
}

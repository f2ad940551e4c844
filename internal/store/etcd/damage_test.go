package etcd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tandem"
)

// TestDamagedFolder demands an error, not the end of the process, from a folder whose files are broken. The open happens in a
// child process, since etcd leaves goroutines and open files behind when it fails in the middle.
func TestDamagedFolder(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, member string){
		"database cut short": func(t *testing.T, member string) {
			if err := os.Truncate(filepath.Join(member, "snap", "db"), 100); err != nil {
				t.Fatal(err)
			}
		},
		"log overwritten": func(t *testing.T, member string) {
			files, err := filepath.Glob(filepath.Join(member, "wal", "*.wal"))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			if err := os.WriteFile(files[0], []byte(strings.Repeat("not a log ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			put(t, s, "a", nil)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			damage(t, filepath.Join(dir, "member"))
			out, err := child("TestOpenDamaged", dir).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "PASS") {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

// TestOpenDamaged is the child process of TestDamagedFolder; by itself it does nothing.
func TestOpenDamaged(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("this is the child process of TestDamagedFolder")
	}
	s, err := Open(t.Context(), Config{Dir: dir})
	if err == nil {
		s.Close()
	}
	if tandem.KindOf(err) != tandem.Unavailable || !strings.Contains(err.Error(), "restored from a backup") {
		t.Fatalf("open: got %v, want kind Unavailable and the remedy", err)
	}
	_, err = Open(t.Context(), Config{Dir: dir}) // it shall not wait for files that the first try left open
	if tandem.KindOf(err) != tandem.Unavailable {
		t.Errorf("open again: got %v, want kind Unavailable", err)
	}
}

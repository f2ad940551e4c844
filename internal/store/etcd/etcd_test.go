package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" { // a child is killed, or leaves what etcd does not clean up
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m)
}

// childDir, in the environment, is the folder that a test in a child process works on.
const childDir = "TANDEM_TEST_CHILD_DIR"

// child prepares a run of one test of this package, on a folder, in a process of its own.
func child(test, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	return cmd
}

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: dir, Name: "test", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir()) })
}

func put(t *testing.T, s *Store, key string, value []byte) tandem.Revision {
	t.Helper()
	r, err := s.Commit(t.Context(), store.Batch{Put: []store.Write{{Key: key, Value: value}}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReopen opens several stores in one process, in folders whose names are longer than a socket's may be, and each again.
func TestReopen(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("a-long-name/", 20))
	var stores []*Store
	var revisions []tandem.Revision
	for i := range 3 {
		s := open(t, filepath.Join(deep, fmt.Sprint(i)))
		stores = append(stores, s)
		for n := range 2*snapshotCount + i { // more than the engine keeps in its log
			put(t, s, "k", fmt.Append(nil, i, n))
		}
		revisions = append(revisions, put(t, s, "last", fmt.Append(nil, i)))
	}
	for i, s := range stores {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(deep, fmt.Sprint(i))
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the folder is %v, %v, want mode 0700", info.Mode(), err)
		}
		again, err := Open(t.Context(), Config{Dir: dir, Name: "another-name"})
		if err != nil {
			t.Fatal(err)
		}
		d, err := again.Get(t.Context(), "last", 0)
		if err != nil || string(d.Value) != fmt.Sprint(i) || d.Revision != revisions[i] {
			t.Errorf("store %d has %q at %d, %v, want %d at %d", i, d.Value, d.Revision, err, i, revisions[i])
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := Open(t.Context(), Config{Dir: dir})
	if tandem.KindOf(err) != tandem.Unavailable || !strings.Contains(err.Error(), "another store is open") {
		t.Errorf("a folder in use: got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir).Close()

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = Open(t.Context(), Config{Dir: file}); tandem.KindOf(err) != tandem.Unavailable {
		t.Errorf("a file in place of the folder: got %v", err)
	}
	if _, err = Open(t.Context(), Config{}); tandem.KindOf(err) != tandem.Invalid {
		t.Errorf("no folder: got %v", err)
	}
	dead, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = Open(dead, Config{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: got %v", err)
	}
	open(t, dir) // the failed open left it free
}

func TestFullDatabase(t *testing.T) {
	s, err := Open(t.Context(), Config{Dir: t.TempDir(), quota: 24 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	value := make([]byte, store.MaxBytes-100)
	keys := 0
	for ; err == nil; keys++ {
		_, err = s.Commit(t.Context(), store.Batch{Put: []store.Write{{Key: fmt.Sprint("k/", keys), Value: value}}})
	}
	if tandem.KindOf(err) != tandem.Unavailable || !strings.Contains(err.Error(), "defragment") {
		t.Fatalf("a full database: got %v", err)
	}
	full, err := s.Size(t.Context())
	if err != nil || full.File < full.Quota*8/10 || full.Quota != 24<<20 {
		t.Errorf("size when full: %+v, %v", full, err)
	}
	var b store.Batch
	for i := range keys {
		b.Delete = append(b.Delete, fmt.Sprint("k/", i))
	}
	r, err := s.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Compact(t.Context(), r), s.Defragment(t.Context())); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", value)
	if size, err := s.Size(t.Context()); err != nil || size.File > full.File/2 {
		t.Errorf("size after defragmentation: %+v, %v", size, err)
	}
}

// TestLaw8EngineFails breaks the engine as etcd reports a disk that fails: the process lives, and calls say why they fail.
func TestLaw8EngineFails(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "a", nil)
	survived := make(chan struct{})
	went := false
	go func() { // stands for the goroutine of etcd that finds the failure
		defer close(survived)
		s.engine.etcd.GetLogger().Fatal("failed to save Raft hard state", zap.Error(errors.New("no space left on device")))
		went = true
	}()
	<-survived
	if went {
		t.Error("the goroutine that found the failure went on")
	}
	<-s.life.Done()
	_, err := s.Get(t.Context(), "a", 0)
	if tandem.KindOf(err) != tandem.Unavailable || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("got %v, want Unavailable with the engine's reason", err)
	}
}

func TestLog(t *testing.T) {
	var out bytes.Buffer
	b := newBridge(slog.New(slog.NewTextHandler(&out, nil)))
	log := b.logger().With(zap.String("member", "m"))
	log.Info("not shown")
	log.Warn("simple token is not cryptographically signed")
	log.Warn("slow", zap.Int("ms", 7))
	b.quiet()
	log.Error("a part went away")
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=WARN msg=slow") ||
		!strings.Contains(got, "member=m") || !strings.Contains(got, "ms=7") {
		t.Errorf("logged %q, want the one warning with its fields", got)
	}
}

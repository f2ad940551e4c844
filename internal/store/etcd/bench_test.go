package etcd

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"tandem/internal/store"
)

// value is a document of 2 KB, half of it incompressible, as configuration is.
func value() []byte {
	v := make([]byte, 1024, 2048)
	rand.Read(v)
	return append(v, bytes.Repeat([]byte{' '}, 1024)...)
}

// reportPercentiles runs do b.N times and reports the median and the 99th percentile of its time.
func reportPercentiles(b *testing.B, do func(i int) error) {
	times := make([]time.Duration, 0, b.N)
	var start time.Duration
	for i := 0; b.Loop(); i++ {
		start = b.Elapsed()
		if err := do(i); err != nil {
			b.Fatal(err)
		}
		times = append(times, b.Elapsed()-start)
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkPut(b *testing.B) {
	s := open(b, b.TempDir())
	v := value()
	reportPercentiles(b, func(i int) error {
		_, err := s.Commit(b.Context(), store.Batch{Put: []store.Write{{Key: fmt.Sprint("k/", i%1000), Value: v}}})
		return err
	})
}

// BenchmarkRawEtcdPut is what BenchmarkPut costs without the store around the engine.
func BenchmarkRawEtcdPut(b *testing.B) {
	s := open(b, b.TempDir())
	v := string(value())
	reportPercentiles(b, func(i int) error {
		_, err := s.client.Put(b.Context(), fmt.Sprint("k/", i%1000), v)
		return err
	})
}

func BenchmarkSpaceCommit(b *testing.B) {
	s := open(b, b.TempDir())
	p, err := store.OpenSpace(b.Context(), s, "s")
	if err != nil {
		b.Fatal(err)
	}
	v := value()
	reportPercentiles(b, func(i int) error {
		_, err := p.Commit(b.Context(), store.Batch{Put: []store.Write{{Key: fmt.Sprint("k/", i%1000), Value: v}}})
		return err
	})
}

// BenchmarkPut32Writers measures the throughput of 32 writers: the engine puts their writes on disk together.
func BenchmarkPut32Writers(b *testing.B) {
	s := open(b, b.TempDir())
	v := value()
	throughput(b, func(ctx context.Context, i int) error {
		_, err := s.Commit(ctx, store.Batch{Put: []store.Write{{Key: fmt.Sprint("k/", i%1000), Value: v}}})
		return err
	})
}

// BenchmarkRawEtcdPut32Writers is the same without the store around the engine.
func BenchmarkRawEtcdPut32Writers(b *testing.B) {
	s := open(b, b.TempDir())
	v := string(value())
	throughput(b, func(ctx context.Context, i int) error {
		_, err := s.client.Put(ctx, fmt.Sprint("k/", i%1000), v)
		return err
	})
}

func throughput(b *testing.B, do func(ctx context.Context, i int) error) {
	work, failed := make(chan int), make(chan error, 32)
	for range 32 {
		go func() {
			for i := range work {
				if err := do(b.Context(), i); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for i := 0; b.Loop(); i++ {
		work <- i
	}
	close(work)
	for range 32 {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}

func BenchmarkGet(b *testing.B) {
	s := open(b, b.TempDir())
	if _, err := s.Commit(b.Context(), store.Batch{Put: []store.Write{{Key: "k", Value: value()}}}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Get(b.Context(), "k", 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRestore50000 stages, verifies and swaps to 50,000 documents, and lists and drops them.
func BenchmarkRestore50000(b *testing.B) {
	const n = 50_000
	s := open(b, b.TempDir())
	p, err := store.OpenSpace(b.Context(), s, "subscriptions/s/services/apim-primary")
	if err != nil {
		b.Fatal(err)
	}
	v := value()
	documents := func(yield func(store.Write, error) bool) {
		for i := range n {
			if !yield(store.Write{Key: fmt.Sprintf("apis/api-%05d/operations/get", i), Value: v}, nil) {
				return
			}
		}
	}
	if err := p.Lock(b.Context(), "bench", "benchmark"); err != nil {
		b.Fatal(err)
	}
	var stage, swap, list, drop time.Duration
	for b.Loop() {
		lap := b.Elapsed()
		split := func(d *time.Duration) { *d += b.Elapsed() - lap; lap = b.Elapsed() }
		t, err := p.Stage(b.Context(), "bench", documents)
		if err != nil {
			b.Fatal(err)
		}
		split(&stage)
		if _, err := t.Swap(b.Context()); err != nil {
			b.Fatal(err)
		}
		split(&swap)
		l, err := p.List(b.Context(), "", store.ListOptions{})
		if err != nil || len(l.Documents) != n {
			b.Fatal(len(l.Documents), err)
		}
		split(&list)
		for _, g := range l.Head.Kept {
			if err := p.Drop(b.Context(), g); err != nil {
				b.Fatal(err)
			}
		}
		split(&drop)
	}
	for name, d := range map[string]time.Duration{"stage-ms": stage, "swap-ms": swap, "list-ms": list, "drop-ms": drop} {
		b.ReportMetric(d.Seconds()*1000/float64(b.N), name)
	}
}

// BenchmarkOpen measures a start to the first read, on an empty folder and on one with documents.
func BenchmarkOpen(b *testing.B) {
	b.Run("empty", func(b *testing.B) {
		for b.Loop() {
			s := open(b, b.TempDir())
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("again", func(b *testing.B) {
		dir := b.TempDir()
		s := open(b, dir)
		v := value()
		for i := range 5000 {
			if _, err := s.Commit(b.Context(), store.Batch{Put: []store.Write{{Key: fmt.Sprint("k/", i), Value: v}}}); err != nil {
				b.Fatal(err)
			}
		}
		for b.Loop() {
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			s = open(b, dir)
		}
	})
}

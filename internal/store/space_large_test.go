package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

// largeBatch gives keys below l/ a value, n of them of some size.
func largeBatch(n, size int, value string) store.Batch {
	var b store.Batch
	for i := range n {
		b.Put = append(b.Put, store.Write{Key: fmt.Sprintf("l/%06d", i), Value: []byte(value + strings.Repeat("x", size))})
	}
	return b
}

// mark is the first byte of all documents below l/, or what is wrong with them.
func mark(docs []store.Document, n int) string {
	if len(docs) == 0 {
		return ""
	}
	first := string(docs[0].Value[:1])
	for _, d := range docs {
		if string(d.Value[:1]) != first {
			return fmt.Sprintf("a mix: %s is %q, %s is %q", docs[0].Key, first, d.Key, d.Value[:1])
		}
	}
	if len(docs) != n {
		return fmt.Sprintf("%d documents of %d", len(docs), n)
	}
	return first
}

// TestLargeBatch: a batch of many commits is one for readers, watchers and snapshots at every revision.
func TestLargeBatch(t *testing.T) {
	onBoth(t, func(t *testing.T, s store.Store) {
		const n = 1000
		ctx := t.Context()
		p, other := openSpace(t, s), openSpace(t, s)
		must(t, commit(p, largeBatch(n, 3000, "a")))
		put(t, other, "m", "1", "z", "1") // between the keys and after them

		looking, stop := context.WithCancel(ctx)
		defer stop()
		var lookers sync.WaitGroup
		for i := range 3 {
			q := openSpace(t, s)
			lookers.Go(func() {
				for looking.Err() == nil {
					var docs []store.Document
					switch i {
					case 0:
						l, err := q.List(ctx, "l/", store.ListOptions{})
						must(t, err)
						docs = l.Documents
					case 1:
						snap, err := q.Snapshot(ctx)
						must(t, err)
						for d, err := range snap.Documents(ctx) {
							must(t, err)
							if strings.HasPrefix(d.Key, "l/") {
								docs = append(docs, d)
							}
						}
					case 2:
						before, err := q.Get(ctx, "l/000999", 0)
						must(t, err)
						after, err := q.Get(ctx, "l/000000", 0)
						must(t, err)
						if before.Value[0] > after.Value[0] {
							t.Errorf("the last document is of %q, the first, read later, of %q", before.Value[0], after.Value[0])
						}
						continue
					}
					if m := mark(docs, n); len(m) > 1 {
						t.Errorf("reader %d: %s", i, m)
						return
					}
				}
			})
		}
		seen := map[string]string{}
		var end atomic.Int64
		done := errors.New("done")
		watched := make(chan error, 1)
		go func() {
			q := openSpace(t, s)
			watched <- q.Watch(ctx, 0, func(e store.SpaceEvent) error {
				for i, c := range e.Changes {
					if i > 0 && c.Key <= e.Changes[i-1].Key {
						return fmt.Errorf("%s comes after %s", c.Key, e.Changes[i-1].Key)
					}
					if c.Deleted {
						delete(seen, c.Key)
					} else {
						seen[c.Key] = string(c.Value[:1])
					}
				}
				marks := map[string]bool{}
				for k, v := range seen {
					if strings.HasPrefix(k, "l/") {
						marks[v] = true
					}
				}
				if len(marks) > 1 {
					return fmt.Errorf("the watch is at a mix: %v", marks)
				}
				if r := end.Load(); r != 0 && int64(e.Revision) >= r {
					return done
				}
				return nil
			})
		}()
		for v := 'b'; v <= 'e'; v++ {
			b := largeBatch(n, 3000, string(v))
			b.If = []store.Condition{{Key: "m", Revision: store.Any}}
			r, err := p.Commit(ctx, b)
			must(t, err)
			if d, err := other.Get(ctx, "l/000000", 0); err != nil || d.Revision != r {
				t.Errorf("the first document has revision %d, %v; the commit was %d", d.Revision, err, r)
			}
			put(t, other, "m", string(v))
		}
		b := largeBatch(n, 0, "")
		gone := store.Batch{}
		for _, w := range b.Put {
			gone.Delete = append(gone.Delete, w.Key)
		}
		stop()
		lookers.Wait()
		must(t, commit(other, gone))
		r, err := other.Commit(ctx, store.Batch{Put: writes("z", "2")})
		must(t, err)
		end.Store(int64(r))
		_, err = other.Beat(ctx)
		must(t, err)
		if err := <-watched; !errors.Is(err, done) {
			t.Error(err)
		}
		if want := map[string]string{"m": "e", "z": "2"}; !maps.Equal(seen, want) {
			t.Errorf("who watched has %d documents, want %v", len(seen), want)
		}
		if got := content(t, p, 0); got != "m=e z=2" {
			t.Errorf("the documents are %s", got)
		}
		l, err := s.List(ctx, "services/apim-primary/redo/", store.ListOptions{})
		if err != nil || len(l.Documents) != 0 {
			t.Errorf("%d parts are left, %v", len(l.Documents), err)
		}
	})
}

func commit(p *store.Space, b store.Batch) error {
	_, err := p.Commit(context.Background(), b)
	return err
}

// cut is a store whose process dies after some commits.
type cut struct {
	store.Store
	left int
}

func (c *cut) Commit(ctx context.Context, b store.Batch) (tandem.Revision, error) {
	if c.left == 0 {
		return 0, &tandem.Error{Op: "commit", Kind: tandem.Unavailable, Err: errors.New("the process is dead")}
	}
	c.left--
	return c.Store.Commit(ctx, b)
}

// TestLargeBatchCut ends the writer after every number of commits: others see all of the batch or nothing, in every way of
// reading, before and after they finish it.
func TestLargeBatchCut(t *testing.T) {
	const n = 400
	for left := 0; ; left++ {
		s := storetest.Memory()
		p := openSpace(t, s)
		put(t, p, "k", "1")
		must(t, commit(p, largeBatch(n, 5000, "a")))
		dying := openSpace(t, &cut{s, left})
		b := largeBatch(n-50, 5000, "b")
		for i := n - 50; i < n; i++ {
			b.Delete = append(b.Delete, fmt.Sprintf("l/%06d", i))
		}
		_, err := dying.Commit(t.Context(), b)
		want, count := "a", n
		if err == nil {
			want, count = "b", n-50
		}
		read := func(when string) {
			q := openSpace(t, s)
			l, err := q.List(t.Context(), "l/", store.ListOptions{})
			must(t, err)
			if got := mark(l.Documents, count); got != want {
				t.Errorf("dead after %d commits, %s: a list has %s, want %s", left, when, got, want)
			}
			paged, o := 0, store.ListOptions{Limit: 7}
			for more := true; more; {
				l, err := q.List(t.Context(), "l/", o)
				must(t, err)
				more, paged = l.More, paged+len(l.Documents)
				o.After = l.Documents[len(l.Documents)-1].Key
			}
			if paged != count {
				t.Errorf("dead after %d commits, %s: pages have %d documents, want %d", left, when, paged, count)
			}
			_, err = q.Get(t.Context(), fmt.Sprintf("l/%06d", n-1), 0)
			if absent := tandem.KindOf(err) == tandem.NotFound; absent != (want == "b") {
				t.Errorf("dead after %d commits, %s: the last document: %v", left, when, err)
			}
		}
		read("before anyone writes")
		q := openSpace(t, s)
		if left%2 == 0 {
			must(t, q.Sweep(t.Context()))
		} else {
			put(t, q, "k", "2")
		}
		read("after it")
		must(t, q.Sweep(t.Context()))
		if all, _ := s.List(t.Context(), "services/apim-primary/redo/", store.ListOptions{}); len(all.Documents) != 0 {
			t.Errorf("dead after %d commits: %d parts are left", left, len(all.Documents))
		}
		if err == nil && left > 60 {
			return
		}
		if left > 200 {
			t.Fatalf("the batch is never done: %v", err)
		}
	}
}

// TestLargeBatchRefused: conditions, locks and limits hold for large batches as for small ones.
func TestLargeBatchRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, s store.Store) {
		p := openSpace(t, s)
		put(t, p, "a", "1")
		b := largeBatch(300, 10, "a")
		b.If = []store.Condition{{Key: "a"}}
		_, err := p.Commit(t.Context(), b)
		wantKind(t, "a condition that does not hold", err, tandem.Precondition)
		var te *tandem.Error
		if errors.As(err, &te) && te.Subject != "a" {
			t.Errorf("the error names %q", te.Subject)
		}
		b.If = nil
		must(t, p.Lock(t.Context(), "op", "test"))
		_, err = p.Commit(t.Context(), b)
		wantKind(t, "a locked space", err, tandem.Locked)
		must(t, p.Unlock(t.Context(), "op"))
		b.Put[3].Value = bytes.Repeat([]byte("v"), store.MaxBytes)
		_, err = p.Commit(t.Context(), b)
		wantKind(t, "a document larger than a commit", err, tandem.TooLarge)
		b.Put[3].Value = nil
		b.Delete = []string{b.Put[7].Key}
		_, err = p.Commit(t.Context(), b)
		wantKind(t, "a key twice", err, tandem.Invalid)
		if got := content(t, p, 0); got != "a=1" {
			t.Errorf("refused batches left %s", got)
		}
		if l, _ := s.List(t.Context(), "services/apim-primary/redo/", store.ListOptions{}); len(l.Documents) != 0 {
			t.Errorf("refused batches left %d parts", len(l.Documents))
		}
	})
}

// TestLargeBatches has several processes commit large batches and lock at once: none is lost or mixed.
func TestLargeBatches(t *testing.T) {
	onBoth(t, func(t *testing.T, s store.Store) {
		var all sync.WaitGroup
		for w := range 3 {
			p := openSpace(t, s)
			all.Go(func() {
				for i := range 4 {
					for {
						err := commit(p, largeBatch(200, 100, string(rune('a'+w*4+i))))
						if err == nil {
							break
						}
						if tandem.KindOf(err) != tandem.Locked {
							t.Error(err)
							return
						}
					}
				}
			})
		}
		all.Go(func() {
			p := openSpace(t, s)
			for i := range 5 {
				owner := fmt.Sprint(i)
				must(t, p.Lock(t.Context(), owner, "test"))
				l, err := p.List(t.Context(), "l/", store.ListOptions{})
				must(t, err)
				if m := mark(l.Documents, 200); len(m) > 1 {
					t.Error(m)
				}
				must(t, p.Sweep(t.Context()))
				must(t, p.Unlock(t.Context(), owner))
			}
		})
		all.Wait()
		l, err := openSpace(t, s).List(t.Context(), "l/", store.ListOptions{})
		must(t, err)
		if m := mark(l.Documents, 200); len(m) != 1 {
			t.Error(m)
		}
	})
}

// TestRedoParts: what a large batch writes is read as it was, whatever bytes it has.
func TestRedoParts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := openSpace(t, storetest.Memory())
		want := map[string]string{}
		var b store.Batch
		for i := range 130 {
			k, v := fmt.Sprintf("%03d", i), rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(rt, "value")
			b.Put, want[k] = append(b.Put, store.Write{Key: k, Value: v}), string(v)
		}
		must(t, commit(p, b))
		l, err := p.List(t.Context(), "", store.ListOptions{})
		must(t, err)
		got := map[string]string{}
		for _, d := range l.Documents {
			got[d.Key] = string(d.Value)
		}
		if !maps.Equal(got, want) {
			rt.Fatalf("got %q, want %q", got, want)
		}
	})
}

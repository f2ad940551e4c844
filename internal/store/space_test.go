package store_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/etcd"
	"tandem/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// onBoth runs a test on a store in memory and on etcd.
func onBoth(t *testing.T, test func(t *testing.T, s store.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, storetest.Memory()) })
	t.Run("etcd", func(t *testing.T) { test(t, openEtcd(t)) })
}

func openEtcd(t testing.TB) store.Store {
	s, err := etcd.Open(t.Context(), etcd.Config{Dir: t.TempDir()})
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

func openSpace(t testing.TB, s store.Store) *store.Space {
	t.Helper()
	p, err := store.OpenSpace(t.Context(), s, "services/apim-primary")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, what string, err error, kind tandem.Kind) {
	t.Helper()
	if err == nil || tandem.KindOf(err) != kind {
		t.Errorf("%s: got error %v, want kind %q", what, err, kind)
	}
}

// writes gives documents from key, value, key, value...
func writes(kv ...string) []store.Write {
	var out []store.Write
	for i := 0; i < len(kv); i += 2 {
		out = append(out, store.Write{Key: kv[i], Value: []byte(kv[i+1])})
	}
	return out
}

func each(ws []store.Write) iter.Seq2[store.Write, error] {
	return func(yield func(store.Write, error) bool) {
		for _, w := range ws {
			if !yield(w, nil) {
				return
			}
		}
	}
}

func put(t testing.TB, p *store.Space, kv ...string) tandem.Revision {
	t.Helper()
	r, err := p.Commit(t.Context(), store.Batch{Put: writes(kv...)})
	must(t, err)
	return r
}

// content lists a space as "key=value ...".
func content(t testing.TB, p *store.Space, at tandem.Revision) string {
	t.Helper()
	l, err := p.List(t.Context(), "", store.ListOptions{At: at})
	must(t, err)
	return show(l.Documents)
}

func show(documents []store.Document) string {
	var parts []string
	for _, d := range documents {
		parts = append(parts, d.Key+"="+string(d.Value))
	}
	return strings.Join(parts, " ")
}

func TestSpaceDocuments(t *testing.T) {
	onBoth(t, func(t *testing.T, s store.Store) {
		p, q := openSpace(t, s), openSpace(t, s)
		other, err := store.OpenSpace(t.Context(), s, "services/apim-primary-2")
		must(t, err)
		put(t, other, "apis/a", "not ours")
		r1 := put(t, p, "apis/a", "1", "apis/b", "2")
		put(t, q, "apis/a", "3", "tags/x", "4")
		if got, want := content(t, p, 0), "apis/a=3 apis/b=2 tags/x=4"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, want := content(t, q, r1), "apis/a=1 apis/b=2"; got != want {
			t.Errorf("at %d: got %s, want %s", r1, got, want)
		}
		l, err := p.List(t.Context(), "apis/", store.ListOptions{Limit: 1})
		must(t, err)
		if got := show(l.Documents); got != "apis/a=3" || !l.More || l.Head.Active != 1 {
			t.Errorf("first page: got %s, more %v, head %+v", got, l.More, l.Head)
		}
		l, err = p.List(t.Context(), "apis/", store.ListOptions{After: "apis/a", At: l.Revision})
		must(t, err)
		if got := show(l.Documents); got != "apis/b=2" {
			t.Errorf("second page: got %s", got)
		}
		d, err := q.Get(t.Context(), "apis/a", r1)
		if err != nil || string(d.Value) != "1" || d.Key != "apis/a" || d.Revision != r1 {
			t.Errorf("get at %d: %+v, %v", r1, d, err)
		}
		_, err = p.Get(t.Context(), "apis/none", 0)
		wantKind(t, "get of an absent document", err, tandem.NotFound)
		_, err = p.Commit(t.Context(), store.Batch{If: []store.Condition{{Key: "apis/a", Revision: r1}}, Delete: []string{"apis/b"}})
		wantKind(t, "commit on an old revision", err, tandem.Precondition)
		var e *tandem.Error
		if errors.As(err, &e) && e.Subject != "apis/a" {
			t.Errorf("the failing key is %q, want it relative", e.Subject)
		}
	})
}

func TestSpaceRestore(t *testing.T) {
	onBoth(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		p, q := openSpace(t, s), openSpace(t, s) // q learns of all by itself
		put(t, p, "apis/a", "old", "apis/b", "old")
		put(t, q, "apis/c", "old")
		_, err := p.Stage(ctx, "op-1", each(nil))
		wantKind(t, "stage without lock", err, tandem.Locked)
		must(t, p.Lock(ctx, "op-1", "restore of backup nightly-7"))
		must(t, p.Lock(ctx, "op-1", "the same operation, continued"))
		err = q.Lock(ctx, "op-2", "backup")
		wantKind(t, "second lock", err, tandem.Locked)
		if text := fmt.Sprint(err); !strings.Contains(text, "op-1") || !strings.Contains(text, "nightly-7") {
			t.Errorf("the error does not name the operation that holds the lock: %s", text)
		}
		_, err = q.Commit(ctx, store.Batch{Put: writes("apis/a", "lost")})
		wantKind(t, "commit while locked", err, tandem.Locked)
		wantKind(t, "unlock by another", q.Unlock(ctx, "op-2"), tandem.Locked)

		stage, err := p.Stage(ctx, "op-1", each(writes("apis/b", "new", "apis/a", "new")))
		must(t, err)
		if !stage.Verified || stage.Documents != 2 {
			t.Errorf("stage: %+v", stage.Staged)
		}
		if got, want := content(t, q, 0), "apis/a=old apis/b=old apis/c=old"; got != want {
			t.Errorf("before the swap: got %s, want %s", got, want)
		}
		resumed, err := q.Resume(ctx, "op-1") // as after a restart
		must(t, err)
		r, err := resumed.Swap(ctx)
		must(t, err)
		again, err := stage.Swap(ctx)
		if err != nil || again != r {
			t.Errorf("repeated swap: %d, %v, want %d", again, err, r)
		}
		_, err = q.Commit(ctx, store.Batch{Put: writes("apis/a", "lost")})
		wantKind(t, "commit between swap and unlock", err, tandem.Locked)
		must(t, p.Unlock(ctx, "op-1"))
		if got, want := content(t, q, 0), "apis/a=new apis/b=new"; got != want {
			t.Errorf("after the swap: got %s, want %s", got, want)
		}
		put(t, q, "apis/a", "newer")

		must(t, p.Lock(ctx, "op-3", "undo"))
		_, err = p.Rollback(ctx, "op-3", 7)
		wantKind(t, "roll back to what is not kept", err, tandem.NotFound)
		_, err = p.Rollback(ctx, "op-3", 1)
		must(t, err)
		if got, want := content(t, q, 0), "apis/a=old apis/b=old apis/c=old"; got != want {
			t.Errorf("after the roll back: got %s, want %s", got, want)
		}
		must(t, p.Unlock(ctx, "op-3"))
		wantKind(t, "drop the active generation", p.Drop(ctx, 1), tandem.NotFound)
		must(t, p.Drop(ctx, 2))
		h, err := p.Head(ctx)
		must(t, err)
		if h.Active != 1 || len(h.Kept)+len(h.Dropping) != 0 || h.Newest != 2 || h.Lock != nil {
			t.Errorf("head after all: %+v", h)
		}
		if l, err := s.List(ctx, "", store.ListOptions{}); err != nil || len(l.Documents) != 4 {
			t.Errorf("the store has %d documents, %v, want the head and three", len(l.Documents), err)
		}
	})
}

func TestSpaceBrokenLock(t *testing.T) {
	ctx := t.Context()
	s := storetest.Memory()
	p, q := openSpace(t, s), openSpace(t, s)
	must(t, p.Lock(ctx, "dead", "restore"))
	sent := 0
	_, err := p.Stage(ctx, "dead", func(yield func(store.Write, error) bool) {
		for i := range 3 * store.MaxOps {
			if i == 2*store.MaxOps { // somebody decides that the operation is dead, and begins another
				must(t, q.Unlock(ctx, "dead"))
				must(t, q.Lock(ctx, "alive", "restore again"))
			}
			sent = i
			if !yield(store.Write{Key: fmt.Sprint("k/", i)}, nil) {
				return
			}
		}
	})
	wantKind(t, "stage with a broken lock", err, tandem.Locked)
	if sent == 3*store.MaxOps-1 {
		t.Error("the dead operation went on to the end")
	}
	stage, err := q.Stage(ctx, "alive", each(writes("a", "1")))
	must(t, err)
	must(t, p.Unlock(ctx, "alive"))
	_, err = stage.Swap(ctx)
	wantKind(t, "swap with a broken lock", err, tandem.Locked)
	must(t, p.Sweep(ctx))
	if l, err := s.List(ctx, "", store.ListOptions{}); err != nil || len(l.Documents) != 1 {
		t.Errorf("%d documents are left, %v, want the head only: %s", len(l.Documents), err, show(l.Documents))
	}
}

func TestSpaceStageFails(t *testing.T) {
	torn := errors.New("the backup is torn")
	big := make([]byte, store.MaxBytes)
	for _, c := range []struct {
		name   string
		feed   iter.Seq2[store.Write, error]
		broken func(store.Store) store.Store
		kind   tandem.Kind
		cause  error
	}{
		{name: "source fails", cause: torn, feed: func(yield func(store.Write, error) bool) {
			for i := range 300 {
				yield(store.Write{Key: fmt.Sprint(i)}, nil)
			}
			yield(store.Write{}, torn)
		}},
		{name: "key twice", kind: tandem.Invalid, feed: each(writes("a", "1", "b", "2", "a", "3"))},
		{name: "bad key", kind: tandem.Invalid, feed: each(writes("/a", "1"))},
		{name: "too large", kind: tandem.TooLarge, feed: each([]store.Write{{Key: "a", Value: big}})},
		{name: "flipped bit", kind: tandem.Corrupt, feed: each(writes("a", "1", "b", "2")), broken: func(s store.Store) store.Store {
			return faulty{s, func(d *store.Document) bool {
				if strings.HasSuffix(d.Key, "/b") {
					d.Value[0] ^= 1
				}
				return true
			}}
		}},
		{name: "lost document", kind: tandem.Corrupt, feed: each(writes("a", "1", "b", "2")), broken: func(s store.Store) store.Store {
			return faulty{s, func(d *store.Document) bool { return !strings.HasSuffix(d.Key, "/b") }}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := t.Context()
			whole := storetest.Memory()
			s := whole
			if c.broken != nil {
				s = c.broken(whole)
			}
			p := openSpace(t, s)
			put(t, p, "k", "old")
			must(t, p.Lock(ctx, "op", "restore"))
			_, err := p.Stage(ctx, "op", c.feed)
			if err == nil || tandem.KindOf(err) != c.kind || c.cause != nil && !errors.Is(err, c.cause) {
				t.Errorf("got %v, want kind %q, cause %v", err, c.kind, c.cause)
			}
			must(t, p.Unlock(ctx, "op"))
			healthy := openSpace(t, whole)
			must(t, healthy.Sweep(ctx))
			if got := content(t, healthy, 0); got != "k=old" {
				t.Errorf("the active generation has %s, want k=old", got)
			}
			if c.broken != nil {
				return // what a bad disk hides is not found by its cleaning either
			}
			if l, err := whole.List(ctx, "", store.ListOptions{}); err != nil || len(l.Documents) != 2 {
				t.Errorf("the store has %d documents, %v, want the head and one", len(l.Documents), err)
			}
		})
	}
}

// faulty changes or drops documents that are listed, as a bad disk would.
type faulty struct {
	store.Store
	pass func(*store.Document) bool
}

func (f faulty) List(ctx context.Context, prefix string, o store.ListOptions) (store.Listing, error) {
	l, err := f.Store.List(ctx, prefix, o)
	kept := l.Documents[:0]
	for _, d := range l.Documents {
		if f.pass(&d) {
			kept = append(kept, d)
		}
	}
	l.Documents = kept
	return l, err
}

func TestSpaceWatch(t *testing.T) {
	onBoth(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		p := openSpace(t, s)
		put(t, p, "a", "1")
		must(t, p.Lock(ctx, "op", "restore"))
		stage, err := p.Stage(ctx, "op", each(writes("a", "2", "b", "2")))
		must(t, err)
		_, err = stage.Swap(ctx)
		must(t, err)
		must(t, p.Unlock(ctx, "op"))
		must(t, p.Drop(ctx, 1))
		_, err = p.Commit(ctx, store.Batch{Put: writes("c", "3"), Delete: []string{"a", "none"}})
		must(t, err)
		must(t, p.Lock(ctx, "end", "removal"))
		must(t, p.Remove(ctx, "end"))

		var seen []string
		err = p.Watch(ctx, 0, func(e store.SpaceEvent) error {
			switch {
			case e.Swapped:
				l, err := p.List(ctx, "", store.ListOptions{At: e.Revision})
				must(t, err)
				seen = append(seen, fmt.Sprintf("swap to %d: %s", e.Head.Active, show(l.Documents)))
			case len(e.Changes) > 0:
				text := "change:"
				for _, c := range e.Changes {
					text += fmt.Sprintf(" %s=%s deleted=%v", c.Key, c.Value, c.Deleted)
				}
				seen = append(seen, text)
			case e.Head.Lock != nil:
				if text := "locked by " + e.Head.Lock.Owner; seen[len(seen)-1] != text {
					seen = append(seen, text)
				}
			}
			return nil
		})
		wantKind(t, "watch of a removed space", err, tandem.NotFound)
		want := []string{
			"swap to 1: ",
			"change: a=1 deleted=false",
			"locked by op",
			"swap to 2: a=2 b=2",
			"change: a= deleted=true c=3 deleted=false",
			"locked by end",
			"swap to 3: ",
			"locked by end",
		}
		if got, wanted := strings.Join(seen, "\n"), strings.Join(want, "\n"); got != wanted {
			t.Errorf("got\n%s\nwant\n%s", got, wanted)
		}
		if l, err := s.List(ctx, "", store.ListOptions{}); err != nil || len(l.Documents) != 0 {
			t.Errorf("removal left %d documents, %v", len(l.Documents), err)
		}
		_, err = p.Commit(ctx, store.Batch{Put: writes("a", "1")})
		wantKind(t, "commit to a removed space", err, tandem.NotFound)
		if got := content(t, openSpace(t, s), 0); got != "" {
			t.Errorf("a space that was made anew has %s", got)
		}
	})
}

func TestSpaceSnapshot(t *testing.T) {
	onBoth(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		p := openSpace(t, s)
		const n = 1700 // more than two pages
		must(t, p.Lock(ctx, "op", "fill"))
		stage, err := p.Stage(ctx, "op", func(yield func(store.Write, error) bool) {
			for i := range n {
				if !yield(store.Write{Key: fmt.Sprintf("k/%04d", i), Value: []byte("old")}, nil) {
					return
				}
			}
		})
		must(t, err)
		_, err = stage.Swap(ctx)
		must(t, err)
		must(t, p.Unlock(ctx, "op"))
		snapshot, err := p.Snapshot(ctx)
		must(t, err)
		sums := map[string]store.Sum{}
		for d, err := range snapshot.Documents(ctx) {
			must(t, err)
			put(t, p, fmt.Sprintf("k/%04d", n-len(sums)), "new") // ahead of the reader, and behind it
			sums[d.Key] = store.SumOf(d.Key, d.Value)
		}
		if got := store.Digest(sums); len(sums) != n || got != stage.Digest {
			t.Errorf("the snapshot has %d documents, digest %s; staged were %d, %s", len(sums), got, n, stage.Digest)
		}
		now, err := s.Revision(ctx)
		must(t, err)
		must(t, s.Compact(ctx, now))
		for _, err := range snapshot.Documents(ctx) {
			wantKind(t, "a snapshot that was forgotten", err, tandem.Compacted)
		}
	})
}

func TestSpaceEpoch(t *testing.T) {
	p := openSpace(t, storetest.Memory())
	must(t, p.SetEpoch(t.Context(), 4))
	must(t, p.SetEpoch(t.Context(), 4))
	wantKind(t, "an older epoch", p.SetEpoch(t.Context(), 3), tandem.Precondition)
	if h, err := p.Head(t.Context()); err != nil || h.Epoch != 4 {
		t.Errorf("head: %+v, %v", h, err)
	}
	put(t, p, "a", "1") // the head's change does not disturb writers
}

func TestSpaceLimits(t *testing.T) {
	p := openSpace(t, storetest.Memory())
	var b store.Batch
	for i := range store.SpaceMaxOps {
		b.Put = append(b.Put, store.Write{Key: fmt.Sprint(i)})
	}
	_, err := p.Commit(t.Context(), b)
	must(t, err)
	for i := range store.MaxOps {
		b.If = append(b.If, store.Condition{Key: fmt.Sprint("absent", i)})
	}
	_, err = p.Commit(t.Context(), b)
	wantKind(t, "more conditions than a commit has", err, tandem.TooLarge)
}

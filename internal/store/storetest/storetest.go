// Package storetest is the conformance suite of package store: what every implementation must do, as tests. It also has
// a store in memory, which passes the suite.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tandem"
	"tandem/internal/store"
)

// Run runs the suite. open gives an empty store for one test, and closes it with t.Cleanup if the test has not.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s store.Store)
	}{
		{"documents", testDocuments},
		{"history", testHistory},
		{"conditions", testConditions},
		{"batches that change nothing", testNoChange},
		{"limits", testLimits},
		{"malformed input", testMalformed},
		{"values are copies", testCopies},
		{"list", testList},
		{"pages at one revision", testPages},
		{"writers that race", testRace},
		{"watch the past", testWatchPast},
		{"watch live", testWatchLive},
		{"watch ends", testWatchEnds},
		{"compaction", testCompaction},
		{"a cancelled call", testCancelled},
		{"close", testClose},
		{"model", testModel},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// put commits documents given as key, value, key, value...
func put(t *testing.T, s store.Store, kv ...string) tandem.Revision {
	t.Helper()
	var b store.Batch
	for i := 0; i < len(kv); i += 2 {
		b.Put = append(b.Put, store.Write{Key: kv[i], Value: []byte(kv[i+1])})
	}
	return commit(t, s, b)
}

func commit(t *testing.T, s store.Store, b store.Batch) tandem.Revision {
	t.Helper()
	r, err := s.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantKind(t *testing.T, what string, err error, kind tandem.Kind) {
	t.Helper()
	if got := tandem.KindOf(err); err == nil || got != kind {
		t.Errorf("%s: got error %v, want kind %q", what, err, kind)
	}
}

// show writes a listing as "key=value@revision(created) ...".
func show(documents []store.Document) string {
	var parts []string
	for _, d := range documents {
		parts = append(parts, fmt.Sprintf("%s=%s@%d(%d)", d.Key, d.Value, d.Revision, d.Created))
	}
	return strings.Join(parts, " ")
}

func list(t *testing.T, s store.Store, prefix string, o store.ListOptions) store.Listing {
	t.Helper()
	l, err := s.List(t.Context(), prefix, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func testDocuments(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Get(ctx, "a/b", 0)
	wantKind(t, "get of an absent key", err, tandem.NotFound)
	r1 := put(t, s, "a/b", "1", "a/c", "2")
	r2 := put(t, s, "a/b", "")
	if r2 <= r1 {
		t.Errorf("revisions do not grow: %d, then %d", r1, r2)
	}
	d, err := s.Get(ctx, "a/b", 0)
	if err != nil {
		t.Fatal(err)
	}
	if d.Key != "a/b" || len(d.Value) != 0 || d.Created != r1 || d.Revision != r2 {
		t.Errorf("after two puts: got %+v, want created %d, revision %d, an empty value", d, r1, r2)
	}
	r3 := commit(t, s, store.Batch{Delete: []string{"a/b"}})
	_, err = s.Get(ctx, "a/b", 0)
	wantKind(t, "get of a deleted key", err, tandem.NotFound)
	r4 := put(t, s, "a/b", "3")
	if d, err = s.Get(ctx, "a/b", 0); err != nil || d.Created != r4 {
		t.Errorf("after delete and put: got %+v, %v, want created %d", d, err, r4)
	}
	now, err := s.Revision(ctx)
	if err != nil || now != r4 || r4 <= r3 {
		t.Errorf("Revision() = %d, %v, want %d, after %d", now, err, r4, r3)
	}
}

func testHistory(t *testing.T, s store.Store) {
	r1 := put(t, s, "k", "1", "l", "1")
	r2 := put(t, s, "k", "2")
	r3 := commit(t, s, store.Batch{Delete: []string{"k"}, Put: []store.Write{{Key: "m", Value: []byte("3")}}})
	for _, c := range []struct {
		at   tandem.Revision
		want string
	}{
		{r1, fmt.Sprintf("k=1@%[1]d(%[1]d) l=1@%[1]d(%[1]d)", r1)},
		{r2, fmt.Sprintf("k=2@%[2]d(%[1]d) l=1@%[1]d(%[1]d)", r1, r2)},
		{r3, fmt.Sprintf("l=1@%[1]d(%[1]d) m=3@%[2]d(%[2]d)", r1, r3)},
	} {
		l := list(t, s, "", store.ListOptions{At: c.at})
		if got := show(l.Documents); got != c.want || l.Revision != c.at {
			t.Errorf("list at %d: got %s at %d, want %s", c.at, got, l.Revision, c.want)
		}
		d, err := s.Get(t.Context(), "k", c.at)
		switch {
		case c.at == r3:
			wantKind(t, "get at the deletion", err, tandem.NotFound)
		case err != nil || d.Revision != c.at:
			t.Errorf("get at %d: got %+v, %v", c.at, d, err)
		}
	}
	_, err := s.Get(t.Context(), "k", r3+1000)
	wantKind(t, "get in the future", err, tandem.Invalid)
	_, err = s.List(t.Context(), "k", store.ListOptions{At: r3 + 1000})
	wantKind(t, "list in the future", err, tandem.Invalid)
	_, err = s.Get(t.Context(), "k", -1)
	wantKind(t, "get at a negative revision", err, tandem.Invalid)
}

func testConditions(t *testing.T, s store.Store) {
	r1 := put(t, s, "a", "1", "b", "1")
	r2 := put(t, s, "b", "2")
	for _, c := range []struct {
		name    string
		when    []store.Condition
		failing string // empty: the batch is applied
	}{
		{"current revision", []store.Condition{{Key: "a", Revision: r1}, {Key: "b", Revision: r2}}, ""},
		{"old revision", []store.Condition{{Key: "a", Revision: r1}, {Key: "b", Revision: r1}}, "b"},
		{"absent and is", []store.Condition{{Key: "none"}}, ""},
		{"absent and is not", []store.Condition{{Key: "a"}}, "a"},
		{"exists and does", []store.Condition{{Key: "a", Revision: store.Any}}, ""},
		{"exists and does not", []store.Condition{{Key: "none", Revision: store.Any}}, "none"},
		{"revision of an absent key", []store.Condition{{Key: "none", Revision: r1}}, "none"},
		{"the first of two", []store.Condition{{Key: "a", Revision: r1}, {Key: "y", Revision: r1}, {Key: "b", Revision: r1}}, "y"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, err := s.Revision(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			key := "out/" + strings.ReplaceAll(c.name, " ", "-")
			r, err := s.Commit(t.Context(), store.Batch{If: c.when, Put: []store.Write{{Key: key}}, Delete: []string{"unknown"}})
			if c.failing == "" {
				if err != nil || r != before+1 {
					t.Errorf("got %d, %v, want revision %d", r, err, before+1)
				}
				return
			}
			wantKind(t, "commit", err, tandem.Precondition)
			var e *tandem.Error
			if errors.As(err, &e) && e.Subject != c.failing {
				t.Errorf("the failing key is %q, want %q", e.Subject, c.failing)
			}
			if now, _ := s.Revision(t.Context()); now != before {
				t.Errorf("a batch that was refused made revision %d of %d", now, before)
			}
			if _, err := s.Get(t.Context(), key, 0); tandem.KindOf(err) != tandem.NotFound {
				t.Errorf("a batch that was refused wrote %s: %v", key, err)
			}
		})
	}
}

func testNoChange(t *testing.T, s store.Store) {
	r := put(t, s, "a", "1")
	for name, b := range map[string]store.Batch{
		"empty":                {},
		"a condition only":     {If: []store.Condition{{Key: "a", Revision: r}}},
		"delete an absent key": {Delete: []string{"none"}},
	} {
		if got := commit(t, s, b); got != r {
			t.Errorf("%s: got revision %d, want still %d", name, got, r)
		}
	}
}

func testLimits(t *testing.T, s store.Store) {
	var b store.Batch
	for i := range store.MaxOps {
		switch key := fmt.Sprintf("k/%03d", i); i % 4 {
		case 0:
			b.If = append(b.If, store.Condition{Key: key})
		case 1:
			b.Delete = append(b.Delete, key)
		default:
			b.Put = append(b.Put, store.Write{Key: key, Value: make([]byte, 16000)})
		}
	}
	b.Put[0].Value = nil
	b.Put[0].Value = make([]byte, store.MaxBytes-batchBytes(b))
	commit(t, s, b)
	over := b
	over.Delete = append(slices.Clone(b.Delete), "one-more")
	_, err := s.Commit(t.Context(), over)
	wantKind(t, "one operation more than MaxOps", err, tandem.TooLarge)
	b.If = []store.Condition{{Key: "none"}}
	b.Put[0].Value = nil
	b.Put[0].Value = make([]byte, store.MaxBytes-batchBytes(b)+1)
	_, err = s.Commit(t.Context(), b)
	wantKind(t, "one byte more than MaxBytes", err, tandem.TooLarge)
}

func batchBytes(b store.Batch) int {
	n := 0
	for _, c := range b.If {
		n += len(c.Key)
	}
	for _, w := range b.Put {
		n += len(w.Key) + len(w.Value)
	}
	return n + len(strings.Join(b.Delete, ""))
}

func testMalformed(t *testing.T, s store.Store) {
	for _, key := range []string{"", "/a", "a\x00b"} {
		_, err := s.Get(t.Context(), key, 0)
		wantKind(t, fmt.Sprintf("get %q", key), err, tandem.Invalid)
		for _, b := range []store.Batch{
			{Put: []store.Write{{Key: key}}}, {Delete: []string{key}}, {If: []store.Condition{{Key: key}}},
		} {
			_, err := s.Commit(t.Context(), b)
			wantKind(t, fmt.Sprintf("commit %+v", b), err, tandem.Invalid)
		}
	}
	for _, b := range []store.Batch{
		{Put: []store.Write{{Key: "a"}, {Key: "a"}}},
		{Put: []store.Write{{Key: "a"}}, Delete: []string{"a"}},
		{Delete: []string{"a", "a"}},
		{If: []store.Condition{{Key: "a", Revision: -2}}},
	} {
		_, err := s.Commit(t.Context(), b)
		wantKind(t, fmt.Sprintf("commit %+v", b), err, tandem.Invalid)
	}
}

func testCopies(t *testing.T, s store.Store) {
	value := []byte("mine")
	commit(t, s, store.Batch{Put: []store.Write{{Key: "a", Value: value}}})
	value[0] = 'X'
	for range 2 {
		d, err := s.Get(t.Context(), "a", 0)
		if err != nil || string(d.Value) != "mine" {
			t.Fatalf("got %q, %v, want the value as it was committed", d.Value, err)
		}
		d.Value[0] = 'Y'
		list(t, s, "a", store.ListOptions{}).Documents[0].Value[0] = 'Z'
	}
}

func testList(t *testing.T, s store.Store) {
	put(t, s, "a/1", "", "a/2", "", "a/2/x", "", "a/10", "", "ab", "", "b/1", "")
	for _, c := range []struct {
		prefix string
		o      store.ListOptions
		want   string
		more   bool
	}{
		{"", store.ListOptions{}, "a/1 a/10 a/2 a/2/x ab b/1", false},
		{"a/", store.ListOptions{}, "a/1 a/10 a/2 a/2/x", false},
		{"a", store.ListOptions{Limit: 5}, "a/1 a/10 a/2 a/2/x ab", false},
		{"a", store.ListOptions{Limit: 4}, "a/1 a/10 a/2 a/2/x", true},
		{"a/", store.ListOptions{After: "a/10"}, "a/2 a/2/x", false},
		{"a/", store.ListOptions{After: "a/10", Limit: 1}, "a/2", true},
		{"a/", store.ListOptions{After: "a/2/x"}, "", false},
		{"a/", store.ListOptions{After: "a/1x"}, "a/2 a/2/x", false},
		{"a/", store.ListOptions{After: "z"}, "", false},
		{"b/", store.ListOptions{After: "a"}, "b/1", false},
		{"c", store.ListOptions{}, "", false},
	} {
		l := list(t, s, c.prefix, c.o)
		var keys []string
		for _, d := range l.Documents {
			keys = append(keys, d.Key)
		}
		if got := strings.Join(keys, " "); got != c.want || l.More != c.more {
			t.Errorf("list %q %+v: got %q, more %v; want %q, %v", c.prefix, c.o, got, l.More, c.want, c.more)
		}
		all := c.o
		all.Limit = 0
		if n := len(list(t, s, c.prefix, all).Documents); l.Total != n {
			t.Errorf("list %q %+v: it tells of %d, there are %d", c.prefix, c.o, l.Total, n)
		}
	}
}

func testPages(t *testing.T, s store.Store) {
	want := map[string]bool{}
	for i := range 25 {
		key := fmt.Sprintf("p/%02d", i)
		put(t, s, key, "old")
		want[key] = true
	}
	o := store.ListOptions{Limit: 4}
	got := map[string]bool{}
	for page := 0; ; page++ {
		l := list(t, s, "p/", o)
		for _, d := range l.Documents {
			if string(d.Value) != "old" {
				t.Errorf("page %d has %s=%s, written after the first page", page, d.Key, d.Value)
			}
			got[d.Key] = true
		}
		if !l.More {
			break
		}
		o.At, o.After = l.Revision, l.Documents[len(l.Documents)-1].Key
		commit(t, s, store.Batch{Put: []store.Write{{Key: "p/24", Value: []byte("new")}, {Key: "p/99"}}, Delete: []string{"p/23"}})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the pages differ from the first page's revision (-want +got):\n%s", diff)
	}
}

// testRace has writers count in one document with conditions: no count may be lost.
func testRace(t *testing.T, s store.Store) {
	const writers, each = 8, 20
	count := func(ctx context.Context) error {
		for {
			var now store.Document
			now, err := s.Get(ctx, "n", 0)
			if err != nil && tandem.KindOf(err) != tandem.NotFound {
				return err
			}
			_, err = s.Commit(ctx, store.Batch{If: []store.Condition{{Key: "n", Revision: now.Revision}},
				Put: []store.Write{{Key: "n", Value: append(now.Value, '.')}}})
			if tandem.KindOf(err) != tandem.Precondition {
				return err
			}
		}
	}
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range each {
				if err := count(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if d, err := s.Get(t.Context(), "n", 0); err != nil || len(d.Value) != writers*each {
		t.Errorf("counted %d, %v, want %d", len(d.Value), err, writers*each)
	}
}

func testCancelled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Commit(ctx, store.Batch{Put: []store.Write{{Key: "a"}}})
	if !errors.Is(err, context.Canceled) || tandem.KindOf(err) != tandem.Unavailable {
		t.Errorf("commit: got %v, want kind Unavailable around context.Canceled", err)
	}
	_, err = s.Get(ctx, "a", 0)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("get: got %v, want context.Canceled", err)
	}
}

func testClose(t *testing.T, s store.Store) {
	r := put(t, s, "a", "1")
	ctx := context.Background()
	watched := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		watched <- s.Watch(ctx, "", r-1, func(store.Event) error { close(started); return nil })
	}()
	<-started
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second close: %v", err)
	}
	wantKind(t, "the watch under way", <-watched, tandem.Closed)
	_, err := s.Get(ctx, "a", 0)
	wantKind(t, "get", err, tandem.Closed)
	_, err = s.List(ctx, "a", store.ListOptions{})
	wantKind(t, "list", err, tandem.Closed)
	_, err = s.Commit(ctx, store.Batch{Put: []store.Write{{Key: "a"}}})
	wantKind(t, "commit", err, tandem.Closed)
	_, err = s.Revision(ctx)
	wantKind(t, "revision", err, tandem.Closed)
	wantKind(t, "compact", s.Compact(ctx, r), tandem.Closed)
	wantKind(t, "watch", s.Watch(ctx, "", 0, func(store.Event) error { return nil }), tandem.Closed)
}

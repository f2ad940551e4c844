// Package vaulttest is what every vault must pass.
package vaulttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"tandem"
	"tandem/internal/vault"
)

// Run tests vaults that open gives; each must be empty.
func Run(t *testing.T, open func(t *testing.T) vault.Vault) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, vault.Vault)
	}{
		{"what was put is got", testPutGet},
		{"ranges", testRanges},
		{"put if absent", testIfAbsent},
		{"one of many puts if absent wins", testIfAbsentRace},
		{"a reader that fails stores nothing", testFailingReader},
		{"names are listed in order", testList},
		{"delete", testDelete},
		{"absent blobs", testAbsent},
		{"names that no vault takes", testNames},
		{"a cancelled context", testCancelled},
		{"a reader keeps its blob", testReplaceWhileReading},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

func put(t *testing.T, v vault.Vault, name, text string) {
	t.Helper()
	info, err := v.Put(context.Background(), name, strings.NewReader(text), vault.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if info.Name != name || info.Size != int64(len(text)) || info.Modified.IsZero() {
		t.Errorf("put %s: %+v", name, info)
	}
}

func get(v vault.Vault, name string, part vault.Range) (string, error) {
	r, info, err := v.Get(context.Background(), name, part)
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err == nil && (info.Name != name || info.Modified.IsZero() || info.Size < int64(len(text))) {
		err = fmt.Errorf("info %+v for %d bytes", info, len(text))
	}
	return string(text), err
}

func testPutGet(t *testing.T, v vault.Vault) {
	large := make([]byte, 9<<20+1) // more than one block or part
	rand.NewChaCha8([32]byte{7}).Read(large)
	for name, text := range map[string]string{"small": "hello", "empty": "", "deep/er/naïve name+%41&=#;'()~.tandem": "x", "large": string(large)} {
		// The reader is one that tells no length and gives odd pieces.
		info, err := v.Put(context.Background(), name, io.MultiReader(iotestHalf{strings.NewReader(text)}), vault.PutOptions{})
		if err != nil || info.Size != int64(len(text)) {
			t.Fatalf("%s: %+v, %v", name, info, err)
		}
		got, err := get(v, name, vault.Range{})
		if err != nil || got != text {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if h, err := v.Head(context.Background(), name); err != nil || h.Size != int64(len(text)) || h.Name != name {
			t.Errorf("head %s: %+v, %v", name, h, err)
		}
	}
	put(t, v, "small", "other")
	if got, err := get(v, "small", vault.Range{}); got != "other" {
		t.Errorf("replaced: %q, %v", got, err)
	}
}

// iotestHalf reads half of what it is asked for.
type iotestHalf struct{ r io.Reader }

func (h iotestHalf) Read(p []byte) (int, error) { return h.r.Read(p[:(len(p)+1)/2]) }

func testRanges(t *testing.T, v vault.Vault) {
	put(t, v, "b", "0123456789")
	put(t, v, "empty", "")
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, 0, "0123456789"}, {0, 3, "012"}, {3, 4, "3456"}, {3, 0, "3456789"}, {9, 1, "9"}, {8, 100, "89"}} {
		if got, err := get(v, "b", vault.Range{Offset: c.offset, Length: c.length}); got != c.want || err != nil {
			t.Errorf("%d+%d: %q, %v", c.offset, c.length, got, err)
		}
	}
	for _, r := range []vault.Range{{Offset: 10}, {Offset: 11, Length: 1}, {Offset: -1}, {Length: -1}} {
		if _, err := get(v, "b", r); !errors.Is(err, tandem.Invalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if got, err := get(v, "empty", vault.Range{}); got != "" || err != nil {
		t.Errorf("empty: %q, %v", got, err)
	}
	if _, err := get(v, "empty", vault.Range{Length: 1}); !errors.Is(err, tandem.Invalid) {
		t.Errorf("a part of the empty blob: %v", err)
	}
}

func testIfAbsent(t *testing.T, v vault.Vault) {
	large := strings.Repeat("0123456789abcdef", 9<<16)
	for _, text := range []string{"one", large} {
		name := fmt.Sprintf("lock%d", len(text))
		if _, err := v.Put(context.Background(), name, strings.NewReader(text), vault.PutOptions{IfAbsent: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Put(context.Background(), name, strings.NewReader(text+"2"), vault.PutOptions{IfAbsent: true}); !errors.Is(err, tandem.Exists) {
			t.Errorf("second: %v", err)
		}
		if got, err := get(v, name, vault.Range{}); got != text {
			t.Errorf("%d bytes are there, %v", len(got), err)
		}
	}
}

func testIfAbsentRace(t *testing.T, v vault.Vault) {
	const n = 8
	var wg sync.WaitGroup
	won := make([]bool, n)
	for i := range n {
		wg.Go(func() {
			_, err := v.Put(context.Background(), "epoch/7", strings.NewReader(fmt.Sprint(i)), vault.PutOptions{IfAbsent: true})
			won[i] = err == nil
			if err != nil && !errors.Is(err, tandem.Exists) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := get(v, "epoch/7", vault.Range{})
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range won {
		if w != (got == fmt.Sprint(i)) {
			t.Errorf("put %d: won %v, the blob is %q", i, w, got)
		}
	}
}

func testFailingReader(t *testing.T, v vault.Vault) {
	// Libraries like to take an unexpected end for the end.
	for _, broken := range []error{errors.New("the source broke"), io.ErrUnexpectedEOF} {
		for _, size := range []int{0, 10, 9 << 20} {
			put(t, v, "b", "old")
			r := io.MultiReader(bytes.NewReader(make([]byte, size)), failing{broken})
			if _, err := v.Put(context.Background(), "b", r, vault.PutOptions{}); !errors.Is(err, broken) {
				t.Errorf("%v after %d bytes: %v", broken, size, err)
			}
			if got, err := get(v, "b", vault.Range{}); got != "old" {
				t.Errorf("%v after %d bytes: %d bytes are there, %v", broken, size, len(got), err)
			}
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func names(v vault.Vault, prefix string) ([]string, error) {
	var out []string
	for info, err := range v.List(context.Background(), prefix) {
		if err != nil {
			return out, err
		}
		out = append(out, info.Name)
	}
	return out, nil
}

func testList(t *testing.T, v vault.Vault) {
	if got, err := names(v, ""); len(got) != 0 || err != nil {
		t.Errorf("an empty vault: %q, %v", got, err)
	}
	all := []string{"a", "b-c", "b/c", "b/c-d", "b/d/e", "b0", "c/x", "é"}
	for _, n := range []int{3, 0, 7, 5, 1, 6, 2, 4} {
		put(t, v, all[n], all[n])
	}
	for prefix, want := range map[string][]string{"": all, "b": all[1:6], "b/": all[2:5], "b/c": all[2:4], "b/d": all[4:5], "b/d/e": all[4:5], "z": nil, "b/d/e/f": nil, "a/": nil} {
		got, err := names(v, prefix)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("prefix %q: %q, %v, want %q", prefix, got, err, want)
		}
	}
	for info, err := range v.List(context.Background(), "") {
		if err != nil || info.Name != "a" || info.Size != 1 || info.Modified.IsZero() {
			t.Errorf("first: %+v, %v", info, err)
		}
		break
	}
}

func testDelete(t *testing.T, v vault.Vault) {
	put(t, v, "d/b", "x")
	for range 2 {
		if err := v.Delete(context.Background(), "d/b"); err != nil {
			t.Error(err)
		}
	}
	if _, err := v.Head(context.Background(), "d/b"); !errors.Is(err, tandem.NotFound) {
		t.Errorf("head: %v", err)
	}
	if got, err := names(v, ""); len(got) != 0 {
		t.Errorf("listed: %q, %v", got, err)
	}
	put(t, v, "d/b", "again")
}

func testAbsent(t *testing.T, v vault.Vault) {
	put(t, v, "a/b", "x")
	for _, name := range []string{"nothing", "a", "a/b/c", "x/y"} {
		if _, err := get(v, name, vault.Range{}); !errors.Is(err, tandem.NotFound) {
			t.Errorf("get %s: %v", name, err)
		}
		if _, err := v.Head(context.Background(), name); !errors.Is(err, tandem.NotFound) {
			t.Errorf("head %s: %v", name, err)
		}
		if err := v.Delete(context.Background(), name); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
	}
	if got, err := get(v, "a/b", vault.Range{}); got != "x" {
		t.Errorf("the neighbour: %q, %v", got, err)
	}
}

func testNames(t *testing.T, v vault.Vault) {
	for _, name := range []string{"", "a\nb", "a\x00", "\x7f", "\xff", strings.Repeat("a/", 600) + "a"} {
		_, err1 := v.Put(context.Background(), name, strings.NewReader("x"), vault.PutOptions{})
		_, err2 := get(v, name, vault.Range{})
		_, err3 := v.Head(context.Background(), name)
		err4 := v.Delete(context.Background(), name)
		for _, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, tandem.Invalid) {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
}

func testCancelled(t *testing.T, v vault.Vault) {
	put(t, v, "b", "x")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := v.Put(ctx, "b", strings.NewReader("y"), vault.PutOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
	for _, err := range v.List(ctx, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("list: %v", err)
		}
	}
	if got, err := get(v, "b", vault.Range{}); got != "x" {
		t.Errorf("%q, %v", got, err)
	}
}

func testReplaceWhileReading(t *testing.T, v vault.Vault) {
	old := strings.Repeat("old ", 4<<20/4)
	put(t, v, "b", old)
	r, _, err := v.Get(context.Background(), "b", vault.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	begin := make([]byte, 100)
	if _, err := io.ReadFull(r, begin); err != nil {
		t.Fatal(err)
	}
	put(t, v, "b", strings.Repeat("new ", 4<<20/4))
	rest, err := io.ReadAll(r)
	if err == nil && string(begin)+string(rest) != old {
		t.Error("a reader saw two blobs")
	}
}

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
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"tandem"
)

// TestFlippedBits flips single bits anywhere in a snapshot of several age chunks: every one is found, and the error
// names the place.
func TestFlippedBits(t *testing.T) {
	flips := 10_000
	if testing.Short() || raceDetector {
		flips = 300
	}
	id := testIdentity(t)
	rs := sample()
	for i := range 40 {
		rs = append(rs, Resource{Path: fmt.Sprintf("schemas/noise%d", i), Properties: json.RawMessage(fmt.Sprintf(`{"value":"%x"}`, noise(1500 + i*31)[i:]))})
	}
	data := write(t, id, rs)
	t.Logf("%d flips in %d bytes", flips, len(data))
	rnd := rand.New(rand.NewPCG(1, 2))
	for range flips {
		bit := rnd.IntN(len(data) * 8)
		data[bit/8] ^= 1 << (bit % 8)
		_, err := Verify(context.Background(), bytes.NewReader(data), id)
		data[bit/8] ^= 1 << (bit % 8)
		if kind := tandem.KindOf(err); kind != tandem.Corrupt && kind != tandem.Denied {
			t.Fatalf("bit %d: %v", bit, err)
		}
		var e *tandem.Error
		if errors.As(err, &e) && e.Kind == tandem.Corrupt && e.Subject == "" {
			t.Fatalf("bit %d: the error names no place: %v", bit, err)
		}
	}
	if _, err := Verify(context.Background(), bytes.NewReader(data), id); err != nil {
		t.Errorf("without a flip: %v", err)
	}
}

func TestEveryTruncationIsFound(t *testing.T) {
	id := testIdentity(t)
	data := write(t, id, sample())
	for n := 0; n < len(data); n += 7 {
		if _, err := Verify(context.Background(), bytes.NewReader(data[:n]), id); !errors.Is(err, tandem.Corrupt) {
			t.Fatalf("%d of %d bytes: %v", n, len(data), err)
		}
	}
}

func TestBrokenLineIsNotCorruption(t *testing.T) {
	id := testIdentity(t)
	data := write(t, id, sample())
	gone := errors.New("connection reset")
	for _, n := range []int{0, 10, 300, len(data) - 1} {
		_, err := Verify(context.Background(), io.MultiReader(bytes.NewReader(data[:n]), failing{gone}), id)
		if !errors.Is(err, tandem.Unavailable) || !errors.Is(err, gone) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestWriteRefuses(t *testing.T) {
	id := testIdentity(t)
	props := json.RawMessage(`{}`)
	cases := []struct {
		name string
		rs   []Resource
		kind tandem.Kind
	}{
		{"an odd path", []Resource{{Path: "apis/a/operations", Properties: props}}, tandem.Invalid},
		{"an empty segment", []Resource{{Path: "apis/", Properties: props}}, tandem.Invalid},
		{"a slash in front", []Resource{{Path: "/apis/a", Properties: props}}, tandem.Invalid},
		{"a type that is too long", []Resource{{Path: strings.Repeat("t", 101) + "/a", Properties: props}}, tandem.Invalid},
		{"a path twice", []Resource{{Path: "apis/a", Properties: props}, {Path: "apis/a", Properties: props}}, tandem.Invalid},
		{"a path twice but for case", []Resource{{Path: "apis/a", Properties: props}, {Path: "apis/A", Properties: props}}, tandem.Invalid},
		{"properties that are not JSON", []Resource{{Path: "apis/a", Properties: json.RawMessage(`{`)}}, tandem.Invalid},
		{"an envelope that is no object", []Resource{{Path: "apis/a", Envelope: json.RawMessage(`[]`)}}, tandem.Invalid},
		{"an envelope with an id", []Resource{{Path: "apis/a", Envelope: json.RawMessage(`{"id":"x"}`)}}, tandem.Invalid},
		{"a secret that is not UTF-8", []Resource{{Path: "apis/a", Secrets: map[string]string{"v": "\xffs3cret"}}}, tandem.Invalid},
		{"a path that is not UTF-8", []Resource{{Path: "apis/\xff", Properties: props}}, tandem.Invalid},
	}
	for _, c := range cases {
		_, err := Write(context.Background(), io.Discard, testMeta(), seq(c.rs), Recipients{id.Recipient()})
		if !errors.Is(err, c.kind) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	pass, err := age.NewScryptRecipient("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]Recipients{"no recipient": nil, "a passphrase beside a key": {id.Recipient(), pass}} {
		if _, err := Write(context.Background(), io.Discard, testMeta(), seq(nil), to); !errors.Is(err, tandem.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	full := errors.New("no space left")
	if _, err := Write(context.Background(), failing{full}, testMeta(), seq(sample()), Recipients{id.Recipient()}); !errors.Is(err, full) {
		t.Errorf("a full disk: %v", err)
	}
	gone := errors.New("the service went away")
	broken := func(yield func(Resource, error) bool) {
		_ = yield(Resource{Path: "tags/a"}, nil) && yield(Resource{}, gone)
	}
	var b bytes.Buffer
	if _, err := Write(context.Background(), &b, testMeta(), broken, Recipients{id.Recipient()}); !errors.Is(err, gone) || b.Len() > 0 {
		t.Errorf("a source that fails: %v, %d bytes", err, b.Len())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Write(ctx, io.Discard, testMeta(), seq(sample()), Recipients{id.Recipient()}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestPassphraseAndSecondRecipient(t *testing.T) {
	a, b := testIdentity(t), testIdentity(t)
	var box bytes.Buffer
	if _, err := Write(context.Background(), &box, testMeta(), seq(sample()), Recipients{a.Recipient(), b.Recipient()}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []age.Identity{a, b} {
		if _, err := Verify(context.Background(), bytes.NewReader(box.Bytes()), id); err != nil {
			t.Error(err)
		}
	}
	pass, err := age.NewScryptRecipient("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	pass.SetWorkFactor(10)
	box.Reset()
	if _, err := Write(context.Background(), &box, testMeta(), seq(sample()), Recipients{pass}); err != nil {
		t.Fatal(err)
	}
	for word, kind := range map[string]tandem.Kind{"correct horse": "", "wrong": tandem.Denied} {
		id, err := age.NewScryptIdentity(word)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(context.Background(), bytes.NewReader(box.Bytes()), id); tandem.KindOf(err) != kind {
			t.Errorf("%s: %v", word, err)
		}
	}
}

func TestResourcesCanBeReadOnce(t *testing.T) {
	id := testIdentity(t)
	r, err := Open(context.Background(), bytes.NewReader(write(t, id, sample())), id)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range r.Resources(context.Background()) {
		break
	}
	for _, err := range r.Resources(context.Background()) {
		if !errors.Is(err, tandem.Closed) {
			t.Errorf("got %v", err)
		}
	}
}

// listing tells what a reader got, one resource a line: path, document, secrets.
func listing(t *testing.T, rs []Resource) string {
	t.Helper()
	var b strings.Builder
	for _, r := range rs {
		doc, err := document(r)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\t%s\t", r.Path, doc)
		if len(r.Secrets) > 0 {
			line, err := formatSecrets(r.Path, r.Secrets)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(strings.TrimSuffix(string(line), "\n"))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestReleased reads files as they were written by released versions. They are never written anew: a change that
// breaks this test breaks people's backups.
func TestReleased(t *testing.T) {
	const file, golden = "testdata/released/v1.tandem", "testdata/released/v1.txt"
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) && updateFlag() {
		id := testIdentity(t)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile("testdata/released/identity.txt", []byte(id.String()+"\n"), 0o644),
			os.WriteFile(golden, []byte(listing(t, canonicalOf(t, sample()))), 0o644), os.WriteFile(file, write(t, id, sample()), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	id := identityFile(t, "testdata/released/identity.txt")
	m, got, err := read(data, id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), listing(t, got)); diff != "" || m.Source.Name != "apim-primary" || m.Generation != 3 {
		t.Errorf("%s\nmanifest: %+v", diff, m)
	}
	if _, err := Verify(context.Background(), bytes.NewReader(data), id); err != nil {
		t.Error(err)
	}
}

// FuzzRead takes the bytes of a tar. Whatever a verification accepts is exactly what the writer makes of it.
func FuzzRead(f *testing.F) {
	id := vectorIdentity(f)
	f.Add(plaintext(f, write(f, id, sample()), id))
	f.Add(plaintext(f, write(f, id, nil), id))
	for name, v := range vectors() {
		if !strings.Contains(name, "too-large") {
			v.behind = nil
			f.Add(plaintext(f, v.pack(f, id), id))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, rs, err := untar(data, Limits{Manifest: 1 << 20, Files: 100, File: 1 << 20, Total: 4 << 20})
		if err != nil {
			return
		}
		b := &builder{seen: map[string]string{}}
		for _, r := range rs {
			if err := b.add(r); err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
		}
		again, err := b.finish(Meta{Created: m.Created, Source: m.Source, Region: m.Region, Revision: m.Revision, Generation: m.Generation, Journal: m.Journal, Window: m.Window, Omissions: m.Omissions})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := b.tar(context.Background(), &out, again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), data) {
			t.Fatalf("the same snapshot in other bytes was accepted")
		}
	})
}

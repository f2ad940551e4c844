package replica

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"tandem"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
	"tandem/internal/vault"
	"tandem/internal/vault/dir"
)

// TestJournalVectors reads the released journal, as every later version must, and the damaged segments, whose names tell the
// class of failure. -journal-vectors makes them anew, for a new version of the format only.
func TestJournalVectors(t *testing.T) {
	folder := filepath.Join("testdata", "journal")
	if *makeVectors {
		writeVectors(t, folder)
	}
	text, err := os.ReadFile(filepath.Join(folder, "identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	j := &Journal{Vault: v, Prefix: "v", Service: "vectors", Sealer: seal{}, Identities: ids}
	whole := filepath.Join(folder, "whole")
	err = filepath.WalkDir(whole, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(whole, path)
		if err != nil {
			return err
		}
		_, err = v.Put(t.Context(), "v/"+filepath.ToSlash(rel), bytes.NewReader(b), vault.PutOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	proven, err := j.Verify(t.Context(), 0)
	if err != nil || proven.Segments != 3 || proven.Entries != 5 {
		t.Errorf("verified %+v, %v", proven, err)
	}
	want, err := os.ReadFile(filepath.Join(folder, "contents.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for r := proven.From.Revision; r <= proven.To.Revision; r++ {
		c, err := j.At(t.Context(), Point{Revision: r}, nil)
		if err != nil {
			t.Fatalf("revision %d: %v", r, err)
		}
		got.WriteString("revision " + digits(r) + "\n" + flatText(c.Documents))
	}
	if *makeVectors {
		want = []byte(got.String())
		must(t, os.WriteFile(filepath.Join(folder, "contents.txt"), want, 0o644))
	}
	if got.String() != string(want) {
		t.Errorf("the journal restores\n%s\nwant\n%s", got.String(), want)
	}
	damaged, err := filepath.Glob(filepath.Join(folder, "damaged", "*.tjs"))
	if err != nil || len(damaged) < 5 {
		t.Fatal(damaged, err)
	}
	for _, path := range damaged {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		class, _, _ := strings.Cut(filepath.Base(path), "-")
		_, err = readSegment(bytes.NewReader(b), "vectors", SegmentName{3, 1, 4, 6}, ids, func(Entry) error { return nil })
		kind := tandem.KindOf(err)
		if err != nil && kind == "" {
			kind = tandem.Corrupt // what age and zstd find has no kind of ours before the journal names the file
		}
		if want := map[string]tandem.Kind{"corrupt": tandem.Corrupt, "denied": tandem.Denied, "unsupported": tandem.Unsupported}[class]; kind != want || want == "" {
			t.Errorf("%s: %v, want %q", filepath.Base(path), err, want)
		}
	}
}

var makeVectors = flag.Bool("journal-vectors", false, "write testdata/journal anew")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writeVectors makes three segments: a base, commits and a beat with a secret, and a swap.
func writeVectors(t *testing.T, folder string) {
	must(t, os.RemoveAll(folder))
	id, err := age.GenerateX25519Identity()
	must(t, err)
	v, err := dir.Open(filepath.Join(folder, "whole"))
	must(t, err)
	j := &Journal{Vault: v, Prefix: "v", Service: "vectors", Sealer: seal{}, Recipients: []age.Recipient{id.Recipient()}}
	space := openSpace(t, storetest.Memory(), "s")
	w := NewJournalWriter(JournalWriterConfig{Journal: j, Clock: tandem.SystemClock{}, Source: NewSource(SourceConfig{Space: space, Clock: tandem.SystemClock{}})})
	g := &writing{JournalWriter: w}
	at := func(e Entry, generation tandem.Generation) Entry { e.Epoch, e.Generation = 3, generation; return e }
	plain := `{"ids":["plus"],"properties":{"displayName":"Plus & more"}}`
	secret := `{"ids":["acme"],"properties":{"state":"active"},"sealed":{"primaryKey":"sealed:apim\u0000subscriptions/acme\u0000primaryKey:\"k1\""}}`
	swap := at(fullEntry(9, doc("apis/échö", `{"ids":["échö"],"properties":{}}`)), 2)
	swap.After = 6
	for _, e := range []Entry{
		at(fullEntry(3, doc("products/plus", plain)), 1),
		at(commitEntry(3, 4, change("subscriptions/acme", secret)), 1),
		at(commitEntry(4, 5, deletion("products/plus"), change("subscriptions/acme", secret)), 1),
		at(Entry{Kind: EntryBeat, Position: Position{Revision: 6}, After: 5, Time: noon}, 1),
		swap,
	} {
		must(t, g.take(t.Context(), e))
	}
	must(t, os.RemoveAll(filepath.Join(folder, "whole", ".put")))
	must(t, os.Rename(filepath.Join(folder, "whole", "v"), filepath.Join(folder, "moved")))
	must(t, os.Remove(filepath.Join(folder, "whole")))
	must(t, os.Rename(filepath.Join(folder, "moved"), filepath.Join(folder, "whole")))
	must(t, os.WriteFile(filepath.Join(folder, "identity.txt"), []byte("# The identity of these test files; it protects nothing.\n"+id.String()+"\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(folder, "contents.txt"), nil, 0o644))
	writeDamaged(t, folder, id)
}

func writeDamaged(t *testing.T, folder string, id *age.X25519Identity) {
	must(t, os.MkdirAll(filepath.Join(folder, "damaged"), 0o755))
	stranger, err := age.GenerateX25519Identity()
	must(t, err)
	header := func(format string, version int, service string) segmentHeader {
		return segmentHeader{format, version, service, 3, 1, 3, &segmentLink{SegmentName{3, 1, 3, 3}.String(), strings.Repeat("0", 64)}}
	}
	sound := header(journalFormat, journalVersion, "vectors")
	entry := func(after, to tandem.Revision, c ...store.Change) []byte {
		e := commitEntry(after, to, c...)
		e.Epoch = 3
		return framesOf(t, e)
	}
	good := entry(3, 6, change("a", "{}"))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-6] ^= 1
	for name, c := range map[string]struct {
		to     age.Recipient
		header segmentHeader
		frames []byte
		cut    int
		tail   string
	}{
		"corrupt-checksum":    {id.Recipient(), sound, flipped, 0, ""},
		"corrupt-gap":         {id.Recipient(), sound, entry(4, 6, change("a", "{}")), 0, ""},
		"corrupt-key-order":   {id.Recipient(), sound, entry(3, 6, change("b", "{}"), change("a", "{}")), 0, ""},
		"corrupt-last":        {id.Recipient(), sound, entry(3, 5, change("a", "{}")), 0, ""},
		"corrupt-format":      {id.Recipient(), header("other", 1, "vectors"), good, 0, ""},
		"corrupt-service":     {id.Recipient(), header(journalFormat, 1, "another"), good, 0, ""},
		"corrupt-truncated":   {id.Recipient(), sound, good, 9, ""},
		"corrupt-trailing":    {id.Recipient(), sound, good, 0, "more"},
		"denied-recipient":    {stranger.Recipient(), sound, good, 0, ""},
		"unsupported-version": {id.Recipient(), header(journalFormat, 2, "vectors"), good, 0, ""},
	} {
		var b bytes.Buffer
		w, err := newSegmentWriter(&b, []age.Recipient{c.to})
		must(t, err)
		h, err := c.header.encode()
		must(t, err)
		w.entries = 1
		_, err = w.Write(append(appendFrame(nil, frameHello, h), c.frames...))
		must(t, err)
		must(t, w.end(6))
		out := append(b.Bytes()[:b.Len()-c.cut], c.tail...)
		must(t, os.WriteFile(filepath.Join(folder, "damaged", name+".tjs"), out, 0o644))
	}
}

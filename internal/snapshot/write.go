package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"tandem"
)

// Write writes a snapshot of the resources, which may come in any order, to w. What w received is a snapshot only if the
// error is nil; a vault's Put that fails when its reader fails keeps halves away. Memory is bounded but for about 300 bytes a
// resource and the secrets; the rest waits in an encrypted temporary file.
func Write(ctx context.Context, w io.Writer, meta Meta, resources iter.Seq2[Resource, error], to Recipients) (m Manifest, err error) {
	b := &builder{seen: map[string]string{}}
	defer func() { err = errors.Join(err, b.spool.close()) }()
	for r, err := range resources {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return m, err
		}
		if err := b.add(r); errors.Is(err, tandem.Unavailable) {
			return m, err
		} else if err != nil {
			return m, &tandem.Error{Op: "write snapshot", Subject: r.Path, Kind: kindOr(err, tandem.Invalid), Err: err,
				Remedy: "repair the resource at its source, or exclude it"}
		}
	}
	if m, err = b.finish(meta); err != nil {
		return m, err
	}
	if err := b.pack(ctx, w, m, to); err != nil {
		return m, &tandem.Error{Op: "write snapshot", Subject: meta.Source.Name, Kind: kindOr(err, tandem.Unavailable), Err: err,
			Remedy: "check the vault and the space for temporary files, and run the backup again"}
	}
	return m, nil
}

// builder gathers the resources of one snapshot.
type builder struct {
	spool   spool
	all     []spooled
	seen    map[string]string // folded path to path
	secrets []secretLine
	counts  map[string]int
}

// spooled is one resource's files in the spool.
type spooled struct {
	path  string
	files []File
	at    []int64
}

// secretLine is one line of secrets.jsonl.
type secretLine struct {
	path string
	line []byte
}

func (b *builder) add(r Resource) error {
	if other, ok := b.seen[fold(r.Path)]; ok {
		return fmt.Errorf("it came before, as %q", other)
	}
	b.seen[fold(r.Path)] = r.Path
	if !utf8.ValidString(r.Path) {
		return errors.New("its path is not UTF-8")
	}
	files, err := encode(r)
	if err != nil {
		return err
	}
	s := spooled{path: r.Path}
	for _, f := range files {
		sum := sha256.Sum256(f.data)
		at, err := b.spool.add(f.data)
		if err != nil {
			return &tandem.Error{Op: "write temporary file of snapshot", Subject: f.name, Kind: tandem.Unavailable, Err: err,
				Remedy: "make space in the folder for temporary files, or name another one in TMPDIR"}
		}
		s.files = append(s.files, File{f.name, int64(len(f.data)), hex.EncodeToString(sum[:])})
		s.at = append(s.at, at)
	}
	b.all = append(b.all, s)
	if len(r.Secrets) > 0 {
		line, err := formatSecrets(r.Path, r.Secrets)
		if err != nil {
			return err
		}
		b.secrets = append(b.secrets, secretLine{r.Path, line})
	}
	if b.counts == nil {
		b.counts = map[string]int{}
	}
	b.counts[r.Kind()]++
	return nil
}

// formatSecrets writes one line of secrets.jsonl. Its errors never quote a secret.
func formatSecrets(path string, secrets map[string]string) ([]byte, error) {
	out, err := appendSecrets(append(quote([]byte(`{"path":`), path), `,"secrets":`...), secrets)
	return append(out, "}\n"...), err
}

// appendSecrets writes the object of secrets by name.
func appendSecrets(out []byte, secrets map[string]string) ([]byte, error) {
	names := make([]string, 0, len(secrets))
	for name, value := range secrets {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return out, errors.New("a secret is not UTF-8: store it in base64")
		}
		names = append(names, name)
	}
	quoted := func(s string) string { return string(quote(nil, s)) }
	slices.SortFunc(names, func(a, b string) int {
		return strings.Compare(strings.Trim(quoted(a), `"`), strings.Trim(quoted(b), `"`))
	})
	out = append(out, '{')
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(quote(out, name), ':')
		out = quote(out, secrets[name])
	}
	return append(out, '}'), nil
}

// finish orders everything and makes the manifest.
func (b *builder) finish(meta Meta) (Manifest, error) {
	slices.SortFunc(b.all, func(x, y spooled) int { return strings.Compare(x.path, y.path) })
	slices.SortFunc(b.secrets, func(x, y secretLine) int { return strings.Compare(x.path, y.path) })
	m := Manifest{Format: formatName, Version: formatVersion, Created: meta.Created.UTC().Truncate(time.Second), Source: meta.Source,
		Region: meta.Region, Revision: meta.Revision, Generation: meta.Generation, Journal: meta.Journal,
		Counts: b.counts, Omissions: slices.Clone(meta.Omissions)}
	if meta.Window != nil {
		m.Window = &Window{meta.Window.From.UTC().Truncate(time.Second), meta.Window.To.UTC().Truncate(time.Second)}
	}
	if m.Counts == nil {
		m.Counts = map[string]int{}
	}
	if m.Omissions == nil {
		m.Omissions = []Omission{}
	}
	m.Files = make([]File, 0, len(b.all)*5/4+1)
	if len(b.secrets) > 0 {
		sum, size := sha256.New(), int64(0)
		for _, s := range b.secrets {
			sum.Write(s.line)
			size += int64(len(s.line))
		}
		m.Files = append(m.Files, File{secretsFile, size, hex.EncodeToString(sum.Sum(nil))})
	}
	for _, s := range b.all {
		m.Files = append(m.Files, s.files...)
	}
	m.Content = contentHash(m.Files)
	limits := Limits{}.withDefaults()
	if len(m.Files) > limits.Files || m.Bytes() > limits.Total {
		return m, &tandem.Error{Op: "write snapshot", Subject: meta.Source.Name, Kind: tandem.TooLarge,
			Err: fmt.Errorf("it has %d files and %d bytes", len(m.Files), m.Bytes()), Remedy: "split the service into workspaces and back them up apart"}
	}
	return m, nil
}

// pack writes tar, zstd and age around each other.
func (b *builder) pack(ctx context.Context, w io.Writer, m Manifest, to Recipients) error {
	sealed, err := age.Encrypt(w, to...)
	if err != nil {
		return &tandem.Error{Op: "encrypt snapshot", Kind: tandem.Invalid, Err: err, Remedy: "give at least one recipient, and a passphrase only alone"}
	}
	z, err := zstd.NewWriter(sealed, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(4<<20))
	if err != nil {
		return err
	}
	if err := b.tar(ctx, z, m); err != nil {
		return errors.Join(err, z.Close()) // Close ends the encoder's goroutines; age is left open, so the file never looks whole
	}
	if err := z.Close(); err != nil {
		return err
	}
	return sealed.Close()
}

// tar writes the entries and the end of the archive.
func (b *builder) tar(ctx context.Context, w io.Writer, m Manifest) error {
	var manifest, buf bytes.Buffer
	if err := m.format(&manifest); err != nil {
		return err
	}
	buf.Write(tarHeader(manifestFile, int64(manifest.Len())))
	buf.Write(manifest.Bytes())
	pad(&buf, int64(manifest.Len()))
	if len(b.secrets) > 0 {
		buf.Write(tarHeader(secretsFile, m.Files[0].Size))
		for _, s := range b.secrets {
			buf.Write(s.line)
		}
		pad(&buf, m.Files[0].Size)
	}
	for _, s := range b.all {
		if err := ctx.Err(); err != nil {
			return err
		}
		for i, f := range s.files {
			if err := b.entry(&buf, f, s.at[i]); err != nil {
				return err
			}
			if buf.Len() >= 128<<10 {
				if _, err := buf.WriteTo(w); err != nil {
					return err
				}
			}
		}
	}
	buf.Write(make([]byte, 2*block))
	_, err := buf.WriteTo(w)
	return err
}

// entry writes one spooled file.
func (b *builder) entry(buf *bytes.Buffer, f File, at int64) error {
	buf.Write(tarHeader(f.Name, f.Size))
	buf.Grow(int(f.Size))
	data := buf.AvailableBuffer()[:f.Size]
	if err := b.spool.read(data, at); err != nil {
		return err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != f.SHA256 {
		return &tandem.Error{Op: "read spool", Subject: f.Name, Kind: tandem.Corrupt, Err: errors.New("the temporary file gave other bytes than were written")}
	}
	buf.Write(data)
	pad(buf, f.Size)
	return nil
}

func pad(buf *bytes.Buffer, size int64) { buf.Write(make([]byte, padding(size))) }

func kindOr(err error, k tandem.Kind) tandem.Kind {
	if inner := tandem.KindOf(err); inner != "" {
		return inner
	}
	return k
}

package snapshot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"tandem"
)

// Reader reads one snapshot from its begin to its end. It is for one goroutine.
type Reader struct {
	manifest Manifest
	limits   Limits
	source   *source
	zstd     *zstd.Decoder // nil where the caller decompresses
	plain    io.Reader     // the tar's bytes
	secrets  map[string]map[string]string
	next     int // of manifest.Files
	used     bool
}

// source remembers an error of the reader beneath, so that a broken line is not taken for a damaged file.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF && s.err == nil {
		s.err = err
	}
	return n, err
}

// Open decrypts the begin of a snapshot and reads its manifest and secrets. The caller closes the Reader. Errors: Denied
// where no identity opens it, Unsupported where its version is newer, Corrupt, TooLarge.
func Open(ctx context.Context, r io.Reader, identities ...age.Identity) (*Reader, error) {
	return OpenLimited(ctx, r, Limits{}, identities...)
}

// OpenLimited is Open with other limits.
func OpenLimited(ctx context.Context, r io.Reader, limits Limits, identities ...age.Identity) (*Reader, error) {
	s := &Reader{source: &source{r: r}, limits: limits.withDefaults()}
	if err := s.open(identities); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Reader) open(identities []age.Identity) error {
	plain, err := age.Decrypt(s.source, identities...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) && s.source.err == nil {
		return &tandem.Error{Op: "open snapshot", Kind: tandem.Denied, Err: errors.New("none of the identities opens it, or its header is damaged"),
			Remedy: "use the vault's identity or the offline recovery key"}
	}
	if err != nil {
		return s.broken("the age header", err)
	}
	// Concurrency 1: no goroutine, so that nothing is left where a reader is abandoned.
	s.zstd, err = zstd.NewReader(plain, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return s.broken(manifestFile, err)
	}
	return s.begin(s.zstd)
}

// begin reads what stands before the resources.
func (s *Reader) begin(plain io.Reader) error {
	s.plain = plain
	head := make([]byte, block)
	if _, err := io.ReadFull(plain, head); err != nil {
		return s.broken(manifestFile, err)
	}
	size, err := tarSize(head)
	if err != nil || !bytes.Equal(head, tarHeader(manifestFile, size)) {
		return corrupt(manifestFile, "the archive does not begin with it")
	}
	if size > s.limits.Manifest {
		return tooLarge(manifestFile, fmt.Sprintf("it has %d bytes", size))
	}
	body := &io.LimitedReader{R: plain, N: size}
	if s.manifest, err = parseManifest(body, s.limits); err != nil {
		if s.source.err != nil {
			return s.broken(manifestFile, err)
		}
		return err
	}
	if body.N > 0 {
		return corrupt(manifestFile, "the snapshot is truncated")
	}
	if err := s.padding(manifestFile, size); err != nil {
		return err
	}
	if len(s.manifest.Files) > 0 && s.manifest.Files[0].Name == secretsFile {
		return s.readSecrets()
	}
	return nil
}

// Manifest is what the snapshot says of itself. Its list of files is proven only when all resources were read.
func (s *Reader) Manifest() Manifest { return s.manifest }

// Close frees the decoder.
func (s *Reader) Close() {
	if s.zstd != nil {
		s.zstd.Close()
	}
}

// broken names the file inside the snapshot at which reading ended.
func (s *Reader) broken(subject string, err error) error {
	switch {
	case s.source.err != nil:
		return &tandem.Error{Op: "read snapshot", Subject: subject, Kind: kindOr(s.source.err, tandem.Unavailable), Err: s.source.err, Remedy: "read it again"}
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return tooLarge(subject, "its compression asks for more memory than the format allows")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return corrupt(subject, "the snapshot is truncated")
	case tandem.KindOf(err) != "":
		return err
	}
	return corruptErr(subject, err)
}

// header reads the header of the next entry, which can only be one.
func (s *Reader) header(name string, size int64) error {
	want := tarHeader(name, size)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(s.plain, got); err != nil {
		return s.broken(name, err)
	}
	if !bytes.Equal(got, want) {
		return corrupt(name, "another entry stands in its place, or its header has another form than the format gives")
	}
	return nil
}

// padding reads the zeros behind an entry's data.
func (s *Reader) padding(name string, size int64) error {
	var zeros [block]byte
	pad := zeros[:padding(size)]
	if _, err := io.ReadFull(s.plain, pad); err != nil {
		return s.broken(name, err)
	}
	if !allZero(pad) {
		return corrupt(name, "its padding is not zero")
	}
	return nil
}

// readFile reads the next file of the manifest into buf and checks its size and hash.
func (s *Reader) readFile(buf []byte) ([]byte, error) {
	f := s.manifest.Files[s.next]
	s.next++
	if err := s.header(f.Name, f.Size); err != nil {
		return nil, err
	}
	buf, err := readAll(buf[:0], s.plain, f.Size)
	if err != nil {
		return nil, s.broken(f.Name, err)
	}
	if sum := sha256.Sum256(buf); hex.EncodeToString(sum[:]) != f.SHA256 {
		return nil, corrupt(f.Name, "its SHA-256 is not the one in the manifest")
	}
	return buf, s.padding(f.Name, f.Size)
}

// readAll reads n bytes, growing the buffer as they come: a size that is only claimed costs nothing.
func readAll(buf []byte, r io.Reader, n int64) ([]byte, error) {
	for int64(len(buf)) < n {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, int(min(n-int64(len(buf)), int64(max(len(buf), 64<<10)))))
		}
		got, err := r.Read(buf[len(buf):min(int64(cap(buf)), n)])
		buf = buf[:len(buf)+got]
		if err != nil && (err != io.EOF || int64(len(buf)) < n) {
			return buf, err
		}
	}
	return buf, nil
}

// readSecrets reads secrets.jsonl. Its errors never quote a line.
func (s *Reader) readSecrets() error {
	data, err := s.readFile(nil)
	if err != nil {
		return err
	}
	return s.parseSecrets(data)
}

func (s *Reader) parseSecrets(data []byte) error {
	s.secrets = map[string]map[string]string{}
	last := ""
	for i := 1; len(data) > 0; i++ {
		line, rest, ok := bytes.Cut(data, []byte("\n"))
		var one struct {
			Path    string            `json:"path"`
			Secrets map[string]string `json:"secrets"`
		}
		if err := json.Unmarshal(line, &one); err != nil || !ok {
			return corrupt(secretsFile, fmt.Sprintf("line %d is not the JSON of one resource's secrets", i))
		}
		again, err := formatSecrets(one.Path, one.Secrets)
		if err != nil || len(one.Secrets) == 0 || !bytes.Equal(again, data[:len(line)+1]) {
			return corrupt(secretsFile, fmt.Sprintf("line %d is not in canonical form", i))
		}
		if i > 1 && one.Path <= last {
			return corrupt(secretsFile, fmt.Sprintf("line %d is out of order", i))
		}
		last = one.Path
		s.secrets[one.Path] = one.Secrets
		data = rest
	}
	return nil
}

// Resources yields every resource once, in the byte order of paths, and then checks the end of the file. An error ends it.
// What came before an error is authentic, but the snapshot is not whole: act on nothing before the loop has ended well.
// It can be called once.
func (s *Reader) Resources(ctx context.Context) iter.Seq2[Resource, error] {
	return s.resources(ctx, nil)
}

// resources calls check, where given, with each resource and the files it came of, which are valid during the call.
func (s *Reader) resources(ctx context.Context, check func(r Resource, names []string, contents [][]byte) error) iter.Seq2[Resource, error] {
	return func(yield func(Resource, error) bool) {
		if s.used {
			yield(Resource{}, &tandem.Error{Op: "read snapshot", Kind: tandem.Closed, Err: errors.New("its resources were read already"), Remedy: "open it again"})
			return
		}
		s.used = true
		counts, seen, last := map[string]int{}, map[string]bool{}, ""
		var bufs [2][]byte
		for s.next < len(s.manifest.Files) {
			if err := ctx.Err(); err != nil {
				yield(Resource{}, err)
				return
			}
			name := s.manifest.Files[s.next].Name
			r, err := s.resource(&bufs, check)
			if err == nil && (len(seen) > 0 && r.Path <= last || seen[fold(r.Path)]) {
				err = corrupt(name, "its resource is out of order, or stands twice")
			}
			if err != nil {
				yield(Resource{}, err)
				return
			}
			last = r.Path
			seen[fold(r.Path)] = true
			counts[r.Kind()]++
			r.Secrets = s.secrets[r.Path]
			delete(s.secrets, r.Path)
			if !yield(r, nil) {
				return
			}
		}
		if err := s.end(counts); err != nil {
			yield(Resource{}, err)
		}
	}
}

// resource reads the files of one resource.
func (s *Reader) resource(bufs *[2][]byte, check func(Resource, []string, [][]byte) error) (Resource, error) {
	first := s.manifest.Files[s.next].Name
	path, paired, ok := resourcePath(first)
	if !ok {
		return Resource{}, corrupt(first, "no resource has a file of this name")
	}
	names := []string{first}
	isText := strings.HasSuffix(first, ".xml")
	pair := strings.TrimSuffix(first, ".json") + ".xml"
	if !isText && s.next+1 < len(s.manifest.Files) && s.manifest.Files[s.next+1].Name == pair {
		names = append(names, pair)
	}
	if paired && !isText && len(names) == 1 {
		return Resource{}, corrupt(first, "the text that belongs to it does not follow")
	}
	contents := make([][]byte, len(names))
	for i := range names {
		data, err := s.readFile(bufs[i])
		if err != nil {
			return Resource{}, err
		}
		bufs[i], contents[i] = data, data
	}
	doc, text := contents[0], contents[len(contents)-1]
	if isText {
		doc = nil
	}
	r, err := decode(path, doc, text, isText || len(names) == 2)
	if err == nil && check != nil {
		err = check(r, names, contents)
	}
	if err != nil {
		return Resource{}, corruptErr(first, err)
	}
	return r, nil
}

// end checks that nothing is missing and nothing follows.
func (s *Reader) end(counts map[string]int) error {
	const subject = "the end"
	var last [2 * block]byte
	if _, err := io.ReadFull(s.plain, last[:]); err != nil {
		return s.broken(subject, err)
	}
	if !allZero(last[:]) {
		return corrupt(subject, "an entry follows that the manifest does not list")
	}
	if n, err := io.CopyN(io.Discard, s.plain, 1); n > 0 {
		return corrupt(subject, "bytes follow the archive")
	} else if err != io.EOF {
		return s.broken(subject, err)
	}
	if n, err := io.CopyN(io.Discard, s.source, 1); n > 0 {
		return corrupt(subject, "bytes follow the encrypted file")
	} else if err != io.EOF {
		return s.broken(subject, err)
	}
	if !maps.Equal(counts, s.manifest.Counts) {
		return corrupt(manifestFile, "its counts are not those of its resources")
	}
	if len(s.secrets) > 0 {
		return corrupt(secretsFile, "it has secrets of resources that the snapshot does not hold")
	}
	return nil
}

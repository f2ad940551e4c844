package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"tandem"
)

// Manifest is the first entry of a snapshot: what it is, what it contains and what it does not.
type Manifest struct {
	Format     string            `json:"format"`
	Version    int               `json:"version"`
	Created    time.Time         `json:"created"`
	Source     Source            `json:"source"`
	Region     tandem.Region     `json:"region"`
	Revision   tandem.Revision   `json:"revision"`
	Generation tandem.Generation `json:"generation"`
	Journal    tandem.Revision   `json:"journal"`
	Window     *Window           `json:"window,omitempty"`
	Counts     map[string]int    `json:"counts"`
	Omissions  []Omission        `json:"omissions"`
	Content    string            `json:"content"` // SHA-256 of the list of files: equal for equal content
	Files      []File            `json:"files"`
}

// File is one further entry of a snapshot.
type File struct {
	Name   string `json:"file"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

const (
	formatName    = "tandem-snapshot"
	formatVersion = 1
)

// Bytes is the size of all files together.
func (m Manifest) Bytes() int64 {
	var n int64
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// Resources is how many resources the snapshot holds.
func (m Manifest) Resources() int {
	n := 0
	for _, c := range m.Counts {
		n += c
	}
	return n
}

// contentHash is the member content.
func contentHash(files []File) string {
	h := sha256.New()
	for _, f := range files {
		_, _ = io.WriteString(h, f.SHA256+" "+f.Name+"\n") // a hash takes all
	}
	return hex.EncodeToString(h.Sum(nil))
}

// format writes the manifest as docs/format.md, section 7, has it.
func (m Manifest) format(w io.Writer) error {
	files := m.Files
	m.Files = nil
	var head bytes.Buffer
	e := json.NewEncoder(&head)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return err
	}
	// The encoder ends with `"files": null`; the elements are written one a line.
	buf := append(bytes.TrimSuffix(head.Bytes(), []byte("null\n}\n")), '[')
	for i, f := range files {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, "\n    {\"file\": "...)
		buf = quote(buf, f.Name)
		buf = append(buf, ", \"size\": "...)
		buf = strconv.AppendInt(buf, f.Size, 10)
		buf = append(buf, ", \"sha256\": \""...)
		buf = append(append(buf, f.SHA256...), "\"}"...)
		if len(buf) > 1<<16 {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	if len(files) > 0 {
		buf = append(buf, "\n  "...)
	}
	_, err := w.Write(append(buf, "]\n}\n"...))
	return err
}

// parseManifest reads a manifest of the given size. It must be exactly what its content formats to, so that nothing in
// it is passed over.
func parseManifest(r io.Reader, limits Limits) (Manifest, error) {
	var m Manifest
	bad := func(err error) (Manifest, error) {
		if tandem.KindOf(err) != "" {
			return m, err
		}
		return m, corruptErr(manifestFile, err)
	}
	sum := sha256.New()
	d := json.NewDecoder(io.TeeReader(r, sum))
	d.DisallowUnknownFields()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return bad(orElse(err, errors.New("it is not a JSON object")))
	}
	members := map[string]any{
		"format": &m.Format, "version": &m.Version, "created": &m.Created, "source": &m.Source, "region": &m.Region, "revision": &m.Revision,
		"generation": &m.Generation, "journal": &m.Journal, "window": &m.Window, "counts": &m.Counts, "omissions": &m.Omissions, "content": &m.Content,
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return bad(err)
		}
		name, _ := t.(string)
		if name == "files" {
			err = m.parseFiles(d, limits)
		} else if into, ok := members[name]; ok {
			err = d.Decode(into)
		} else {
			err = fmt.Errorf("it has the unknown member %q", name)
		}
		if err != nil {
			return bad(err)
		}
		if m.Format != formatName { // the first member
			return bad(fmt.Errorf("its format is not %q", formatName))
		}
		if m.Version != formatVersion && name == "version" {
			return m, &tandem.Error{Op: "read snapshot", Subject: manifestFile, Kind: tandem.Unsupported,
				Err: fmt.Errorf("it has version %d of the format, this is a reader of version %d", m.Version, formatVersion), Remedy: "use a newer Tandem"}
		}
	}
	if _, err := d.Token(); err != nil {
		return bad(err)
	}
	if _, err := io.Copy(io.Discard, io.MultiReader(d.Buffered(), io.TeeReader(r, sum))); err != nil {
		return bad(err)
	}
	again := sha256.New()
	if err := m.format(again); err != nil {
		return bad(err)
	}
	if !bytes.Equal(sum.Sum(nil), again.Sum(nil)) {
		return bad(errors.New("it is not in canonical form"))
	}
	if m.Content != contentHash(m.Files) {
		return bad(errors.New("its content hash is not that of its list of files"))
	}
	return m, nil
}

func (m *Manifest) parseFiles(d *json.Decoder, limits Limits) error {
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return orElse(err, errors.New("files is not an array"))
	}
	m.Files = []File{}
	var total int64
	for d.More() {
		if len(m.Files) == limits.Files {
			return tooLarge(manifestFile, fmt.Sprintf("it lists more than %d files", limits.Files))
		}
		var f File
		if err := d.Decode(&f); err != nil {
			return err
		}
		limit := limits.File
		if f.Name == secretsFile {
			limit = limits.Manifest
		}
		if f.Size < 0 {
			return fmt.Errorf("the size of %q is negative", f.Name)
		}
		if f.Size > limit {
			return tooLarge(f.Name, fmt.Sprintf("its size of %d bytes is beyond the limit of %d", f.Size, limit))
		}
		if total += f.Size; total > limits.Total {
			return tooLarge(manifestFile, fmt.Sprintf("its files have more than %d bytes", limits.Total))
		}
		if len(f.SHA256) != 2*sha256.Size {
			return fmt.Errorf("the hash of %q is not one", f.Name)
		}
		m.Files = append(m.Files, f)
	}
	_, err := d.Token()
	return err
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"tandem"
)

// folderManifest is manifest.json of a folder: what the snapshot's says, without the list of files, which the folder is.
type folderManifest struct {
	Format     string            `json:"format"`
	Version    int               `json:"version"`
	Created    time.Time         `json:"created"`
	Source     Source            `json:"source"`
	Region     tandem.Region     `json:"region"`
	Revision   tandem.Revision   `json:"revision"`
	Generation tandem.Generation `json:"generation"`
	Window     *Window           `json:"window,omitempty"`
	Omissions  []Omission        `json:"omissions"`
	Secrets    bool              `json:"secrets"`
}

const folderFormat = "tandem-folder"

// SecretsLeftOut is the omission of a folder that was written without its secrets.
func SecretsLeftOut() Omission {
	return Omission{What: "secrets", Reason: "the folder was written without them", Consequence: "named values that are secret, keys and passwords come back empty; restore them from a snapshot"}
}

// WriteFolder writes resources as the tree of docs/format.md, section 10, fit for git, and removes files of the tree that are
// no more. The folder must be new, empty, or one that WriteFolder wrote. Secrets are written only where asked for, to a file
// of mode 0600 (law 7).
func WriteFolder(dir string, m Manifest, all []Resource, secrets bool) error {
	fail := func(name string, kind tandem.Kind, err error) error {
		return &tandem.Error{Op: "write folder", Subject: filepath.Join(dir, name), Kind: kind, Err: err, Remedy: "name a folder that is empty, or one that was exported to before"}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fail("", tandem.Unavailable, err)
	}
	old, err := treeFiles(dir)
	if err != nil {
		return err
	}
	if len(old) > 0 && !isFolder(dir) {
		return fail("", tandem.Exists, errors.New("it holds files that no export wrote"))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail("", tandem.Unavailable, err)
	}
	defer root.Close() //nolint:errcheck // nothing is written through it
	head := folderManifest{folderFormat, formatVersion, m.Created, m.Source, m.Region, m.Revision, m.Generation, m.Window, append([]Omission{}, m.Omissions...), secrets}
	if !secrets {
		head.Omissions = append(head.Omissions, SecretsLeftOut())
	}
	raw, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	put := func(name string, data []byte, mode os.FileMode) error {
		kept[name] = true
		if before, err := root.ReadFile(name); err == nil && bytes.Equal(before, data) {
			return nil // its time stays too
		}
		if err := root.MkdirAll(path.Dir(name), 0o777); err != nil {
			return fail(name, tandem.Unavailable, err)
		}
		if err := root.WriteFile(name, data, mode); err != nil {
			return fail(name, tandem.Unavailable, err)
		}
		return nil
	}
	if err := put(manifestFile, append(raw, '\n'), 0o666); err != nil { // first: what is cut off can be repeated
		return err
	}
	var lines []byte
	sorted := append([]Resource(nil), all...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Path < sorted[j].Path })
	for _, r := range sorted {
		files, err := encode(r)
		if err != nil {
			return fail(r.Path, tandem.Invalid, err)
		}
		for _, f := range files {
			if err := put(f.name, f.data, 0o666); err != nil {
				return err
			}
		}
		if secrets && len(r.Secrets) > 0 {
			line, err := formatSecrets(r.Path, r.Secrets)
			if err != nil {
				return fail(r.Path, tandem.Invalid, err)
			}
			lines = append(lines, line...)
		}
	}
	if len(lines) > 0 {
		if err := put(secretsFile, lines, 0o600); err != nil {
			return err
		}
		if err := root.Chmod(secretsFile, 0o600); err != nil {
			return fail(secretsFile, tandem.Unavailable, err)
		}
	}
	for _, name := range old {
		if !kept[name] {
			if err := root.Remove(name); err != nil {
				return fail(name, tandem.Unavailable, err)
			}
			for up := path.Dir(name); up != "." && root.Remove(up) == nil; up = path.Dir(up) { // a folder that is not empty stays
			}
		}
	}
	return nil
}

func isFolder(dir string) bool {
	raw, err := os.ReadFile(filepath.Join(dir, manifestFile))
	var m folderManifest
	return err == nil && json.Unmarshal(raw, &m) == nil && m.Format == folderFormat
}

// treeFiles lists the files of a folder by slashed name. Names that begin with a dot, and README.md, LICENSE and the like
// at the top, belong to git or people and are passed over; a link or device is refused.
func treeFiles(dir string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil || rel == "." {
			return err
		}
		name := filepath.ToSlash(rel)
		if strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		if !strings.Contains(name, "/") && !strings.HasSuffix(name, ".json") && !strings.HasSuffix(name, ".jsonl") {
			return nil
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is no plain file", name)
		}
		out = append(out, name)
		return nil
	})
	if err != nil {
		return nil, &tandem.Error{Op: "read folder", Subject: dir, Kind: tandem.Invalid, Err: err, Remedy: "name a folder that holds an export and nothing but plain files"}
	}
	sort.Strings(out)
	return out, nil
}

// ReadFolder reads what WriteFolder wrote and people edited: documents need not be in canonical form. A file that stands for
// no resource is an error (law 10).
func ReadFolder(dir string) (Meta, []Resource, error) {
	fail := func(name string, err error) (Meta, []Resource, error) {
		return Meta{}, nil, &tandem.Error{Op: "read folder", Subject: filepath.Join(dir, filepath.FromSlash(name)), Kind: tandem.Invalid, Err: err,
			Remedy: "mend the file or remove it; docs/format.md says which files a folder has"}
	}
	names, err := treeFiles(dir)
	if err != nil {
		return Meta{}, nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail("", err)
	}
	defer root.Close() //nolint:errcheck // only read
	raw, err := root.ReadFile(manifestFile)
	if err != nil {
		return fail(manifestFile, err)
	}
	var head folderManifest
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&head); err != nil {
		return fail(manifestFile, err)
	}
	if head.Format != folderFormat || head.Version != formatVersion {
		return fail(manifestFile, fmt.Errorf("it is format %q, version %d, in place of %q, version %d", head.Format, head.Version, folderFormat, formatVersion))
	}
	meta := Meta{Created: head.Created, Source: head.Source, Region: head.Region, Revision: head.Revision, Generation: head.Generation, Window: head.Window, Omissions: head.Omissions}
	files := map[string][]byte{}
	for _, name := range names {
		if name == manifestFile {
			continue
		}
		if files[name], err = root.ReadFile(name); err != nil {
			return fail(name, err)
		}
	}
	reader := &Reader{}
	if data, ok := files[secretsFile]; ok {
		if err := reader.parseSecrets(data); err != nil {
			return fail(secretsFile, err)
		}
		delete(files, secretsFile)
	}
	var all []Resource
	seen := map[string]string{}
	for _, name := range names {
		data, ok := files[name]
		if !ok {
			continue // the second of a pair
		}
		resource, paired, ok := resourcePath(name)
		if !ok {
			return fail(name, errors.New("no resource has a file of this name"))
		}
		var r Resource
		switch {
		case paired && strings.HasSuffix(name, ".xml"):
			r, err = decode(resource, nil, data, true)
		case paired:
			text := strings.TrimSuffix(name, ".json") + ".xml"
			body, has := files[text]
			if !has {
				return fail(name, errors.New("the text that belongs to it is missing"))
			}
			delete(files, text)
			r, err = decode(resource, data, body, true)
		default:
			r, err = decode(resource, data, nil, false)
		}
		if err != nil {
			return fail(name, err)
		}
		if other, twice := seen[fold(resource)]; twice {
			return fail(name, fmt.Errorf("it stands for the same resource as %s", other))
		}
		seen[fold(resource)] = name
		r.Secrets = reader.secrets[resource]
		delete(reader.secrets, resource)
		all = append(all, r)
	}
	for path := range reader.secrets {
		return fail(secretsFile, fmt.Errorf("it has secrets of %s, which the folder does not hold", path))
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	return meta, all, nil
}

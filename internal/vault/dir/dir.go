// Package dir is a vault in a folder: one file a blob, written aside, synced and renamed into place.
package dir

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"tandem"
	"tandem/internal/vault"
)

// aside is where blobs are written before they are whole. No blob's name begins with a dot.
const aside = ".put"

// Vault is a folder. It may be shared by processes; its file system must have hard links and atomic renames.
type Vault struct{ root string }

// Open makes the folder where it is absent. What a crash left half-written stays in .put and is nobody's blob.
func Open(root string) (*Vault, error) {
	if err := os.MkdirAll(filepath.Join(root, aside), 0o700); err != nil {
		return nil, wrap("open vault", root, err)
	}
	return &Vault{root: root}, nil
}

func (v *Vault) file(name string) string { return filepath.Join(v.root, filepath.FromSlash(name)) }

// Put implements vault.Vault.
func (v *Vault) Put(ctx context.Context, name string, r io.Reader, o vault.PutOptions) (vault.Info, error) {
	if err := vault.CheckName(name); err != nil {
		return vault.Info{}, err
	}
	if o.IfAbsent { // to spare the work; the link below decides
		if _, err := os.Lstat(v.file(name)); err == nil {
			return vault.Info{}, wrap("put blob", name, fs.ErrExist)
		}
	}
	src := &vault.Source{R: vault.Reader(ctx, r)}
	temp, err := v.write(src)
	if err == nil {
		defer os.Remove(temp)
		err = v.publish(temp, v.file(name), o.IfAbsent)
	}
	if src.Err != nil {
		return vault.Info{}, src.Err
	}
	if err != nil {
		return vault.Info{}, wrap("put blob", name, err)
	}
	return v.Head(ctx, name)
}

func (v *Vault) write(r io.Reader) (name string, err error) {
	var id [12]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", err
	}
	name = filepath.Join(v.root, aside, hex.EncodeToString(id[:]))
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			err = errors.Join(err, os.Remove(name))
		}
	}()
	if _, err := io.Copy(f, r); err != nil {
		return "", err
	}
	return name, f.Sync()
}

// publish gives the file its name, durably.
func (v *Vault) publish(temp, file string, ifAbsent bool) error {
	if err := v.mkdir(filepath.Dir(file)); err != nil {
		return err
	}
	if info, err := os.Lstat(file); err == nil && info.IsDir() {
		return &tandem.Error{Op: "name blob", Subject: file, Kind: tandem.Invalid, Err: errors.New("it is the folder of other blobs"), Remedy: "choose another name"}
	}
	move := os.Rename
	if ifAbsent {
		move = os.Link
	}
	if err := move(temp, file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

// mkdir makes folders, each durable in its parent.
func (v *Vault) mkdir(dir string) error {
	if _, err := os.Stat(dir); err == nil || dir == v.root {
		return nil
	}
	if err := v.mkdir(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Get implements vault.Vault.
func (v *Vault) Get(ctx context.Context, name string, part vault.Range) (io.ReadCloser, vault.Info, error) {
	if err := errors.Join(vault.CheckName(name), vault.CheckRange(name, part)); err != nil {
		return nil, vault.Info{}, err
	}
	f, err := os.Open(v.file(name))
	if err != nil {
		return nil, vault.Info{}, wrap("get blob", name, err)
	}
	info, err := describe(f, name)
	if err == nil && part != (vault.Range{}) && part.Offset >= info.Size {
		err = vault.PastEnd(name, part, info.Size)
	}
	if err != nil {
		return nil, vault.Info{}, errors.Join(err, f.Close())
	}
	n := info.Size - part.Offset
	if part.Length > 0 {
		n = min(n, part.Length)
	}
	return &section{vault.Reader(ctx, io.NewSectionReader(f, part.Offset, n)), f}, info, nil
}

type section struct {
	io.Reader
	io.Closer
}

func describe(f *os.File, name string) (vault.Info, error) {
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return vault.Info{}, wrap("read blob", name, err)
	}
	return vault.Info{Name: name, Size: info.Size(), Modified: info.ModTime()}, nil
}

// Head implements vault.Vault.
func (v *Vault) Head(ctx context.Context, name string) (vault.Info, error) {
	if err := vault.CheckName(name); err != nil {
		return vault.Info{}, err
	}
	info, err := os.Stat(v.file(name))
	if err == nil && info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return vault.Info{}, wrap("read blob", name, err)
	}
	return vault.Info{Name: name, Size: info.Size(), Modified: info.ModTime()}, nil
}

// List implements vault.Vault.
func (v *Vault) List(ctx context.Context, prefix string) iter.Seq2[vault.Info, error] {
	return func(yield func(vault.Info, error) bool) {
		v.walk(ctx, "", prefix, yield)
	}
}

// walk lists the folder of names that begin with base, "" or with a slash at its end. It tells whether to go on.
func (v *Vault) walk(ctx context.Context, base, prefix string, yield func(vault.Info, error) bool) bool {
	entries, err := os.ReadDir(v.file(base))
	if err == nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, fs.ErrNotExist) && base != "" {
		return true
	}
	if err != nil {
		yield(vault.Info{}, wrap("list blobs", base, err))
		return false
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		name := base + e.Name()
		if e.IsDir() {
			name += "/" // "a/b" stands behind "a-b", since a slash is heavier than a hyphen
		}
		// A folder matters where its names may have the prefix, a blob where it has it.
		if strings.HasPrefix(name, prefix) || e.IsDir() && strings.HasPrefix(prefix, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if strings.HasPrefix(name, aside+"/") {
			continue
		}
		if strings.HasSuffix(name, "/") {
			if !v.walk(ctx, name, prefix, yield) {
				return false
			}
			continue
		}
		info, err := v.Head(ctx, name)
		if errors.Is(err, tandem.NotFound) || errors.Is(err, tandem.Invalid) {
			continue // deleted meanwhile, or a foreign file that no Put can have made
		}
		if !yield(info, err) || err != nil {
			return false
		}
	}
	return true
}

// Delete implements vault.Vault. Folders stay, so that no Put loses the one it is about to use.
func (v *Vault) Delete(ctx context.Context, name string) error {
	if err := errors.Join(vault.CheckName(name), context.Cause(ctx)); err != nil {
		return err
	}
	file := v.file(name)
	if info, err := os.Lstat(file); err == nil && info.IsDir() {
		return nil
	}
	if err := os.Remove(file); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return nil
		}
		return wrap("delete blob", name, err)
	}
	if err := syncDir(filepath.Dir(file)); err != nil {
		return wrap("delete blob", name, err)
	}
	return nil
}

func wrap(op, subject string, err error) error {
	e := &tandem.Error{Op: op, Subject: subject, Kind: tandem.Unavailable, Err: err, Remedy: "check the folder and its disk"}
	var inner *tandem.Error
	switch {
	case errors.As(err, &inner):
		return err
	case errors.Is(err, syscall.ENOTDIR) && op == "put blob":
		e.Kind, e.Remedy = tandem.Invalid, "choose a name that is not below another blob"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		e.Kind, e.Remedy = tandem.NotFound, "list the vault to see what it holds"
	case errors.Is(err, fs.ErrExist):
		e.Kind, e.Remedy = tandem.Exists, "choose another name"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Kind, e.Remedy = tandem.Denied, "let Tandem's user write to the folder"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Kind, e.Remedy = tandem.TooLarge, "free space on the disk"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return e
}

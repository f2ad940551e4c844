package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tandem"
)

// maxFile bounds what is read of a key file; the largest legal one is far smaller.
const maxFile = 1 << 20

// create writes a new file whole, or reports fs.ErrExist where the name is taken: of two processes that start at the
// same time one wins and the other reads what the winner wrote.
func create(file string, data []byte, mode fs.FileMode) error {
	temp, err := writeTemp(file, data, mode)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := os.Link(temp, file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

// replace writes a file whole in place of an older one.
func replace(file string, data []byte, mode fs.FileMode) error {
	temp, err := writeTemp(file, data, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, file); err != nil {
		os.Remove(temp)
		return err
	}
	return syncDir(filepath.Dir(file))
}

func writeTemp(file string, data []byte, mode fs.FileMode) (name string, err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*") // CreateTemp makes it 0600
	if err != nil {
		return "", err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(data); err != nil {
		return "", err
	}
	if err := f.Chmod(mode); err != nil {
		return "", err
	}
	return f.Name(), f.Sync()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// readSecret reads a key file and refuses one that other users may read. The files of systemd credentials are guarded by
// their directory and may carry a group bit.
func readSecret(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	open := info.Mode().Perm() & 0o077
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" && within(file, dir) {
		open &= 0o007
	}
	if open != 0 {
		return nil, &tandem.Error{Op: "read key file", Subject: file, Kind: tandem.Denied,
			Err: fmt.Errorf("mode %04o lets other users read it", info.Mode().Perm()), Remedy: "run chmod 600 on it, and rotate the key if the machine has other users"}
	}
	if info.Size() > maxFile {
		return nil, &tandem.Error{Op: "read key file", Subject: file, Kind: tandem.TooLarge, Remedy: "name the right file"}
	}
	return os.ReadFile(file)
}

// Credential gives the path of a systemd credential (LoadCredential= in the unit), and false outside of such a unit.
func Credential(name string) (file string, ok bool) {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" || name != filepath.Base(name) {
		return "", false
	}
	file = filepath.Join(dir, name)
	_, err := os.Stat(file)
	return file, err == nil
}

// within tells whether file lies below dir, with symbolic links followed as far as the paths exist.
func within(file, dir string) bool {
	rel, err := filepath.Rel(resolve(dir), resolve(file))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func resolve(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for head, tail := abs, ""; ; head, tail = filepath.Dir(head), filepath.Join(filepath.Base(head), tail) {
		if r, err := filepath.EvalSymlinks(head); err == nil {
			return filepath.Join(r, tail)
		} else if !errors.Is(err, fs.ErrNotExist) || head == filepath.Dir(head) {
			return abs
		}
	}
}

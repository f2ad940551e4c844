package keys

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"filippo.io/age"
	"pgregory.net/rapid"

	"tandem"
)

func openMaster(t testing.TB) (*Master, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "etc", "master.key")
	m, err := OpenMaster(file, MasterOptions{Create: true, Clock: newClock()})
	if err != nil {
		t.Fatal(err)
	}
	return m, file
}

func TestSealOpenIsIdentity(t *testing.T) {
	m, _ := openMaster(t)
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		context := Context(rapid.String().Draw(t, "path"), rapid.String().Draw(t, "field"))
		sealed, err := m.Seal(plain, context)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Open(sealed, context)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("got %q, %v", got, err)
		}
		if len(plain) > 3 && strings.Contains(sealed, string(plain)) {
			t.Fatal("the sealed form shows the plaintext")
		}
		i := rapid.IntRange(0, len(sealed)-1).Draw(t, "flipped")
		bad := []byte(sealed)
		bad[i] ^= 1 << rapid.IntRange(0, 6).Draw(t, "bit")
		if got, err := m.Open(string(bad), context); err == nil {
			t.Fatalf("altered text %q opened to %q", bad, got)
		}
	})
}

func TestSealedValueIsBoundToItsPlace(t *testing.T) {
	m, _ := openMaster(t)
	sealed, err := m.Seal([]byte("pa55"), Context("namedValues/a", "value"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]byte{Context("namedValues/b", "value"), Context("namedValues/a", "key"), Context("namedValues/av", "alue"), nil} {
		if _, err := m.Open(sealed, c); !errors.Is(err, tandem.Corrupt) {
			t.Errorf("context %q: %v", c, err)
		}
	}
	again, _ := m.Seal([]byte("pa55"), Context("namedValues/a", "value"))
	if again == sealed {
		t.Error("sealing twice gives the same text: the nonce is not random")
	}
}

func TestRotationIsSeenByOtherOpeners(t *testing.T) {
	m, file := openMaster(t)
	other, err := OpenMaster(file, MasterOptions{Clock: newClock()})
	if err != nil {
		t.Fatal(err)
	}
	old, _ := m.Seal([]byte("x"), nil)
	if err := m.Rotate(); err != nil {
		t.Fatal(err)
	}
	fresh, err := m.Reseal(old, nil)
	if err != nil || !strings.HasPrefix(fresh, "tsk1.2.") {
		t.Fatalf("reseal: %q, %v", fresh, err)
	}
	for _, s := range []string{old, fresh} {
		if got, err := other.Open(s, nil); err != nil || string(got) != "x" {
			t.Errorf("the other opener: %q, %v", got, err)
		}
	}
	if same, err := m.Reseal(fresh, nil); same != fresh || err != nil {
		t.Errorf("a fresh value was sealed again: %v", err)
	}
	if _, err := m.Open("tsk1.9."+strings.Repeat("A", 64), nil); !errors.Is(err, tandem.NotFound) {
		t.Errorf("unknown version: %v", err)
	}
	if err := other.Rotate(); err != nil || other.Version() != 3 {
		t.Errorf("rotation on top of another's: version %d, %v", other.Version(), err)
	}
}

// TestRotationsAtTheSameTime: each opener stands for a process. No key that sealed something may be lost.
func TestRotationsAtTheSameTime(t *testing.T) {
	_, file := openMaster(t)
	var wg sync.WaitGroup
	sealed := make([][]string, 6)
	for i := range sealed {
		wg.Go(func() {
			m, err := OpenMaster(file, MasterOptions{Clock: newClock()})
			if err != nil {
				t.Error(err)
				return
			}
			for range 5 {
				if err := m.Rotate(); err != nil {
					t.Error(err)
				}
				s, err := m.Seal([]byte("x"), nil)
				if err != nil {
					t.Error(err)
				}
				sealed[i] = append(sealed[i], s)
			}
		})
	}
	wg.Wait()
	m, err := OpenMaster(file, MasterOptions{Clock: newClock()})
	if err != nil || m.Version() != 31 {
		t.Fatalf("version %d, %v", m.Version(), err)
	}
	for _, all := range sealed {
		for _, s := range all {
			if _, err := m.Open(s, nil); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestMasterFile(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	file := filepath.Join(dir, "master")
	if _, err := OpenMaster(file, MasterOptions{Clock: clock}); !errors.Is(err, tandem.NotFound) {
		t.Errorf("absent: %v", err)
	}
	if _, err := OpenMaster(file, MasterOptions{Create: true, Clock: clock}); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	for _, apart := range []string{dir, filepath.Dir(dir), dir + "/sub/.."} {
		if _, err := OpenMaster(file, MasterOptions{Apart: []string{apart}, Clock: clock}); !errors.Is(err, tandem.Invalid) {
			t.Errorf("beside the data %s: %v", apart, err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenMaster(filepath.Join(link, "master"), MasterOptions{Apart: []string{dir}, Clock: clock}); !errors.Is(err, tandem.Invalid) {
		t.Errorf("beside the data through a link: %v", err)
	}
	if _, err := OpenMaster(file, MasterOptions{Apart: []string{dir + "-data"}, Clock: clock}); err != nil {
		t.Errorf("apart: %v", err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenMaster(file, MasterOptions{Clock: clock}); !errors.Is(err, tandem.Denied) {
		t.Errorf("group can read: %v", err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	cred, ok := Credential("master")
	if !ok || cred != file {
		t.Fatalf("credential: %q, %v", cred, ok)
	}
	if _, err := OpenMaster(cred, MasterOptions{Clock: clock}); err != nil {
		t.Errorf("systemd credential with a group bit: %v", err)
	}
	for _, name := range []string{"absent", "../master", "a/b"} {
		if _, ok := Credential(name); ok {
			t.Errorf("credential %q found", name)
		}
	}
}

func TestBackupKeys(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	file := filepath.Join(dir, "vault.age")
	if _, err := OpenIdentity(file, false, clock); !errors.Is(err, tandem.NotFound) {
		t.Errorf("absent: %v", err)
	}
	id, err := OpenIdentity(file, true, clock)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := OpenIdentity(file, true, clock); err != nil || again.String() != id.String() {
		t.Errorf("the identity changed: %v", err)
	}
	secret, public := filepath.Join(dir, "recovery.age"), filepath.Join(dir, "recovery.pub")
	made, err := CreateRecovery(secret, public, clock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CreateRecovery(secret, public, clock); !errors.Is(err, tandem.Exists) {
		t.Errorf("made twice: %v", err)
	}
	read, err := OpenRecovery(public)
	if err != nil || read.(*age.X25519Recipient).String() != made.(*age.X25519Recipient).String() {
		t.Fatalf("recovery recipient: %v", err)
	}
	var box bytes.Buffer
	w, err := age.Encrypt(&box, Backup{Identity: id, Recovery: read}.Recipients()...)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("hello"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	offline, err := OpenIdentity(secret, false, clock)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []age.Identity{id, offline} {
		if _, err := age.Decrypt(bytes.NewReader(box.Bytes()), i); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParseSealed(f *testing.F) {
	f.Add("tsk1.1.AAAA")
	f.Add("tsk1.01." + strings.Repeat("A", 80))
	m, _ := openMaster(f)
	good, _ := m.Seal([]byte("x"), nil)
	f.Add(good)
	f.Fuzz(func(t *testing.T, s string) {
		if plain, err := m.Open(s, nil); err == nil && s != good {
			t.Fatalf("%q opened to %q", s, plain)
		}
	})
}

func FuzzParseMaster(f *testing.F) {
	f.Add([]byte(masterHeader + "\n1 2026-01-01T00:00:00Z AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, at, err := parseMaster(data)
		if err != nil {
			return
		}
		again, at2, err := parseMaster(formatMaster(keys, at))
		if err != nil || len(again) != len(keys) || len(at2) != len(at) {
			t.Fatalf("writing what was read does not read: %v", err)
		}
	})
}

package keys

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tandem"
)

func TestRetire(t *testing.T) {
	m, file := openMaster(t)
	old, err := m.Seal([]byte("secret"), []byte("place"))
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string]string{"a": `{"value":"` + old + `"}`}
	uses := func(version int) (out []string, err error) {
		for name, text := range documents {
			if slices.Contains(Versions([]byte(text)), version) {
				out = append(out, name)
			}
		}
		return out, nil
	}
	refused := func(version int, kind tandem.Kind, words string) {
		t.Helper()
		if err := m.Retire(version, uses); tandem.KindOf(err) != kind || !strings.Contains(err.Error(), words) {
			t.Errorf("retiring %d gives %v, want %s", version, err, kind)
		}
	}
	refused(1, tandem.Precondition, "rotate")
	if err := m.Rotate(); err != nil {
		t.Fatal(err)
	}
	refused(0, tandem.NotFound, "1 to 2")
	refused(3, tandem.NotFound, "1 to 2")
	refused(1, tandem.Precondition, `"a"`)
	fresh, err := m.Reseal(old, []byte("place"))
	if err != nil {
		t.Fatal(err)
	}
	documents["a"] = `{"value":"` + fresh + `"}`
	failing := errors.New("the store does not answer")
	if err := m.Retire(1, func(int) ([]string, error) { return nil, failing }); !errors.Is(err, failing) {
		t.Errorf("where the uses are not known: %v", err)
	}
	if err := m.Retire(1, uses); err != nil {
		t.Fatal(err)
	}
	other, err := OpenMaster(file, MasterOptions{Clock: tandem.SystemClock{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Master{m, other} {
		if _, err := m.Open(old, []byte("place")); tandem.KindOf(err) != tandem.NotFound || !strings.Contains(err.Error(), "retired") {
			t.Errorf("what the retired key sealed gives %v", err)
		}
		if plain, err := m.Open(fresh, []byte("place")); err != nil || string(plain) != "secret" {
			t.Errorf("what was resealed gives %q, %v", plain, err)
		}
	}
	if err := other.Rotate(); err != nil || other.Version() != 3 {
		t.Errorf("rotated on to %d, %v", other.Version(), err)
	}
	if raw, _ := os.ReadFile(file); strings.Count(string(raw), retired) != 1 {
		t.Errorf("the file does not tell of the retired key")
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string][]int{"": nil, "tsk1.": nil, "tsk1.7": nil, "tsk1.7.": {7}, `{"a":"tsk1.2.xx","b":["tsk1.10.yy","tsk1.2.zz"]}`: {2, 10}, "tsk1.x.tsk1.3.": {3}, "tsk1.99999999999.": nil} {
		if got := Versions([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	rapid.Check(t, func(rt *rapid.T) { // no text makes it fail, and what was sealed is found in it
		m, _ := openMaster(t)
		sealed, err := m.Seal([]byte("x"), nil)
		if err != nil {
			rt.Fatal(err)
		}
		text := rapid.String().Draw(rt, "before") + sealed + rapid.String().Draw(rt, "after")
		if !slices.Contains(Versions([]byte(text)), 1) {
			rt.Fatalf("not found in %q", text)
		}
	})
}

// transit answers as Vault's transit engine does: it reverses the bytes.
func transit(t *testing.T, token string) *httptest.Server {
	reverse := func(text string) string {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Error(err)
		}
		slices.Reverse(raw)
		return base64.StdEncoding.EncodeToString(raw)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Plaintext, Ciphertext string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Method != http.MethodPost {
			t.Errorf("%s %v", r.Method, err)
		}
		switch {
		case r.Header.Get("X-Vault-Token") != token:
			http.Error(w, `{"errors":["permission denied"]}`, http.StatusForbidden)
		case r.URL.Path == "/v1/transit/encrypt/tandem":
			fmt.Fprintf(w, `{"data":{"ciphertext":"vault:v1:%s"}}`, reverse(in.Plaintext))
		case r.URL.Path == "/v1/transit/decrypt/tandem":
			fmt.Fprintf(w, `{"data":{"plaintext":"%s"}}`, reverse(strings.TrimPrefix(in.Ciphertext, "vault:v1:")))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// TestKeyService: a wrapped file holds no key, opens with its service alone, and is rotated and retired like any.
func TestKeyService(t *testing.T) {
	server := transit(t, "token")
	client := server.Client()
	t.Cleanup(client.CloseIdleConnections)
	service := Transit{Address: server.URL, Key: "tandem", Token: func() string { return "token" }, Client: client}
	for name, service := range map[string]KeyService{"transit": service, "command": Command{WrapWith: []string{"base64"}, UnwrapWith: []string{"base64", "-d"}}} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "master")
			m, err := OpenMaster(file, MasterOptions{Create: true, Clock: tandem.SystemClock{}, Service: service})
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := m.Seal([]byte("secret"), nil)
			if err == nil {
				err = m.Rotate()
			}
			if err != nil {
				t.Fatal(err)
			}
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range m.keys {
				if bytes.Contains(raw, key) || bytes.Contains(raw, []byte(base64.StdEncoding.EncodeToString(key))) {
					t.Error("the file holds a key in the clear")
				}
			}
			again, err := OpenMaster(file, MasterOptions{Clock: tandem.SystemClock{}, Service: service})
			if err != nil || again.Version() != 2 {
				t.Fatalf("version %d, %v", again.Version(), err)
			}
			if plain, err := again.Open(sealed, nil); err != nil || string(plain) != "secret" {
				t.Errorf("%q, %v", plain, err)
			}
			if _, err := OpenMaster(file, MasterOptions{Clock: tandem.SystemClock{}}); err == nil || !strings.Contains(err.Error(), "key service") {
				t.Errorf("without the service: %v", err)
			}
		})
	}
	plain := filepath.Join(t.TempDir(), "plain")
	if _, err := OpenMaster(plain, MasterOptions{Create: true, Clock: tandem.SystemClock{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenMaster(plain, MasterOptions{Clock: tandem.SystemClock{}, Service: service}); err == nil || !strings.Contains(err.Error(), "not wrapped") {
		t.Errorf("a file that is not wrapped: %v", err)
	}
	service.Token = func() string { return "wrong" }
	if _, err := service.Unwrap(context.Background(), []byte("vault:v1:eA==")); tandem.KindOf(err) != tandem.Denied || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with a wrong token: %v", err)
	}
	for what, c := range map[string]Command{"a command that fails": {UnwrapWith: []string{"false"}}, "one that says nothing": {UnwrapWith: []string{"true"}}, "none": {}} {
		if _, err := c.Unwrap(context.Background(), []byte("x")); err == nil {
			t.Errorf("%s gives no error", what)
		}
	}
}

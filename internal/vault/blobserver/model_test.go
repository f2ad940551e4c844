package blobserver_test

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/vault/blobserver"
)

// direct calls the handler without a network, as the owner.
func direct(s http.Handler, method, path string, header map[string]string, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://blob.example"+path, strings.NewReader(body))
	r.TLS = &tls.ConnectionState{}
	r.Header.Set("Authorization", "Bearer owner")
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func open(t interface{ Fatal(...any) }, dir string) *blobserver.Server {
	w := &world{keys: [][]byte{key(1)}}
	s, err := blobserver.New(config(w, dir))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestModel does random things to one container, with restarts, and compares with a map.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		s := open(rt, dir)
		defer func() { s.Close() }()
		if w := direct(s, "PUT", "/drstore1/box?restype=container", nil, ""); w.Code != 201 {
			rt.Fatal(w.Code)
		}
		model := map[string]string{}
		name := rapid.SampledFrom([]string{"a", "a/b", "a-b", "..", "ü", "x y+%"})
		path := func(n string) string { return "/drstore1/box/" + url.PathEscape(n) }
		text := rapid.StringN(0, 40, -1)
		want := func(w *httptest.ResponseRecorder, code int) {
			if w.Code != code {
				rt.Fatalf("got %d, want %d: %s", w.Code, code, w.Body)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				n, v := name.Draw(rt, "name"), text.Draw(rt, "text")
				want(direct(s, "PUT", path(n), map[string]string{"x-ms-blob-type": "BlockBlob"}, v), 201)
				model[n] = v
			},
			"put if absent": func(rt *rapid.T) {
				n, v := name.Draw(rt, "name"), text.Draw(rt, "text")
				code := 201
				if _, ok := model[n]; ok {
					code = 409
				} else {
					model[n] = v
				}
				want(direct(s, "PUT", path(n), map[string]string{"x-ms-blob-type": "BlockBlob", "If-None-Match": "*"}, v), code)
			},
			"put blocks": func(rt *rapid.T) {
				n := name.Draw(rt, "name")
				var list, all strings.Builder
				for i := range rapid.IntRange(0, 3).Draw(rt, "blocks") {
					id, v := base64.StdEncoding.EncodeToString([]byte{byte(i)}), text.Draw(rt, "text")
					want(direct(s, "PUT", path(n)+"?comp=block&blockid="+url.QueryEscape(id), nil, v), 201)
					list.WriteString("<Latest>" + id + "</Latest>")
					all.WriteString(v)
				}
				want(direct(s, "PUT", path(n)+"?comp=blocklist", nil, "<BlockList>"+list.String()+"</BlockList>"), 201)
				model[n] = all.String()
			},
			"delete": func(rt *rapid.T) {
				n := name.Draw(rt, "name")
				code := 404
				if _, ok := model[n]; ok {
					code = 202
				}
				want(direct(s, "DELETE", path(n), nil, ""), code)
				delete(model, n)
			},
			"metadata": func(rt *rapid.T) {
				n := name.Draw(rt, "name")
				if _, ok := model[n]; ok {
					want(direct(s, "PUT", path(n)+"?comp=metadata", map[string]string{"x-ms-meta-k": "v"}, ""), 200)
				}
			},
			"restart": func(rt *rapid.T) {
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				s = open(rt, dir)
			},
			"": func(rt *rapid.T) {
				for n, v := range model {
					w := direct(s, "GET", path(n), nil, "")
					if w.Code != 200 || w.Body.String() != v {
						rt.Fatalf("%q: %d %q, want %q", n, w.Code, w.Body, v)
					}
				}
				w := direct(s, "GET", "/drstore1/box?restype=container&comp=list", nil, "")
				var got []string
				for _, part := range strings.Split(w.Body.String(), "<Name>")[1:] {
					n, _, _ := strings.Cut(part, "</Name>")
					got = append(got, n)
				}
				if names := slices.Sorted(maps.Keys(model)); !slices.Equal(got, names) {
					rt.Fatalf("listed %q, want %q", got, names)
				}
			},
		})
	})
}

// TestCrashLeavesNoHalf puts into the folder what a crash can leave behind: none of it shows, and it is swept.
func TestCrashLeavesNoHalf(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	direct(s, "PUT", "/drstore1/box?restype=container", nil, "")
	direct(s, "PUT", "/drstore1/box/a", map[string]string{"x-ms-blob-type": "BlockBlob"}, "kept")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	box := filepath.Join(dir, "drstore1", "box")
	for _, f := range []string{"data/00112233445566778899aabbccddeeff", "meta/0123.json.abcd.tmp"} {
		if err := os.WriteFile(filepath.Join(box, f), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "drstore1", "halfmade", "data"), 0o700); err != nil { // a container without its record
		t.Fatal(err)
	}
	s = open(t, dir)
	defer s.Close()
	if w := direct(s, "GET", "/drstore1/box/a", nil, ""); w.Body.String() != "kept" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for sub, n := range map[string]int{"data": 1, "meta": 1} {
		if left, err := os.ReadDir(filepath.Join(box, sub)); err != nil || len(left) != n {
			t.Errorf("%s: %v, %v", sub, left, err)
		}
	}
	if w := direct(s, "GET", "/drstore1?comp=list", nil, ""); strings.Contains(w.Body.String(), "halfmade") {
		t.Error("a container that was never acknowledged shows")
	}
	if w := direct(s, "PUT", "/drstore1/halfmade?restype=container", nil, ""); w.Code != 201 {
		t.Errorf("making it again: %d %s", w.Code, w.Body)
	}
}

// TestConcurrentWriters has many writers, readers and one deleter on few names: every read is one whole write.
func TestConcurrentWriters(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	direct(s, "PUT", "/drstore1/box?restype=container", nil, "")
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 25 {
				body := strings.Repeat(fmt.Sprintf("%d.%d;", g, i), 500)
				if w := direct(s, "PUT", "/drstore1/box/b", map[string]string{"x-ms-blob-type": "BlockBlob"}, body); w.Code != 201 {
					t.Errorf("put: %d %s", w.Code, w.Body)
				}
				w := direct(s, "GET", "/drstore1/box/b", nil, "")
				unit, _, _ := bytes.Cut(w.Body.Bytes(), []byte(";"))
				if w.Code == 200 && w.Body.String() != strings.Repeat(string(unit)+";", 500) {
					t.Errorf("a mixed blob: %.40s", w.Body)
				}
				if w.Code != 200 && w.Code != 404 {
					t.Errorf("get: %d %s", w.Code, w.Body)
				}
				if g == 0 {
					direct(s, "DELETE", "/drstore1/box/b", nil, "")
				}
			}
		})
	}
	wg.Wait()
}

// TestDiskFault is about what a client reads when the disk refuses: no path. The folder of data is taken away for it.
func TestDiskFault(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	direct(s, "PUT", "/drstore1/box?restype=container", nil, "")
	if err := os.RemoveAll(filepath.Join(dir, "drstore1", "box", "data")); err != nil {
		t.Fatal(err)
	}
	w := direct(s, "PUT", "/drstore1/box/b", map[string]string{"x-ms-blob-type": "BlockBlob"}, "x")
	if w.Code != 500 || w.Header().Get("x-ms-error-code") != "InternalError" || strings.Contains(w.Body.String(), dir) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := direct(s, "GET", "/drstore1/box/b", nil, ""); w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
}

// FuzzRequest throws requests at the handler: it answers, with a code in its table, and touches nothing outside.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/drstore1/box/a?comp=list", "Range", "bytes=0-", "")
	f.Add("PUT", "/drstore1/box/a?comp=blocklist", "x-ms-blob-type", "BlockBlob", "<BlockList><Latest>QQ==</Latest></BlockList>")
	f.Add("GET", "/drstore1/box?restype=container&comp=list&marker=YQ&delimiter=%2F&prefix=%", "Authorization", "SharedKey drstore1:x", "")
	f.Add("GET", "/drstore1/box/a?sv=2021-12-02&sr=b&sp=r&se=2099-01-01&sig=AAAA", "Authorization", "", "")
	dir := f.TempDir()
	s := open(f, dir)
	f.Cleanup(func() { s.Close() })
	direct(s, "PUT", "/drstore1/box?restype=container", nil, "")
	f.Fuzz(func(t *testing.T, method, path, header, value, body string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || u.Host != "" || !strings.HasPrefix(path, "/") {
			return
		}
		r := &http.Request{Method: method, URL: u, Host: "blob.example", Header: http.Header{"Authorization": {"Bearer owner"}}, TLS: &tls.ConnectionState{},
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), RemoteAddr: "127.0.0.1:1"}
		r.Header.Set(header, value)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code < 200 || w.Code == 500 {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	})
}

func config(w *world, dir string) blobserver.Config {
	return blobserver.Config{Dir: dir, Clock: tandem.SystemClock{}, Keys: func(a string) ([][]byte, bool) { return w.keys, a == account }, Bearer: bearer}
}

package snapshot

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

func testIdentity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func testMeta() Meta {
	return Meta{Created: time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC), Revision: 42, Generation: 3, Journal: 42, Region: "centralindia",
		Source:    Source{ID: "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/apim-primary", Name: "apim-primary", Location: "centralindia", SKU: "Standard"},
		Omissions: []Omission{{What: "identityProviders/aad", Reason: "the caller may not list its secret", Consequence: "sign-in with Entra ID has to be set up again"}}}
}

func seq(rs []Resource) iter.Seq2[Resource, error] {
	return func(yield func(Resource, error) bool) {
		for _, r := range rs {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func write(t testing.TB, id *age.X25519Identity, rs []Resource) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := Write(context.Background(), &b, testMeta(), seq(rs), Recipients{id.Recipient()}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(data []byte, id age.Identity) (Manifest, []Resource, error) {
	r, err := Open(context.Background(), bytes.NewReader(data), id)
	if err != nil {
		return Manifest{}, nil, err
	}
	defer r.Close()
	var out []Resource
	for res, err := range r.Resources(context.Background()) {
		if err != nil {
			return r.Manifest(), out, err
		}
		out = append(out, res)
	}
	return r.Manifest(), out, nil
}

// plaintext gives the tar inside.
func plaintext(t testing.TB, data []byte, id age.Identity) []byte {
	t.Helper()
	p, err := age.Decrypt(bytes.NewReader(data), id)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(p)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sample is a small service with one of everything that the format treats apart.
func sample() []Resource {
	return []Resource{
		{Path: "", Properties: json.RawMessage(`{"publisherName":"Contoso","customProperties":{"x":"y"}}`), Envelope: json.RawMessage(`{"sku":{"name":"Standard","capacity":1},"tags":{}}`)},
		{Path: "apis/echo;rev=2", Properties: json.RawMessage(`{"path":"echo","displayName":"Echo \u0026 <co>","n":1.50,"e":1E+2}`)},
		{Path: "apis/echo;rev=2/operations/get", Properties: json.RawMessage(`{"method":"GET","urlTemplate":"/{id}","templateParameters":[],"request":{}}`)},
		{Path: "apis/echo;rev=2/operations/get/policies/policy", Properties: json.RawMessage(`{"value":"<policies>\r\n\t<inbound><base /></inbound>\n</policies>","format":"rawxml"}`)},
		{Path: "apis/echo;rev=2/policies/policy", Properties: json.RawMessage(`{"value":"<policies/>","format":"xml"}`)},
		{Path: "policies/policy", Properties: json.RawMessage(`{"format":"rawxml","value":""}`)},
		{Path: "policyFragments/common", Properties: json.RawMessage(`{"format":"rawxml","value":"<fragment/>","description":"d","zz":1}`)},
		{Path: "policyFragments/odd", Properties: json.RawMessage(`{"format":"rawxml","value":"\ud800"}`)},
		{Path: "policyFragments/none", Properties: json.RawMessage(`{"format":"xml-link","value":null}`)},
		{Path: "products/p/apis/echo"},
		{Path: "namedValues/secret", Properties: json.RawMessage(`{"secret":true,"displayName":"secret"}`), Secrets: map[string]string{"value": "pa\"55\nwörd"}},
		{Path: "subscriptions/acme", Properties: json.RawMessage(`{"scope":"/products/p"}`), Secrets: map[string]string{"primaryKey": "k1", "secondaryKey": "k2"}},
		{Path: "backends/b", Properties: json.RawMessage(`{"credentials":{}}`), Secrets: map[string]string{"/credentials/header/x-key/0": "v"}},
		{Path: "tags/" + strings.Repeat("長い名前", 60), Properties: json.RawMessage(`{"displayName":"long"}`)},
		{Path: "tags/CON", Properties: json.RawMessage(`[1,{"b":[],"a":null}]`)},
		{Path: `schemas/..\a:b*c?.json`, Properties: json.RawMessage(`"just a string"`)},
	}
}

func canonicalOf(t testing.TB, rs []Resource) []Resource {
	t.Helper()
	out := slices.Clone(rs)
	for i := range out {
		for _, p := range []*json.RawMessage{&out[i].Properties, &out[i].Envelope} {
			if *p == nil {
				continue
			}
			c, err := Canonical(*p)
			if err != nil {
				t.Fatal(err)
			}
			*p = c
		}
	}
	slices.SortFunc(out, func(a, b Resource) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func TestWriteReadIsIdentity(t *testing.T) {
	id := testIdentity(t)
	data := write(t, id, sample())
	m, got, err := read(data, id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(canonicalOf(t, sample()), got); diff != "" {
		t.Error(diff)
	}
	if m.Resources() != len(sample()) || m.Revision != 42 || m.Omissions[0] != testMeta().Omissions[0] || m.Counts["apis/operations"] != 1 {
		t.Errorf("manifest: %+v", m)
	}
	report, err := Verify(context.Background(), bytes.NewReader(data), id)
	if err != nil || report.Resources != len(sample()) {
		t.Errorf("verify: %+v, %v", report, err)
	}
	var names []string
	for _, f := range m.Files {
		names = append(names, f.Name)
	}
	want := []string{"secrets.jsonl", "service.json", "apis/echo;rev=2/apiInformation.json", "apis/echo;rev=2/operations/get/operationInformation.json",
		"apis/echo;rev=2/operations/get/policies/policy.xml", "apis/echo;rev=2/policies/policy.json", "apis/echo;rev=2/policies/policy.xml",
		"backends/b/backendInformation.json", "namedValues/secret/namedValueInformation.json", "policies/policy.xml",
		"policyFragments/common.json", "policyFragments/common.xml", "policyFragments/none/policyFragmentInformation.json",
		"policyFragments/odd/policyFragmentInformation.json", "products/p/apis/echo/apiInformation.json",
		"schemas/%2E.%5Ca%3Ab%2Ac%3F%2Ejson/schemaInformation.json", "subscriptions/acme/subscriptionInformation.json", "tags/%43ON/tagInformation.json"}
	if diff := cmp.Diff(want, names[:len(want)]); diff != "" {
		t.Error(diff)
	}
}

// drawResources makes services with odd names and contents.
func drawResources(t *rapid.T) []Resource {
	name := rapid.OneOf(rapid.StringMatching(`[a-z]{1,4}(;rev=[0-9])?`), rapid.StringN(1, 300, 900),
		rapid.SampledFrom([]string{"policy", ".", "..", "CON", "nul.txt", "a.json", "b.XML", "a%2Fb", "%+", " ", "x.", "x ", "apiInformation", "policy.xml", "policyInformation"}))
	kind := rapid.SampledFrom([]string{"apis", "operations", "policies", "Policies", "policyFragments", "namedValues", "s", "ies", "manifest.json", "ü/"[:2]})
	value := rapid.SampledFrom([]string{`{}`, `{"format":"rawxml","value":"<a/>"}`, `{"value":"\u0000\ud83d\ude00","format":"rawxml"}`, `{"value":"x"}`,
		`{"value":1}`, `[]`, `null`, `{"b":{"a":[1,2,{"":""}]},"a":"\"\\\/"}`, `1e400`, `{"value":"","zz":1,"format":"xml","Value":"v"}`})
	var out []Resource
	seen := map[string]bool{}
	for range rapid.IntRange(0, 12).Draw(t, "resources") {
		var parts []string
		for range rapid.IntRange(1, 3).Draw(t, "depth") {
			n := strings.ReplaceAll(name.Draw(t, "name"), "/", "|")
			parts = append(parts, kind.Draw(t, "kind"), n)
		}
		r := Resource{Path: strings.Join(parts, "/")}
		if seen[fold(r.Path)] {
			continue
		}
		seen[fold(r.Path)] = true
		if rapid.Bool().Draw(t, "has properties") {
			r.Properties = json.RawMessage(value.Draw(t, "properties"))
		}
		if rapid.Bool().Draw(t, "has envelope") {
			r.Envelope = json.RawMessage(`{"zones":[],"sku":{"name":"x"}}`)
		}
		if rapid.Bool().Draw(t, "has secrets") {
			r.Secrets = rapid.MapOfN(rapid.String(), rapid.String(), 1, 3).Draw(t, "secrets")
		}
		out = append(out, r)
	}
	return out
}

// tarOf writes the archive alone.
func tarOf(rs []Resource) ([]byte, error) {
	b := &builder{seen: map[string]string{}}
	for _, r := range rs {
		if err := b.add(r); err != nil {
			return nil, err
		}
	}
	m, err := b.finish(testMeta())
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = b.tar(context.Background(), &out, m)
	return out.Bytes(), err
}

// untar reads the archive alone, as a verification does.
func untar(data []byte, limits Limits) (Manifest, []Resource, error) {
	s := &Reader{source: &source{r: bytes.NewReader(nil)}, limits: limits.withDefaults()}
	if err := s.begin(bytes.NewReader(data)); err != nil {
		return Manifest{}, nil, err
	}
	var rs []Resource
	for r, err := range s.resources(context.Background(), checkFiles) {
		if err != nil {
			return s.manifest, nil, err
		}
		rs = append(rs, r)
	}
	return s.manifest, rs, nil
}

func TestPropertyWriteReadIsIdentity(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rs := drawResources(rt)
		data, err := tarOf(rs)
		if err != nil {
			rt.Fatal(err)
		}
		_, got, err := untar(data, Limits{})
		if err != nil {
			rt.Fatal(err)
		}
		want := canonicalOf(t, rs)
		if len(want) == 0 {
			want = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatal(diff)
		}
		slices.Reverse(rs) // the order in which a source gives its resources does not matter
		if again, err := tarOf(rs); err != nil || !bytes.Equal(data, again) {
			rt.Fatal("the same content gives other bytes", err)
		}
	})
}

// TestTarIsATar has the archive read by archive/tar and, where it is installed, by tar itself.
func TestTarIsATar(t *testing.T) {
	id := testIdentity(t)
	data := write(t, id, sample())
	plain := plaintext(t, data, id)
	m, _, err := read(data, id)
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(bytes.NewReader(plain))
	for i := -1; i < len(m.Files); i++ {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if i >= 0 && (h.Name != m.Files[i].Name || h.Size != m.Files[i].Size) {
			t.Errorf("entry %d is %q", i, h.Name)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Error(err)
	}
	if _, err := exec.LookPath("tar"); err != nil {
		t.Skip("tar is not installed")
	}
	dir := t.TempDir()
	c := exec.Command("tar", "-x", "-C", dir)
	c.Stdin = bytes.NewReader(plain)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, f := range m.Files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil || int64(len(text)) != f.Size {
			t.Errorf("unpacked: %v", err)
		}
	}
}

func TestDeterminism(t *testing.T) {
	a, b := testIdentity(t), testIdentity(t)
	var rs []Resource
	for i := range 3000 { // several blocks of zstd
		rs = append(rs, Resource{Path: fmt.Sprintf("apis/a%04d", i), Properties: json.RawMessage(fmt.Sprintf(`{"path":"p%d","value":%q}`, i, strings.Repeat("abc", i%900)))})
	}
	compressed := func(data []byte, id age.Identity) []byte {
		r, err := age.Decrypt(bytes.NewReader(data), id)
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := compressed(write(t, a, rs), a)
	for range 3 {
		if !bytes.Equal(first, compressed(write(t, b, rs), b)) {
			t.Fatal("the same content gives other bytes before encryption")
		}
	}
	m1, _, _ := read(write(t, a, rs), a)
	rs[7].Properties = json.RawMessage(`{}`)
	m2, _, _ := read(write(t, a, rs), a)
	if m1.Content == m2.Content {
		t.Error("other content has the same content hash")
	}
}

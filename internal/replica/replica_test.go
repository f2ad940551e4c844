package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/gateway"
	"tandem/internal/snapshot"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

// seal marks what it seals, so that a secret in the open is seen.
type seal struct{}

func (seal) Seal(p, c []byte) (string, error) { return "sealed:" + string(c) + ":" + string(p), nil }
func (seal) Open(s string, c []byte) ([]byte, error) {
	plain, ok := strings.CutPrefix(s, "sealed:"+string(c)+":")
	if !ok {
		return nil, errors.New("sealed for another place")
	}
	return []byte(plain), nil
}

func newService(t *testing.T, name string) *apim.Service {
	t.Helper()
	space, err := store.OpenSpace(t.Context(), storetest.Memory(), "apim/"+name)
	if err != nil {
		t.Fatal(err)
	}
	id, err := tandem.ParseResourceID("/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return &apim.Service{ID: id, Space: space, Table: apim.NewTable(), Sealer: seal{}, Clock: tandem.SystemClock{}}
}

type document struct {
	typ     string
	ids     []string
	props   map[string]any
	secrets map[string]any
}

func put(t *testing.T, s *apim.Service, docs ...document) {
	t.Helper()
	for _, d := range docs {
		doc := &apim.Document{IDs: d.ids, Type: d.typ, Key: apim.Key(d.typ, d.ids), Properties: d.props}
		for name, v := range d.secrets {
			if err := doc.SealSecret(s.Sealer, name, v); err != nil {
				t.Fatal(err)
			}
		}
		w, err := doc.Write()
		if err == nil {
			_, err = s.Space.Commit(t.Context(), store.Batch{Put: []store.Write{w}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// contents reads all documents of a service, by key, secrets sealed.
func contents(t *testing.T, s *apim.Service) map[string]string {
	t.Helper()
	l, err := s.Space.List(t.Context(), "", store.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, d := range l.Documents {
		out[d.Key] = string(d.Value)
	}
	return out
}

// fakes are gateways that compile nothing and serve everything at once, unless told otherwise.
type fakes struct {
	problems []gateway.Problem
	prepare  func()
	waitErr  error
}

func (f fakes) Prepare(_ context.Context, _ tandem.ResourceID, docs iter.Seq2[store.Document, error]) ([]gateway.Problem, error) {
	for _, err := range docs {
		if err != nil {
			return nil, err
		}
	}
	if f.prepare != nil {
		f.prepare()
	}
	return f.problems, nil
}

func (f fakes) WaitFor(context.Context, tandem.ResourceID, tandem.Generation, tandem.Revision) error {
	return f.waitErr
}

func sample() []document {
	return []document{
		{"apiroots", []string{"Echo"}, map[string]any{"current": "2"}, nil},
		{"apis", []string{"Echo;rev=1"}, map[string]any{"path": "echo", "apiRevision": "1"}, nil},
		{"apis", []string{"Echo;rev=2"}, map[string]any{"path": "echo", "apiRevision": "2"}, nil},
		{"apis.operations", []string{"Echo;rev=1", "get"}, map[string]any{"method": "GET", "urlTemplate": "/"}, nil},
		{"apis.operations", []string{"Echo;rev=2", "get"}, map[string]any{"method": "GET", "urlTemplate": "/two"}, nil},
		{"apis.policies", []string{"Echo;rev=2", "policy"}, map[string]any{"value": "<policies>\n\t<inbound />\n</policies>", "format": "rawxml"}, nil},
		{"apis.releases", []string{"Echo", "r1"}, map[string]any{"apiId": "/apis/Echo;rev=2", "notes": "second"}, nil},
		{"products", []string{"plus"}, map[string]any{"displayName": "Plus"}, nil},
		{"products.apis", []string{"plus", "Echo"}, map[string]any{}, nil},
		{"subscriptions", []string{"acme"}, map[string]any{"scope": "/products/plus", "state": "active"}, map[string]any{"primaryKey": "key-one-of-acme", "secondaryKey": "k2"}},
		{"loggers", []string{"hub"}, map[string]any{"loggerType": "azureEventHub"}, map[string]any{"credentials": map[string]any{"connectionString": "secret", "name": "hub"}}},
		{"workspaces", []string{"team"}, map[string]any{"displayName": "Team"}, nil},
		{"apiroots", []string{"team", "Echo"}, map[string]any{"current": "1"}, nil},
		{"workspaces.apis", []string{"team", "Echo;rev=1"}, map[string]any{"path": "team-echo", "apiRevision": "1"}, nil},
		{"workspaces.apis.operations", []string{"team", "Echo;rev=1", "get"}, map[string]any{"method": "GET", "urlTemplate": "/"}, nil},
	}
}

var record = &apim.Record{ID: "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/source", Location: "Central India", Sku: apim.Sku{Name: "Standard", Capacity: 1}, Properties: map[string]any{"publisherName": "P"}}

// capture writes a snapshot of a service and reads it back.
func capture(t *testing.T, s *apim.Service) []snapshot.Resource {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := Capture(t.Context(), s, record, "centralindia", tandem.SystemClock{}, &file, []age.Recipient{id.Recipient()}); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file.Bytes(), []byte("key-one-of-acme")) {
		t.Error("the file has a key in the open")
	}
	m, all, err := load(t.Context(), &file, []age.Identity{id})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Omissions) == 0 {
		t.Error("the manifest names no omissions (law 6)")
	}
	return all
}

// TestRoundTrip: what is captured from one service and applied to another is the same, byte for byte, resealed for its place.
func TestRoundTrip(t *testing.T) {
	source, target := newService(t, "source"), newService(t, "target")
	put(t, source, sample()...)
	put(t, target, document{"products", []string{"stale"}, map[string]any{"displayName": "goes"}, nil})
	all := capture(t, source)
	var paths []string
	for _, r := range all {
		paths = append(paths, r.Path)
	}
	for _, want := range []string{"", "apis/Echo", "apis/Echo;rev=1", "apis/Echo/operations/get", "apis/Echo/releases/r1", "workspaces/team/apis/Echo/operations/get"} {
		if !slices.Contains(paths, want) {
			t.Errorf("the snapshot has no %q, it has %q", want, paths)
		}
	}
	if _, err := Apply(t.Context(), target, "restore-1", "test", all, fakes{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contents(t, source), contents(t, target)); diff != "" {
		t.Errorf("the target differs:\n%s", diff)
	}
	h, err := target.Space.Head(t.Context())
	if err != nil || h.Lock != nil || h.Active != 2 || len(h.Kept) != 1 {
		t.Errorf("after the restore the head is %+v, %v", h, err)
	}
}

// TestLaw3: a restore that fails at any point leaves the target as it was, unlocked; writes are refused meanwhile.
func TestLaw3(t *testing.T) {
	source := newService(t, "source")
	put(t, source, sample()...)
	all := capture(t, source)
	unknown := append(slices.Clone(all), snapshot.Resource{Path: "novelties/one", Properties: []byte(`{}`)})
	for name, c := range map[string]struct {
		all  []snapshot.Resource
		fake fakes
		want string
	}{
		"a policy that cannot run":       {all, fakes{problems: []gateway.Problem{{Document: "apis.policies/echo;rev=2/policy", Line: 7, Message: "no such policy", Fatal: true}}}, "line 7: no such policy"},
		"a gateway that does not follow": {all, fakes{waitErr: errors.New("it hangs")}, "the old one serves again"},
		"a kind that is not known":       {unknown, fakes{}, "novelties/one"},
	} {
		t.Run(name, func(t *testing.T) {
			target := newService(t, "target")
			put(t, target, document{"products", []string{"mine"}, map[string]any{"displayName": "stays"}, nil})
			before := contents(t, target)
			locked := false
			c.fake.prepare = func() {
				_, err := target.Space.Commit(t.Context(), store.Batch{Put: []store.Write{{Key: "products/new", Value: []byte("{}")}}})
				locked = tandem.KindOf(err) == tandem.Locked
			}
			_, err := Apply(t.Context(), target, "restore-1", "test", c.all, c.fake)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v, want one with %q", err, c.want)
			}
			if diff := cmp.Diff(before, contents(t, target)); diff != "" {
				t.Errorf("the target changed:\n%s", diff)
			}
			if h, err := target.Space.Head(t.Context()); err != nil || h.Lock != nil || h.Staged != nil {
				t.Errorf("the head is left as %+v, %v", h, err)
			}
			if c.want != "novelties/one" && !locked {
				t.Error("a write during the restore was not refused as locked")
			}
			put(t, target, document{"products", []string{"after"}, map[string]any{"displayName": "works"}, nil})
		})
	}
}

// TestConvert: any service survives the way through resources.
func TestConvert(t *testing.T) {
	name := rapid.StringMatching(`[A-Za-z][A-Za-z0-9-]{0,6}`)
	rapid.Check(t, func(rt *rapid.T) {
		table := apim.NewTable()
		docs := map[string]*apim.Document{}
		add := func(typ string, ids []string, props map[string]any) {
			d := &apim.Document{IDs: ids, Type: typ, Key: apim.Key(typ, ids), Properties: props}
			docs[d.Key] = d
		}
		for _, n := range rapid.SliceOfNDistinct(name, 1, 4, strings.ToLower).Draw(rt, "apis") {
			revisions := rapid.IntRange(1, 3).Draw(rt, "revisions")
			current := fmt.Sprint(rapid.IntRange(1, revisions).Draw(rt, "current"))
			add(apim.RootType, []string{n}, map[string]any{"current": current})
			for rev := 1; rev <= revisions; rev++ {
				id := fmt.Sprintf("%s;rev=%d", n, rev)
				add("apis", []string{id}, map[string]any{"apiRevision": fmt.Sprint(rev), "path": n})
				for _, op := range rapid.SliceOfNDistinct(name, 0, 3, strings.ToLower).Draw(rt, "operations") {
					add("apis.operations", []string{id, op}, map[string]any{"method": "GET"})
				}
			}
		}
		var raw []store.Document
		for _, d := range docs {
			w, err := d.Write()
			if err != nil {
				rt.Fatal(err)
			}
			raw = append(raw, store.Document{Key: w.Key, Value: w.Value})
		}
		all, err := resources(raw, table, seal{})
		if err != nil {
			rt.Fatal(err)
		}
		im, err := newImporter(table, seal{}, all)
		if err != nil {
			rt.Fatal(err)
		}
		got := map[string]string{}
		for _, r := range all {
			writes, err := im.writes(r)
			if err != nil {
				rt.Fatal(err)
			}
			for _, w := range writes {
				got[w.Key] = string(w.Value)
			}
		}
		want := map[string]string{}
		for key, d := range docs {
			w, err := d.Write()
			if err != nil {
				rt.Fatal(err)
			}
			want[key] = string(w.Value)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatal(diff)
		}
	})
}

package apim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/store"
	"tandem/internal/store/storetest"
)

// versioned is a description of n operations with schemas, all of which tell its version.
func versioned(n int, version string) string {
	paths, schemas := map[string]any{}, map[string]any{}
	for i := range n {
		paths[fmt.Sprintf("/things%d", i)] = map[string]any{"get": map[string]any{"operationId": fmt.Sprintf("get%d", i), "summary": version, "description": strings.Repeat("text ", 1000),
			"responses": map[string]any{"200": map[string]any{"description": "fine"}}}}
		schemas[fmt.Sprintf("S%d", i)] = map[string]any{"type": "object", "description": version}
	}
	raw, _ := json.Marshal(map[string]any{"openapi": "3.0.1", "info": map[string]any{"title": version, "version": "1"}, "paths": paths, "components": map[string]any{"schemas": schemas}})
	return string(raw)
}

// seenVersion is the version that all of an API's documents tell, "" where there are none, or what is wrong.
func seenVersion(docs []store.Document) string {
	seen := ""
	operations := 0
	for _, d := range docs {
		typ, _, _ := strings.Cut(d.Key, "/")
		doc, err := apim.Decode(d.Key, d)
		if err != nil {
			return err.Error()
		}
		var v string
		switch typ {
		case "apis", "apis.operations":
			v = doc.String("displayName")
			if typ == "apis.operations" {
				operations++
			}
		default:
			continue
		}
		if seen == "" {
			seen = v
		}
		if v != seen {
			return fmt.Sprintf("a mix of %s and %s", seen, v)
		}
	}
	want := map[string]int{"": 0, "one": 220, "two": 150}
	if operations != want[seen] {
		return fmt.Sprintf("version %q with %d operations", seen, operations)
	}
	return seen
}

// TestImportIsAtomic: whoever reads while large descriptions are imported, replaced and deleted sees a whole one or none.
func TestImportIsAtomic(t *testing.T) {
	p := withService(t)
	id, err := tandem.ParseResourceID(root)
	if err != nil {
		t.Fatal(err)
	}
	service, _, err := p.provider.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var readers sync.WaitGroup
	readers.Go(func() {
		for ctx.Err() == nil {
			snap, err := service.Space.Snapshot(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			var docs []store.Document
			for d, err := range snap.Documents(t.Context()) {
				if err != nil {
					t.Error(err)
					return
				}
				docs = append(docs, d)
			}
			if v := seenVersion(docs); len(v) > 3 {
				t.Errorf("a snapshot has %s", v)
				return
			}
		}
	})
	one, two := importBody("openapi+json", versioned(220, "one")), importBody("openapi+json", versioned(150, "two"))
	for range 2 {
		p.must("PUT", "apis/big", one)
		p.must("PUT", "apis/big", two)
		p.must("DELETE", "apis/big", "")
	}
	stop()
	readers.Wait()
	l, err := service.Space.List(t.Context(), "", store.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range l.Documents {
		if strings.Contains(d.Key, "big") {
			t.Errorf("%s is left", d.Key)
		}
	}
}

// dying is a store whose process can be let die after some commits.
type dying struct {
	store.Store
	mu   sync.Mutex
	left int // negative: it lives on
}

func (d *dying) Commit(ctx context.Context, b store.Batch) (tandem.Revision, error) {
	d.mu.Lock()
	dead := d.left == 0
	if d.left > 0 {
		d.left--
	}
	d.mu.Unlock()
	if dead {
		return 0, &tandem.Error{Op: "commit", Kind: tandem.Unavailable, Err: errors.New("the process is dead")}
	}
	return d.Store.Commit(ctx, b)
}

// TestImportSurvivesACrash: an import that a crash cuts off after any number of commits is whole or absent for all readers,
// and a description that is imported afterwards has nothing of the old one.
func TestImportSurvivesACrash(t *testing.T) {
	ctx := t.Context()
	mem := &dying{Store: storetest.Memory(), left: -1}
	p := newPlaneOn(t, mem)
	p.create()
	one, two := importBody("openapi+json", versioned(220, "one")), importBody("openapi+json", versioned(150, "two"))
	id, err := tandem.ParseResourceID(root)
	if err != nil {
		t.Fatal(err)
	}
	_, rec, err := p.provider.Find(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for left := range 8 {
		mem.mu.Lock()
		mem.left = left
		mem.mu.Unlock()
		status, raw, _ := p.do("PUT", "apis/big", one, nil)
		mem.mu.Lock()
		mem.left = -1
		mem.mu.Unlock()
		after, err := store.OpenSpace(ctx, mem, rec.Space) // another process
		if err != nil {
			t.Fatal(err)
		}
		l, err := after.List(ctx, "", store.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		v := seenVersion(l.Documents)
		if v != "" && v != "one" || (status/100 == 2) != (v == "one") {
			t.Errorf("dead after %d commits: %d, and readers see %q: %.300s", left, status, v, raw)
		}
		p.must("PUT", "apis/big", two)
		if l, err = after.List(ctx, "", store.ListOptions{}); err != nil || seenVersion(l.Documents) != "two" {
			t.Errorf("dead after %d commits, then imported anew: %s %v", left, seenVersion(l.Documents), err)
		}
		p.must("DELETE", "apis/big", "")
	}
}

// TestPathsAreTakenOnce: of writes that want one path at the same time, by whatever method and process, one succeeds.
func TestPathsAreTakenOnce(t *testing.T) {
	s := storetest.Memory()
	planes := []*plane{newPlaneOn(t, s)}
	planes[0].create()
	planes = append(planes, newPlaneOn(t, s)) // another process on the same store
	for round := range 8 {
		path := fmt.Sprintf("path%d", round)
		for i := range 3 {
			planes[0].must("PUT", fmt.Sprintf("apis/moves%d-%d", round, i), fmt.Sprintf(`{"properties":{"path":"before%d-%d","displayName":"m"}}`, round, i))
		}
		var mu sync.Mutex
		taken := []string{}
		var all sync.WaitGroup
		for i := range 6 {
			p := planes[i%2]
			all.Go(func() {
				name, method := fmt.Sprintf("apis/new%d-%d", round, i), http.MethodPut
				if i%2 == 1 {
					name, method = fmt.Sprintf("apis/moves%d-%d", round, i/2), http.MethodPatch
				}
				status, raw, _ := p.do(method, name, `{"properties":{"path":"`+path+`","displayName":"n"}}`, anyETag)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case status/100 == 2:
					taken = append(taken, name)
				case status != http.StatusBadRequest || !strings.Contains(string(raw), path):
					t.Errorf("%s %s: %d %s", method, name, status, raw)
				}
			})
		}
		all.Wait()
		if len(taken) != 1 {
			t.Errorf("round %d: the path was given to %v", round, taken)
		}
	}
}

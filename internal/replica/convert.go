// Package replica moves the configuration of services: it captures a service into a snapshot and puts a snapshot into a
// service, all or nothing (law 3).
package replica

import (
	"encoding/json"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/snapshot"
	"tandem/internal/store"
)

// resources turns a service's documents into resources as the management API names them: an API's current revision goes
// by its plain name, and which one is current is told by isCurrent. Secrets are opened; they leave only into a snapshot,
// which is encrypted (law 7).
func resources(docs []store.Document, table *apim.Table, sealer apim.Sealer) ([]snapshot.Resource, error) {
	current := map[string]string{}
	kept := docs[:0:0]
	for _, raw := range docs {
		if !strings.HasPrefix(raw.Key, apim.RootType+"/") {
			kept = append(kept, raw)
			continue
		}
		d, err := apim.Decode(raw.Key, raw)
		if err != nil {
			return nil, err
		}
		current[rootName(d.IDs)] = d.String("current")
	}
	out := make([]snapshot.Resource, len(kept))
	if err := parallel(len(kept), func(i int) error {
		d, err := apim.Decode(kept[i].Key, kept[i])
		if err != nil {
			return err
		}
		k := table.ByType(d.Type)
		if k == nil {
			return &tandem.Error{Op: "capture", Subject: d.Key, Kind: tandem.Unsupported, Err: fmt.Errorf("its type is not in the table of kinds"), Remedy: "use the version that wrote it, or a newer one"}
		}
		out[i], err = resource(d, k, sealer, current)
		return err
	}); err != nil {
		return nil, err
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out, nil
}

// parallel runs do for 0..n-1 on all processors, in runs of neighbours, and gives the error of the lowest number that failed
// in the first run that did.
func parallel(n int, do func(i int) error) error {
	const run = 64
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+run-1)/run) {
		wait.Go(func() {
			for failed.Load() == nil {
				from := int(next.Add(run)) - run
				if from >= n {
					return
				}
				for i := from; i < min(from+run, n); i++ {
					if err := do(i); err != nil {
						failed.CompareAndSwap(nil, &err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func resource(d *apim.Document, k *apim.Kind, sealer apim.Sealer, current map[string]string) (snapshot.Resource, error) {
	props := d.Properties
	if k.Type() == "apis" || k.Type() == "workspaces.apis" {
		name, rev := apim.SplitRevision(d.Name())
		props = make(map[string]any, len(d.Properties)+1)
		for n, v := range d.Properties {
			props[n] = v
		}
		root := append(append([]string(nil), d.IDs[:len(d.IDs)-1]...), name)
		props["isCurrent"] = current[rootName(root)] == rev
	}
	raw, err := json.Marshal(props)
	if err != nil {
		return snapshot.Resource{}, err
	}
	r := snapshot.Resource{Path: plainPath(d.Path(k), current), Properties: raw}
	for name := range d.Sealed {
		v, err := d.OpenSecret(sealer, name)
		if err != nil {
			return snapshot.Resource{}, err
		}
		text, ok := v.(string)
		if !ok {
			raw, err := json.Marshal(v)
			if err != nil {
				return snapshot.Resource{}, err
			}
			name, text = jsonSecret+name, string(raw)
		}
		if r.Secrets == nil {
			r.Secrets = map[string]string{}
		}
		r.Secrets[name] = text
	}
	return r, nil
}

// jsonSecret marks a secret whose value is a JSON document and not text: "json:credentials".
const jsonSecret = "json:"

// plainPath drops ";rev=N" from the current revisions of APIs in a path.
func plainPath(path string, current map[string]string) string {
	parts := strings.Split(path, "/")
	if i := apiAt(parts); i > 0 {
		if name, rev := apim.SplitRevision(parts[i]); rev != "" && current[rootOf(parts, i)] == rev {
			parts[i] = name
		}
	}
	return strings.Join(parts, "/")
}

// apiAt is the place of an API's id in the segments of a path, 0 where none is: links only name APIs.
func apiAt(parts []string) int {
	switch {
	case len(parts) > 1 && strings.EqualFold(parts[0], "apis"):
		return 1
	case len(parts) > 3 && strings.EqualFold(parts[0], "workspaces") && strings.EqualFold(parts[2], "apis"):
		return 3
	}
	return 0
}

// rootName names an API as a whole, among all of the service: "echo", or "team/echo" in a workspace.
func rootName(ids []string) string { return strings.ToLower(strings.Join(ids, "/")) }

// rootOf is the rootName of the API at place i of a path.
func rootOf(parts []string, i int) string {
	name, _ := apim.SplitRevision(parts[i])
	if i == 3 {
		return rootName([]string{parts[1], name})
	}
	return rootName([]string{name})
}

// importer turns resources back into documents.
type importer struct {
	table   *apim.Table
	sealer  apim.Sealer
	current map[string]string // API in lower case → its current revision
}

// newImporter reads which revisions are current from the API resources among all.
func newImporter(table *apim.Table, sealer apim.Sealer, all []snapshot.Resource) (*importer, error) {
	im := &importer{table: table, sealer: sealer, current: map[string]string{}}
	for _, r := range all {
		parts := strings.Split(r.Path, "/")
		i := apiAt(parts)
		if i == 0 || i != len(parts)-1 {
			continue
		}
		if _, rev := apim.SplitRevision(parts[i]); rev != "" {
			continue
		}
		var p struct {
			Revision string `json:"apiRevision"`
		}
		if err := json.Unmarshal(r.Properties, &p); err != nil {
			return nil, notAResource(r.Path, err)
		}
		if p.Revision == "" {
			p.Revision = "1"
		}
		im.current[rootOf(parts, i)] = p.Revision
	}
	return im, nil
}

func notAResource(path string, err error) error {
	return &tandem.Error{Op: "restore", Subject: path, Kind: tandem.Corrupt, Err: err, Remedy: "verify the backup, and take another one"}
}

// writes gives the documents of a resource: its own, and for an API's current revision the one that says so.
func (im *importer) writes(r snapshot.Resource) ([]store.Write, error) {
	parts := strings.Split(r.Path, "/")
	i := apiAt(parts)
	isAPI := i > 0 && i == len(parts)-1
	path, _ := im.explicit(r.Path)
	k, ids := im.table.ByPath(path)
	if k == nil {
		return nil, &tandem.Error{Op: "restore", Subject: r.Path, Kind: tandem.Unsupported, Err: fmt.Errorf("this version of Tandem does not know resources of this type"),
			Remedy: "restore with the version that made the backup, or a newer one"}
	}
	d := &apim.Document{IDs: ids, Type: k.Type(), Key: apim.Key(k.Type(), ids)}
	if len(r.Properties) > 0 {
		if err := json.Unmarshal(r.Properties, &d.Properties); err != nil {
			return nil, notAResource(r.Path, err)
		}
	}
	root := isAPI && d.Properties["isCurrent"] == true
	if isAPI {
		delete(d.Properties, "isCurrent")
	}
	for name, text := range r.Secrets {
		var v any = text
		if inner, ok := strings.CutPrefix(name, jsonSecret); ok {
			name = inner
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				return nil, notAResource(r.Path, fmt.Errorf("its secret %s is not JSON", name))
			}
		}
		if err := d.SealSecret(im.sealer, name, v); err != nil {
			return nil, err
		}
	}
	w, err := d.Write()
	if err != nil {
		return nil, err
	}
	out := []store.Write{w}
	if root {
		name, rev := apim.SplitRevision(ids[len(ids)-1])
		rids := append(append([]string(nil), ids[:len(ids)-1]...), name)
		rd := &apim.Document{IDs: rids, Key: apim.Key(apim.RootType, rids), Properties: map[string]any{"current": rev}}
		w, err := rd.Write()
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

package gateway

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/store"
)

// savedState is the file a gateway starts from when its control plane is dead (law 8). Secrets in it are sealed, as in the
// store (law 7).
type savedState struct {
	Service    string            `json:"service"`
	Generation tandem.Generation `json:"generation"`
	Revision   tandem.Revision   `json:"revision"`
	Documents  []savedDocument   `json:"documents"`
}

type savedDocument struct {
	Key      string          `json:"key"`
	Revision tandem.Revision `json:"revision"`
	Value    json.RawMessage `json:"value"`
}

// saveEvery is how many revisions may pass before the state is written again; the end of Run writes it in any case.
const saveEvery = 100

func (g *Gateway) save(last bool) {
	gen := g.current.Load()
	if g.State == "" || gen == nil || g.fromDisk.Load() || gen.revision == g.saved || !last && g.saved != 0 && gen.revision < g.saved+saveEvery {
		return
	}
	if err := g.writeState(gen); err != nil {
		g.Log.Warn("the gateway cannot keep its state; it would start empty if the control plane were dead", "file", g.State, "error", err)
		return
	}
	g.saved = gen.revision
}

func (g *Gateway) writeState(gen *generation) error {
	s := savedState{Service: g.Service, Generation: gen.number, Revision: gen.revision}
	for key, d := range g.compiler.source.docs {
		value, err := json.Marshal(g.compiler.source.open(d))
		if err != nil {
			return err
		}
		s.Documents = append(s.Documents, savedDocument{Key: key, Revision: d.Revision, Value: value})
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(g.State), 0o700); err != nil {
		return err
	}
	tmp := g.State + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, g.State)
}

// startFromDisk serves what the state file holds until the documents themselves are there.
func (g *Gateway) startFromDisk() {
	if g.State == "" {
		return
	}
	raw, err := os.ReadFile(g.State)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var s savedState
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	docs := map[string]*apim.Document{}
	for _, d := range s.Documents {
		doc, e := apim.Decode(d.Key, store.Document{Key: d.Key, Value: d.Value, Revision: d.Revision})
		if err = errors.Join(err, e); e == nil {
			docs[d.Key] = doc
		}
	}
	if err != nil {
		g.Log.Warn("the gateway's state file cannot be read; the gateway waits for its documents", "file", g.State, "error", err)
		return
	}
	now := g.clock.Now()
	g.loaded.Store(&now)
	g.fromDisk.Store(true)
	g.compiler.reset(docs)
	gen := g.compiler.compile(everything(), s.Generation, s.Revision)
	g.current.Store(gen)
	g.useServer(gen.shared.server)
	g.tellProblems(gen.problems)
	raw, s.Documents = nil, nil
	g.letGo(len(docs))
}

package apim

import (
	"context"
	"strings"
	"sync"

	"tandem"
	"tandem/internal/store"
)

// Service is one API Management instance whose documents lie in this region's store.
type Service struct {
	ID     tandem.ResourceID
	Space  *store.Space
	Table  *Table
	Sealer Sealer
	Clock  tandem.Clock

	policies PolicyChecker
	fetch    func(ctx context.Context, url string) ([]byte, error)
	paths    sync.Mutex // held by the write of an API that takes a path
}

// apiIDAt is the position of an API's id among the ids of a path, or -1.
func apiIDAt(lits []string) int {
	switch {
	case len(lits) > 0 && strings.EqualFold(lits[0], "apis"):
		return 0
	case len(lits) > 1 && strings.EqualFold(lits[0], "workspaces") && strings.EqualFold(lits[1], "apis"):
		return 1
	}
	return -1
}

// rootChild tells the kinds that belong to an API as a whole and not to one revision.
func rootChild(lits []string, at int) bool {
	return len(lits) > at+1 && strings.EqualFold(lits[at+1], "releases")
}

// locate turns the ids of a path into those of storage: an API without ";rev=" is its current revision.
func (s *Service) locate(ctx context.Context, k *Kind, ids []string) ([]string, error) {
	lits := strings.Split(k.typ, ".")
	at := apiIDAt(lits)
	if at < 0 || at >= len(ids) {
		return ids, nil
	}
	out := append([]string(nil), ids...)
	name, rev := SplitRevision(ids[at])
	if rootChild(lits, at) {
		out[at] = name
		return out, nil
	}
	if rev != "" {
		return out, nil
	}
	root, err := s.root(ctx, out[:at+1])
	if err != nil {
		return nil, err
	}
	out[at] = name + ";rev=" + root.String("current")
	return out, nil
}

// root reads which revision of an API is current; ids end with the API's name.
func (s *Service) root(ctx context.Context, ids []string) (*Document, error) {
	name, _ := SplitRevision(ids[len(ids)-1])
	return s.read(ctx, Key(RootType, append(append([]string(nil), ids[:len(ids)-1]...), name)))
}

// SplitRevision splits "echo;rev=2" into "echo" and "2".
func SplitRevision(id string) (name, rev string) {
	if i := strings.LastIndex(strings.ToLower(id), ";rev="); i >= 0 {
		return id[:i], id[i+len(";rev="):]
	}
	return id, ""
}

// keyOf is the key of a resource path below the service, "/products/starter" or "apis/echo".
func (s *Service) keyOf(ctx context.Context, path string) (string, error) {
	k, ids := s.Table.ByPath(path)
	if k == nil {
		return "", &tandem.Error{Op: "find resource", Subject: path, Kind: tandem.NotFound}
	}
	ids, err := s.locate(ctx, k, ids)
	if err != nil {
		return "", err
	}
	return Key(k.typ, ids), nil
}

func (s *Service) read(ctx context.Context, key string) (*Document, error) {
	d, err := s.Space.Get(ctx, key, 0)
	if err != nil {
		return nil, err
	}
	return Decode(key, d)
}

// resourceID makes the full ARM id of a resource.
func (s *Service) resourceID(k *Kind, ids []string) string {
	lits := strings.Split(k.typ, ".")
	var b strings.Builder
	b.WriteString(s.ID.String())
	for i, l := range lits {
		b.WriteString("/" + l + "/" + ids[i])
	}
	return b.String()
}

package replica

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/snapshot"
	"tandem/internal/snapshot/repository"
	"tandem/internal/store"
)

// SaveOptions say how a service is backed up into a vault.
type SaveOptions struct {
	Whole   bool // read everything, also where the last snapshot and the changes since would do
	Rewrite bool // write every chunk, also those that the vault has: mends a damaged vault
}

// Backup is a backup into a vault.
type Backup struct {
	repository.Saved
	Incremental bool `json:"incremental"` // made of the last snapshot and the changes since
	Changes     int  `json:"changes"`     // of an incremental one
}

// markPrefix is in front of the document in which a service's store keeps its last snapshot in a vault. The store itself
// says where the next one may continue, so that one that was rolled back or made anew never continues a foreign history.
const markPrefix = replicationPrefix + "backup/"

type mark struct {
	Snapshot   string            `json:"snapshot"`
	Revision   tandem.Revision   `json:"revision"`
	Generation tandem.Generation `json:"generation"`
}

// SaveService backs a Tandem service up into a vault, at one revision, without locking anything. Where the store knows the
// changes since the last snapshot there, only those are read and written; the result is the same.
func SaveService(ctx context.Context, repo *repository.Repository, s *apim.Service, rec *apim.Record, region tandem.Region, clock tandem.Clock, o SaveOptions) (Backup, error) {
	meta := snapshot.Meta{Created: clock.Now(), Region: region, Omissions: omissions(),
		Source: snapshot.Source{ID: rec.ID, Name: s.ID.Name(), Location: rec.Location, SKU: rec.Sku.Name}}
	var out Backup
	err := errWhole
	if !o.Whole && !o.Rewrite {
		out, err = saveChanges(ctx, repo, s, rec, meta)
	}
	if errors.Is(err, errWhole) || errors.Is(err, tandem.Precondition) || errors.Is(err, tandem.Compacted) || errors.Is(err, tandem.Corrupt) {
		out, err = saveWhole(ctx, repo, s, rec, meta, o)
	}
	if err != nil {
		return out, err
	}
	// Without the mark the next backup reads everything; a service that is locked cannot be marked.
	if err := putMark(ctx, s.Space, repo.ID(), mark{out.Name.String(), out.Record.Revision, out.Record.Generation}); err != nil && tandem.KindOf(err) != tandem.Locked {
		return out, err
	}
	return out, nil
}

func saveWhole(ctx context.Context, repo *repository.Repository, s *apim.Service, rec *apim.Record, meta snapshot.Meta, o SaveOptions) (Backup, error) {
	snap, err := s.Space.Snapshot(ctx)
	if err != nil {
		return Backup{}, err
	}
	all, err := resourcesAt(ctx, snap, s, rec)
	if err != nil {
		return Backup{}, err
	}
	meta.Revision, meta.Generation, meta.Journal = snap.Revision, snap.Head.Active, snap.Revision
	saved, err := repo.Save(ctx, meta, all, repository.SaveOptions{Rewrite: o.Rewrite})
	return Backup{Saved: saved}, err
}

// errWhole: the last snapshot and the changes since do not do.
var errWhole = errors.New("the service has to be read as a whole")

func saveChanges(ctx context.Context, repo *repository.Repository, s *apim.Service, rec *apim.Record, meta snapshot.Meta) (Backup, error) {
	last, err := getMark(ctx, s.Space, repo.ID())
	if err != nil {
		return Backup{}, err
	}
	service, id, ok := strings.Cut(last.Snapshot, "/")
	if !ok || service != repository.ServiceFolder(rec.ID) {
		return Backup{}, errWhole
	}
	base, err := repo.Record(ctx, repository.Name{Service: service, ID: id})
	if errors.Is(err, tandem.NotFound) || err == nil && (base.Revision != last.Revision || base.Generation != last.Generation) {
		return Backup{}, errWhole
	}
	if err != nil {
		return Backup{}, err
	}
	c := &changed{s: s, from: base.Revision, keys: map[string]store.Change{}}
	if err := c.collect(ctx, base.Generation); err != nil {
		return Backup{}, err
	}
	changes, err := c.changes(ctx)
	if err != nil {
		return Backup{}, err
	}
	own, err := serviceResource(rec)
	if err != nil {
		return Backup{}, err
	}
	n := len(changes)
	meta.Revision, meta.Generation, meta.Journal = c.to, base.Generation, c.to
	saved, err := repo.Advance(ctx, base, meta, append(changes, repository.Change{Resource: &own}))
	return Backup{Saved: saved, Incremental: true, Changes: n}, err
}

// changed are the documents of a service that changed between two revisions.
type changed struct {
	s        *apim.Service
	from, to tandem.Revision
	keys     map[string]store.Change // the last change of each
}

var errCollected = errors.New("all changes are known")

// collect reads the store's history up to a beat of its own, so that it knows where to end.
func (c *changed) collect(ctx context.Context, g tandem.Generation) error {
	var err error
	if c.to, err = c.s.Space.Beat(ctx); err != nil {
		return err
	}
	err = c.s.Space.Watch(ctx, c.from, func(e store.SpaceEvent) error {
		if e.Swapped || e.Head.Active != g {
			return errWhole
		}
		for _, change := range e.Changes {
			if !Internal(change.Key) && e.Revision <= c.to {
				c.keys[change.Key] = change
			}
		}
		if e.Revision >= c.to {
			return errCollected
		}
		return nil
	})
	if errors.Is(err, errCollected) {
		return nil
	}
	return err
}

// changes turns documents into resources as they were and as they are.
func (c *changed) changes(ctx context.Context) ([]repository.Change, error) {
	before, after := currents{c, c.from, map[string]string{}}, currents{c, c.to, map[string]string{}}
	out := map[string]*snapshot.Resource{}
	for key, change := range c.keys {
		old, err := c.document(ctx, key, c.from)
		if err != nil {
			return nil, err
		}
		var now *apim.Document
		if !change.Deleted {
			if now, err = apim.Decode(key, change.Document); err != nil {
				return nil, err
			}
		}
		if strings.HasPrefix(key, apim.RootType+"/") {
			if old != nil && now != nil && old.String("current") != now.String("current") {
				return nil, errWhole // every resource of the API goes by another path
			}
			if err := c.orphans(ctx, key, old, now); err != nil {
				return nil, err
			}
			continue
		}
		if old != nil {
			path, _, err := c.resource(ctx, old, before, false)
			if err != nil {
				return nil, err
			}
			if _, made := out[path]; !made {
				out[path] = nil
			}
		}
		if now != nil {
			path, res, err := c.resource(ctx, now, after, true)
			if err != nil {
				return nil, err
			}
			out[path] = res
		}
	}
	list := make([]repository.Change, 0, len(out))
	for path, res := range out {
		list = append(list, repository.Change{Path: path, Resource: res})
	}
	return list, nil
}

// orphans looks for resources of an API at the side on which nothing says which of its revisions is current: they go by
// another path on the other side, though nobody wrote them.
func (c *changed) orphans(ctx context.Context, root string, old, now *apim.Document) error {
	if old != nil && now != nil {
		return nil
	}
	at := c.from
	if now == nil {
		at = c.to
	}
	inside := strings.TrimPrefix(root, apim.RootType+"/")
	family := "apis"
	if strings.Contains(inside, "/") {
		family = "workspaces.apis"
	}
	for _, k := range c.s.Table.Kinds {
		if typ := strings.ToLower(k.Type()); typ == family || strings.HasPrefix(typ, family+".") {
			l, err := c.s.Space.List(ctx, typ+"/"+inside+";rev=", store.ListOptions{At: at, Limit: 1})
			if err != nil {
				return err
			}
			if len(l.Documents) > 0 {
				return errWhole
			}
		}
	}
	return nil
}

// document reads a document at a revision; nil: it was not there.
func (c *changed) document(ctx context.Context, key string, at tandem.Revision) (*apim.Document, error) {
	d, err := c.s.Space.Get(ctx, key, at)
	if errors.Is(err, tandem.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return apim.Decode(key, d)
}

// resource gives a document's path and, where whole, the resource.
func (c *changed) resource(ctx context.Context, d *apim.Document, known currents, whole bool) (string, *snapshot.Resource, error) {
	k := c.s.Table.ByType(d.Type)
	if k == nil {
		return "", nil, &tandem.Error{Op: "capture", Subject: d.Key, Kind: tandem.Unsupported, Err: errors.New("its type is not in the table of kinds"), Remedy: "use the version that wrote it, or a newer one"}
	}
	path := d.Path(k)
	if err := known.learn(ctx, path); err != nil {
		return "", nil, err
	}
	if !whole {
		return plainPath(path, known.of), nil, nil
	}
	res, err := resource(d, k, c.s.Sealer, known.of)
	return res.Path, &res, err
}

// currents are the current revisions of APIs at a revision of the store, as far as they were asked for.
type currents struct {
	*changed
	at tandem.Revision
	of map[string]string
}

// learn reads which revision of the API in a path is current.
func (k currents) learn(ctx context.Context, path string) error {
	parts := strings.Split(path, "/")
	i := apiAt(parts)
	if i == 0 {
		return nil
	}
	root := rootOf(parts, i)
	if _, known := k.of[root]; known {
		return nil
	}
	d, err := k.document(ctx, apim.RootType+"/"+root, k.at)
	if err == nil && d != nil {
		k.of[root] = d.String("current")
	}
	return err
}

func getMark(ctx context.Context, space *store.Space, vault string) (mark, error) {
	var m mark
	d, err := space.Get(ctx, markPrefix+vault, 0)
	if errors.Is(err, tandem.NotFound) {
		return m, errWhole
	}
	if err == nil && json.Unmarshal(d.Value, &m) != nil {
		err = errWhole
	}
	return m, err
}

func putMark(ctx context.Context, space *store.Space, vault string, m mark) error {
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = space.Commit(ctx, store.Batch{Put: []store.Write{{Key: markPrefix + vault, Value: value}}})
	return err
}

// SaveRemote backs up a service over its management API into a vault. What did not change since an older snapshot costs
// nothing.
func SaveRemote(ctx context.Context, repo *repository.Repository, r *Remote, o SaveOptions) (Backup, error) {
	c, err := r.Read(ctx)
	if err != nil {
		return Backup{}, err
	}
	saved, err := repo.Save(ctx, c.Meta, c.Resources, repository.SaveOptions{Rewrite: o.Rewrite})
	return Backup{Saved: saved}, err
}

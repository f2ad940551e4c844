package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"tandem"
	"tandem/internal/store"
)

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string, at tandem.Revision) (store.Document, error) {
	return s.get(ctx, key, at)
}

func (s *Store) get(ctx context.Context, key string, at tandem.Revision, how ...clientv3.OpOption) (store.Document, error) {
	if err := errors.Join(store.CheckKey(key), checkRevision("get", key, at)); err != nil {
		return store.Document{}, err
	}
	ctx, done, err := s.begin(ctx, "get", key)
	defer done()
	if err != nil {
		return store.Document{}, err
	}
	r, err := s.client.Get(ctx, s.prefix+key, append(how, clientv3.WithRev(int64(at)))...)
	if err != nil {
		return store.Document{}, s.failed(ctx, "get", key, err)
	}
	if len(r.Kvs) == 0 {
		return store.Document{}, &tandem.Error{Op: "get", Subject: key, Kind: tandem.NotFound}
	}
	return s.document(r.Kvs[0]), nil
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, prefix string, o store.ListOptions) (store.Listing, error) {
	return s.list(ctx, prefix, o)
}

func (s *Store) list(ctx context.Context, prefix string, o store.ListOptions, how ...clientv3.OpOption) (store.Listing, error) {
	if err := checkRevision("list", prefix, o.At); err != nil {
		return store.Listing{}, err
	}
	ctx, done, err := s.begin(ctx, "list", prefix)
	defer done()
	if err != nil {
		return store.Listing{}, err
	}
	from, end := s.prefix+prefix, clientv3.GetPrefixRangeEnd(s.prefix+prefix)
	if from == "" {
		from, end = "\x00", "\x00" // etcd's way to write: all keys
	}
	if o.After != "" {
		from = max(from, s.prefix+o.After+"\x00")
	}
	r, err := s.client.Get(ctx, from, append(how, clientv3.WithRange(end), clientv3.WithRev(int64(o.At)), clientv3.WithLimit(int64(o.Limit)))...)
	if err != nil {
		return store.Listing{}, s.failed(ctx, "list", prefix, err)
	}
	l := store.Listing{Revision: o.At, More: r.More, Total: int(r.Count)}
	if o.At == 0 {
		l.Revision = tandem.Revision(r.Header.Revision)
	}
	if len(r.Kvs) > 0 {
		l.Documents = make([]store.Document, len(r.Kvs))
	}
	for i, kv := range r.Kvs {
		l.Documents[i] = s.document(kv)
	}
	return l, nil
}

// Commit implements store.Store. Where it returns Unavailable, the batch may have been applied or not.
func (s *Store) Commit(ctx context.Context, b store.Batch) (tandem.Revision, error) {
	if err := b.Check(); err != nil {
		return 0, err
	}
	ctx, done, err := s.begin(ctx, "commit", subject(b))
	defer done()
	if err != nil {
		return 0, err
	}
	conditions := make([]clientv3.Cmp, len(b.If))
	seen := make([]clientv3.Op, len(b.If)) // read when a condition fails, to name it
	for i, c := range b.If {
		key := s.prefix + c.Key
		seen[i] = clientv3.OpGet(key, clientv3.WithKeysOnly())
		switch c.Revision {
		case 0:
			conditions[i] = clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
		case store.Any:
			conditions[i] = clientv3.Compare(clientv3.CreateRevision(key), ">", 0)
		default:
			conditions[i] = clientv3.Compare(clientv3.ModRevision(key), "=", int64(c.Revision))
		}
	}
	writes := make([]clientv3.Op, 0, len(b.Put)+len(b.Delete))
	for _, w := range b.Put {
		writes = append(writes, clientv3.OpPut(s.prefix+w.Key, string(w.Value)))
	}
	for _, key := range b.Delete {
		writes = append(writes, clientv3.OpDelete(s.prefix+key))
	}
	r, err := s.client.Txn(ctx).If(conditions...).Then(writes...).Else(seen...).Commit()
	if err != nil {
		return 0, s.failed(ctx, "commit", subject(b), err)
	}
	if !r.Succeeded {
		return 0, &tandem.Error{Op: "commit", Subject: firstFailing(b.If, r.Responses), Kind: tandem.Precondition,
			Remedy: "read it again and decide anew"}
	}
	return tandem.Revision(r.Header.Revision), nil
}

func firstFailing(conditions []store.Condition, seen []*etcdserverpb.ResponseOp) string {
	for i, c := range conditions {
		var now tandem.Revision
		if kvs := seen[i].GetResponseRange().GetKvs(); len(kvs) > 0 {
			now = tandem.Revision(kvs[0].ModRevision)
		}
		if now != c.Revision && (c.Revision != store.Any || now == 0) {
			return c.Key
		}
	}
	return ""
}

// Revision implements store.Store.
func (s *Store) Revision(ctx context.Context) (tandem.Revision, error) { return s.revision(ctx) }

func (s *Store) revision(ctx context.Context, how ...clientv3.OpOption) (tandem.Revision, error) {
	ctx, done, err := s.begin(ctx, "read newest revision", "")
	defer done()
	if err != nil {
		return 0, err
	}
	// Any read gives the newest revision; one that counts keys under a name nobody uses is the cheapest.
	r, err := s.client.Get(ctx, s.prefix+"\x00", append(how, clientv3.WithCountOnly())...)
	if err != nil {
		return 0, s.failed(ctx, "read newest revision", "", err)
	}
	return tandem.Revision(r.Header.Revision), nil
}

// Compact implements store.Store. In an etcd that is shared it forgets everyone's history.
func (s *Store) Compact(ctx context.Context, before tandem.Revision) error {
	if err := checkRevision("compact", "", before); err != nil {
		return err
	}
	ctx, done, err := s.begin(ctx, "compact", "")
	defer done()
	if err != nil {
		return err
	}
	_, err = s.client.Compact(ctx, int64(before), clientv3.WithCompactPhysical())
	if err == nil || errors.Is(err, rpctypes.ErrCompacted) { // done, now or earlier
		return nil
	}
	return s.failed(ctx, "compact", "", err)
}

// checkRevision refuses a negative revision, which etcd takes for now.
func checkRevision(op, subject string, at tandem.Revision) error {
	if at >= 0 {
		return nil
	}
	return &tandem.Error{Op: op, Subject: subject, Kind: tandem.Invalid, Err: fmt.Errorf("the revision is %d", at),
		Remedy: "give a revision that this store has reached"}
}

func (s *Store) document(kv *mvccpb.KeyValue) store.Document {
	return store.Document{Key: strings.TrimPrefix(string(kv.Key), s.prefix), Value: kv.Value,
		Created: tandem.Revision(kv.CreateRevision), Revision: tandem.Revision(kv.ModRevision)}
}

func subject(b store.Batch) string {
	switch {
	case len(b.Put) > 0:
		return b.Put[0].Key
	case len(b.Delete) > 0:
		return b.Delete[0]
	case len(b.If) > 0:
		return b.If[0].Key
	}
	return ""
}

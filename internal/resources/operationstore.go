package resources

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"tandem"
	"tandem/internal/arm"
	"tandem/internal/store"
)

// operationStore keeps arm's long-running operations in a store.
type operationStore struct {
	store  store.Store
	prefix string
}

// OperationStore keeps long-running operations below a prefix of a store ("operations/").
func OperationStore(s store.Store, prefix string) arm.OperationStore {
	return operationStore{s, prefix}
}

// key encodes the id, which comes from clients and could hold anything.
func (o operationStore) key(id string) string {
	return o.prefix + base64.RawURLEncoding.EncodeToString([]byte(id))
}

// PutOperation implements arm.OperationStore.
func (o operationStore) PutOperation(ctx context.Context, op arm.Operation) error {
	value, err := json.Marshal(op)
	if err != nil {
		return err
	}
	_, err = o.store.Commit(ctx, store.Batch{Put: []store.Write{{Key: o.key(op.ID), Value: value}}})
	return err
}

// GetOperation implements arm.OperationStore.
func (o operationStore) GetOperation(ctx context.Context, id string) (op arm.Operation, err error) {
	doc, err := o.store.Get(ctx, o.key(id), 0)
	if err == nil {
		err = readOperation(doc, &op)
	}
	return op, err
}

func readOperation(doc store.Document, op *arm.Operation) error {
	if err := json.Unmarshal(doc.Value, op); err != nil {
		return &tandem.Error{Op: "read operation", Subject: doc.Key, Kind: tandem.Corrupt, Err: err, Remedy: "delete the document"}
	}
	return nil
}

// ListOperations implements arm.OperationStore.
func (o operationStore) ListOperations(ctx context.Context) ([]arm.Operation, error) {
	page, err := o.store.List(ctx, o.prefix, store.ListOptions{})
	if err != nil {
		return nil, err
	}
	out := make([]arm.Operation, len(page.Documents))
	for i, doc := range page.Documents {
		if err := readOperation(doc, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// DeleteOperation implements arm.OperationStore.
func (o operationStore) DeleteOperation(ctx context.Context, id string) error {
	_, err := o.store.Commit(ctx, store.Batch{Delete: []string{o.key(id)}})
	return err
}

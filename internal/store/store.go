// Package store keeps revisioned documents: it gets, lists, commits with preconditions, watches from a revision, and reads
// at a revision. The interface is narrow on purpose; etcd, embedded or outside, stands behind it (package etcd), and every
// implementation passes the suite in package storetest.
//
// Keys are slash-separated paths without a slash in front. Values are opaque bytes; secrets in them are sealed by the
// writer (law 7). A Commit that returned is on disk (law 1).
package store

import (
	"context"

	"tandem"
)

// Limits of one Commit: what every etcd accepts with its default settings.
const (
	MaxOps   = 128     // puts, deletes and conditions together
	MaxBytes = 1 << 20 // keys and values together
)

// Document is one value at one revision.
type Document struct {
	Key      string
	Value    []byte
	Created  tandem.Revision // of the commit that created the key, since it was last absent
	Revision tandem.Revision // of the commit that last wrote it
}

// Condition must hold for a Commit to happen: the key's current revision is Revision; zero demands that it is absent,
// Any that it exists.
type Condition struct {
	Key      string
	Revision tandem.Revision
}

// Any, in a Condition, demands that the key exists.
const Any tandem.Revision = -1

// Batch is one atomic change. A key may occur once among Put and Delete. Deleting an absent key is no error.
type Batch struct {
	If     []Condition
	Put    []Write
	Delete []string
}

// Write is one put of a Batch.
type Write struct {
	Key   string
	Value []byte
}

// ListOptions narrow a List. The zero value lists everything now.
type ListOptions struct {
	At    tandem.Revision // read at this revision; zero: now
	After string          // only keys greater than this one
	Limit int             // zero: no limit
}

// Listing is one page of documents in the order of their keys.
type Listing struct {
	Documents []Document
	Revision  tandem.Revision // what was read: pass it as At for the next page, or to Watch
	More      bool
	Total     int // how many there are after ListOptions.After, those beyond the limit included
}

// Change is one key's change in an Event.
type Change struct {
	Document
	Deleted bool // Value is nil; Revision is that of the deletion
}

// Event is one commit as a watcher sees it: all changes below the prefix, in one piece.
type Event struct {
	Revision tandem.Revision
	Changes  []Change
}

// Store is a revisioned set of documents. All methods may be called from many goroutines. Errors are of the kinds
// NotFound, Precondition, Compacted, Invalid, TooLarge, Unavailable and Closed of package tandem.
type Store interface {
	// Get reads one key; at zero is now. NotFound where it is absent.
	Get(ctx context.Context, key string, at tandem.Revision) (Document, error)
	// List reads all keys with the prefix, in order, at one revision.
	List(ctx context.Context, prefix string, o ListOptions) (Listing, error)
	// Commit applies the batch as one revision if its conditions hold, else changes nothing and returns Precondition,
	// with the first failing key as Subject. On success the change is durable and the revision is returned.
	Commit(ctx context.Context, b Batch) (tandem.Revision, error)
	// Watch calls yield for every commit after the revision that touches the prefix, in order, each once, until ctx ends
	// or yield returns an error; it returns that error. Compacted means that events are missing: list and watch again.
	// A temporary loss of the engine is bridged inside.
	Watch(ctx context.Context, prefix string, after tandem.Revision, yield func(Event) error) error
	// Revision is the newest revision.
	Revision(ctx context.Context) (tandem.Revision, error)
	// Compact forgets history before the revision; current values stay.
	Compact(ctx context.Context, before tandem.Revision) error
	// Close releases the store. Calls under way end with Closed.
	Close() error
}

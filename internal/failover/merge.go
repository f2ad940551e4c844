package failover

import (
	"fmt"
	"maps"
	"slices"

	"tandem"
)

// Document is one document of a service, as far as a merge must know it. Documents are the same when both are gone or
// their bodies are equal; bodies are in canonical form.
type Document struct {
	Gone  bool // deleted; a key that is missing altogether is gone with Epoch 0
	Body  string
	Epoch tandem.Epoch // in which it was written last; 0: not known
}

func (d Document) same(e Document) bool {
	return d.Gone && e.Gone || d.Gone == e.Gone && d.Body == e.Body
}

// Documents are a service's documents by key.
type Documents map[string]Document

func (d Documents) at(key string) Document {
	if doc, ok := d[key]; ok {
		return doc
	}
	return Document{Gone: true}
}

// Rule decides conflicts.
type Rule uint8

// The rules. Person leaves each conflict open. Newest takes the side written in the later epoch; within one epoch, or where
// an epoch is not known, it leaves the conflict open: clocks and revisions of two services do not compare (law 11).
const (
	Person Rule = iota
	PreferOurs
	PreferTheirs
	Newest
)

// Side is one side of a conflict.
type Side uint8

// The sides.
const (
	Neither Side = iota // not decided
	Ours
	Theirs
)

// Conflict is a key that both sides changed since the base, each in its own way.
type Conflict struct {
	Key                string
	Base, Ours, Theirs Document
	Chosen             Side
}

func (c Conflict) chosen() Document {
	if c.Chosen == Ours {
		return c.Ours
	}
	return c.Theirs
}

// Merged is the outcome of a merge.
//
// Invariants:
//  1. A change of one side alone is in Documents; so is a change that both made alike.
//  2. Every other change is in Conflicts, with both sides in full: nothing is discarded in silence.
//  3. When no conflict is open, applying Changes(ours) to ours and Changes(theirs) to theirs gives the same documents.
type Merged struct {
	Documents Documents  // what both sides shall have, deletions as Gone; keys of open conflicts are missing
	Conflicts []Conflict // in the order of their keys; decided ones too
}

// Merge joins two sets of documents that grew apart from base, the last common revision.
func Merge(base, ours, theirs Documents, rule Rule) Merged {
	keys := make(map[string]bool, len(base))
	for _, d := range []Documents{base, ours, theirs} {
		for k := range d {
			keys[k] = true
		}
	}
	m := Merged{Documents: make(Documents, len(keys))}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		b, o, t := base.at(key), ours.at(key), theirs.at(key)
		switch {
		case o.same(t):
			m.Documents[key] = later(o, t)
		case o.same(b):
			m.Documents[key] = t
		case t.same(b):
			m.Documents[key] = o
		default:
			c := Conflict{key, b, o, t, rule.side(o, t)}
			m.Conflicts = append(m.Conflicts, c)
			if c.Chosen != Neither {
				m.Documents[key] = c.chosen()
			}
		}
	}
	return m
}

func later(o, t Document) Document {
	if t.Epoch > o.Epoch {
		return t
	}
	return o
}

func (r Rule) side(o, t Document) Side {
	switch {
	case r == PreferOurs:
		return Ours
	case r == PreferTheirs:
		return Theirs
	case r == Newest && o.Epoch > 0 && t.Epoch > 0 && o.Epoch != t.Epoch:
		if o.Epoch > t.Epoch {
			return Ours
		}
		return Theirs
	default:
		return Neither
	}
}

// Open are the conflicts that nobody has decided.
func (m Merged) Open() []Conflict {
	return slices.DeleteFunc(slices.Clone(m.Conflicts), func(c Conflict) bool { return c.Chosen != Neither })
}

// Decide settles a conflict by hand, also one that a rule has decided. The error is NotFound where key is in no conflict.
func (m Merged) Decide(key string, side Side) (Merged, error) {
	i := slices.IndexFunc(m.Conflicts, func(c Conflict) bool { return c.Key == key })
	if i < 0 || side != Ours && side != Theirs {
		return m, &tandem.Error{Op: "decide conflict", Subject: key, Kind: tandem.NotFound, Err: fmt.Errorf("there is no such conflict or side"),
			Remedy: "name a key from the list of conflicts, and ours or theirs"}
	}
	m.Conflicts, m.Documents = slices.Clone(m.Conflicts), maps.Clone(m.Documents)
	m.Conflicts[i].Chosen = side
	m.Documents[key] = m.Conflicts[i].chosen()
	return m, nil
}

// Change is a document to write, or to delete where it is Gone.
type Change struct {
	Key string
	To  Document
}

// Changes are what brings from to the merged documents, in the order of keys. Open conflicts change nothing.
func (m Merged) Changes(from Documents) []Change {
	var out []Change
	for _, key := range slices.Sorted(maps.Keys(m.Documents)) {
		if to := m.Documents[key]; !to.same(from.at(key)) {
			out = append(out, Change{key, to})
		}
	}
	return out
}

// Apply is from after changes.
func (d Documents) Apply(changes []Change) Documents {
	out := maps.Clone(d)
	if out == nil {
		out = Documents{}
	}
	for _, c := range changes {
		if c.To.Gone {
			delete(out, c.Key)
			continue
		}
		out[c.Key] = c.To
	}
	return out
}

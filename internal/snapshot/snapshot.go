// Package snapshot writes, reads and verifies the backup format that docs/format.md specifies: one file, age over zstd over
// a tar of a readable tree, with its manifest first. It is generic over kinds of resource; a path and a document are
// all it knows of one.
package snapshot

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"filippo.io/age"

	"tandem"
)

// Resource is one resource of a service with all that a restore needs.
type Resource struct {
	// Path is its id below the service in the service's own case, without slashes at the ends or escapes:
	// "apis/echo;rev=2/operations/get". Empty: the service itself.
	Path string
	// Properties is the member of that name as the management API gives it, without secrets; canonical (see Canonical)
	// when it was read. Nil: the resource has none.
	Properties json.RawMessage
	// Envelope is an object with what the resource has beside id, name, type and properties ("sku", "tags"); nil or {}: nothing.
	Envelope json.RawMessage
	// Secrets are plaintext by property name, by JSON pointer where the name begins with a slash, or by "json:" and a
	// property name where the value is the text of a JSON document.
	Secrets map[string]string
}

// Kind is the resource's type below the service, for example "apis/operations"; "service" for the service itself.
func (r Resource) Kind() string { return kindOf(r.Path) }

func kindOf(path string) string {
	if path == "" {
		return "service"
	}
	parts := strings.Split(path, "/")
	types := parts[:0:0]
	for i := 0; i < len(parts); i += 2 {
		types = append(types, parts[i])
	}
	return strings.Join(types, "/")
}

// Source is the service that a snapshot was taken of.
type Source struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Location string `json:"location"`
	SKU      string `json:"sku"`
}

// Window is the time in which a source without revisions was read, page by page.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Omission says what a snapshot does not contain (law 6).
type Omission struct {
	What        string `json:"what"`        // a path, or a sentence for a whole area
	Reason      string `json:"reason"`      // why it could not be captured
	Consequence string `json:"consequence"` // what a restore will lack
}

// Meta is what the writer knows of a snapshot before it has seen a resource.
type Meta struct {
	Created    time.Time // cut to whole seconds
	Source     Source
	Region     tandem.Region
	Revision   tandem.Revision
	Generation tandem.Generation
	Journal    tandem.Revision // a journal continues after this revision; zero: none does
	Window     *Window
	Omissions  []Omission
}

// Recipients are whom a snapshot is encrypted to; package keys gives the vault's and the recovery one.
type Recipients []age.Recipient

// Limits bound what a reader takes from a file that it does not trust. A zero field stands for its default.
type Limits struct {
	Manifest int64 // bytes; default 128 MiB
	Files    int   // default 500,000
	File     int64 // bytes of one file, secrets.jsonl aside, which may have as many as the manifest; default 64 MiB
	Total    int64 // bytes of all files; default 8 GiB
}

func (l Limits) withDefaults() Limits {
	set := func(v *int64, d int64) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.Manifest, 128<<20)
	set(&l.File, 64<<20)
	set(&l.Total, 8<<30)
	if l.Files <= 0 {
		l.Files = 500_000
	}
	return l
}

const (
	manifestFile = "manifest.json"
	secretsFile  = "secrets.jsonl"
	serviceFile  = "service.json"
)

// corrupt makes the error of a snapshot whose bytes are not what was written; subject is the file inside it.
func corrupt(subject, why string) error { return corruptErr(subject, errors.New(why)) }

func corruptErr(subject string, err error) error {
	return &tandem.Error{Op: "read snapshot", Subject: subject, Kind: tandem.Corrupt, Err: err, Remedy: "take another copy or an older snapshot"}
}

func tooLarge(subject, why string) error {
	return &tandem.Error{Op: "read snapshot", Subject: subject, Kind: tandem.TooLarge, Err: errors.New(why),
		Remedy: "raise the limit if you trust the file's origin"}
}

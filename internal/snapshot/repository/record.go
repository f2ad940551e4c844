package repository

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tandem"
	"tandem/internal/snapshot"
	"tandem/internal/vault"
)

const (
	recordFormat  = "tandem-vault-snapshot"
	recordVersion = 1
	snapshotsAt   = "snapshots/"
	chunksAt      = "chunks/"
	proofsAt      = "proofs/"
	stampLayout   = "20060102T150405.000Z"
)

// Record is one snapshot in the vault: its manifest without the list of files, and the root of its tree.
type Record struct {
	Format     string              `json:"format"`
	Version    int                 `json:"version"`
	Created    time.Time           `json:"created"`
	Source     snapshot.Source     `json:"source"`
	Region     tandem.Region       `json:"region"`
	Revision   tandem.Revision     `json:"revision"`
	Generation tandem.Generation   `json:"generation"`
	Journal    tandem.Revision     `json:"journal"`
	Window     *snapshot.Window    `json:"window,omitempty"`
	Counts     map[string]int      `json:"counts"`
	Omissions  []snapshot.Omission `json:"omissions"`
	Root       string              `json:"root"` // the chunk on top: equal for equal content in one vault
	Height     int                 `json:"height"`
	Resources  int                 `json:"resources"`
	Bytes      int64               `json:"bytes"`               // of all lines
	KeepUntil  *time.Time          `json:"keepUntil,omitempty"` // not deleted before
	Locked     *time.Time          `json:"locked,omitempty"`    // the store refuses to delete its chunks before
}

// Name of a snapshot in its vault.
type Name struct {
	Service string // the service's folder, see ServiceFolder
	ID      string // its time and eight random hex digits: "20260301T120000.000Z-0f1e2d3c"
}

func (n Name) String() string { return n.Service + "/" + n.ID }
func (n Name) blob() string   { return snapshotsAt + n.String() }

// Time is when the snapshot was made, as its name says.
func (n Name) Time() time.Time {
	t, err := time.Parse(stampLayout, strings.SplitN(n.ID, "-", 2)[0])
	if err != nil {
		return time.Time{}
	}
	return t
}

// parseName reads the name of a record's blob.
func parseName(blob string) (Name, bool) {
	service, id, ok := strings.Cut(strings.TrimPrefix(blob, snapshotsAt), "/")
	n := Name{service, id}
	stamp, random, dash := strings.Cut(id, "-")
	if !ok || !dash || len(random) != 8 || service == "" {
		return n, false
	}
	_, err := hex.DecodeString(random)
	t, timeErr := time.Parse(stampLayout, stamp)
	return n, err == nil && timeErr == nil && t.Format(stampLayout) == stamp && random == strings.ToLower(random)
}

// ServiceFolder names the folder of a service's snapshots, proofs and journal: its name, and eight hex digits of the
// SHA-256 of its ARM id in lower case, since names repeat among subscriptions.
func ServiceFolder(id string) string {
	id = strings.ToLower(strings.Trim(id, "/"))
	sum := sha256.Sum256([]byte("/" + id))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, id[strings.LastIndexByte(id, '/')+1:])
	if len(name) > 60 {
		name = name[:60]
	}
	return strings.Trim(name, "-") + "-" + hex.EncodeToString(sum[:4])
}

// JournalPrefix is where a service's journal lies in the vault of its snapshots.
func JournalPrefix(id string) string { return "journal/" + ServiceFolder(id) }

// newName names a snapshot so that it is the newest of its service, also where the clock of the machine that made the last one
// was ahead.
func (r *Repository) newName(ctx context.Context, id string) (Name, error) {
	n := Name{Service: ServiceFolder(id)}
	all, err := r.Snapshots(ctx, n.Service)
	if err != nil {
		return n, err
	}
	at := r.Clock.Now().UTC().Truncate(time.Millisecond)
	if len(all) > 0 {
		if last := all[len(all)-1].Time(); !at.After(last) {
			at = last.Add(time.Millisecond)
		}
	}
	var random [4]byte
	_, err = rand.Read(random[:])
	n.ID = at.Format(stampLayout) + "-" + hex.EncodeToString(random[:])
	return n, err
}

// Manifest is the record as the manifest of a snapshot, without files.
func (r Record) Manifest() snapshot.Manifest {
	return snapshot.Manifest{Created: r.Created, Source: r.Source, Region: r.Region, Revision: r.Revision, Generation: r.Generation, Journal: r.Journal,
		Window: r.Window, Counts: r.Counts, Omissions: r.Omissions, Content: r.Root}
}

// Snapshots lists the snapshots of a service by its folder, of all where it is empty, the oldest of a service first.
func (r *Repository) Snapshots(ctx context.Context, service string) ([]Name, error) {
	prefix := snapshotsAt
	if service != "" {
		prefix += service + "/"
	}
	var out []Name
	for info, err := range r.Vault.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		n, ok := parseName(info.Name)
		if !ok {
			return nil, &tandem.Error{Op: "list snapshots", Subject: info.Name, Kind: tandem.Invalid, Err: errors.New("it is not the name of a snapshot"), Remedy: "keep nothing else in the folder " + snapshotsAt}
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b Name) int { return strings.Compare(a.String(), b.String()) })
	return out, nil
}

// Record reads the record of a snapshot.
func (r *Repository) Record(ctx context.Context, n Name) (Record, error) {
	var out Record
	raw, err := readBlob(ctx, r.Vault, n.blob())
	if err != nil {
		return out, err
	}
	plain, err := r.ring.open(n.blob(), raw)
	if err != nil {
		return out, err
	}
	d := json.NewDecoder(bytes.NewReader(plain))
	d.DisallowUnknownFields()
	err = d.Decode(&out)
	if out.Version > recordVersion {
		return out, &tandem.Error{Op: "read record of snapshot", Subject: n.blob(), Kind: tandem.Unsupported, Err: fmt.Errorf("it has version %d of the format, this is a reader of version %d", out.Version, recordVersion), Remedy: "use a newer Tandem"}
	}
	if err == nil && (out.Format != recordFormat || out.Version != recordVersion || out.Height < 0 || out.Height > maxHeight) {
		err = errors.New("it is not the record of a snapshot")
	}
	if err != nil {
		return out, &tandem.Error{Op: "read record of snapshot", Subject: n.blob(), Kind: tandem.Corrupt, Err: err, Remedy: "take another snapshot"}
	}
	return out, nil
}

// Made is when the record of a snapshot was written, by the vault's own clock.
func (r *Repository) Made(ctx context.Context, n Name) (time.Time, error) {
	info, err := r.Vault.Head(ctx, n.blob())
	return info.Modified, err
}

// putRecord makes a snapshot exist: all its chunks are in the vault.
func (r *Repository) putRecord(ctx context.Context, rec Record) (Name, error) {
	n, err := r.newName(ctx, rec.Source.ID)
	if err != nil {
		return n, err
	}
	text, err := json.Marshal(rec)
	if err != nil {
		return n, err
	}
	sealed, err := r.ring.seal(n.blob(), text)
	if err != nil {
		return n, err
	}
	if _, err := r.Vault.Put(ctx, n.blob(), bytes.NewReader(sealed), vault.PutOptions{IfAbsent: true}); err != nil {
		return n, err
	}
	return n, r.retain(ctx, n.blob(), rec.KeepUntil)
}

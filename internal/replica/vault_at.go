package replica

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"tandem"
	"tandem/internal/apim"
	"tandem/internal/snapshot"
	"tandem/internal/snapshot/repository"
)

// Moment names a state of a service in a vault: "SERVICE@latest", the newest snapshot; "SERVICE@end", the newest snapshot and
// all of the journal after it; "SERVICE@20260301T120000.000Z-0f1e2d3c", a snapshot; "SERVICE@2026-03-01T12:30:00Z", the last state that was
// not committed after that time; "SERVICE@r123", the state at a revision. SERVICE is a name, a folder of the vault or an ARM id.
type Moment struct {
	Service  string
	ID       string // of a snapshot; "latest"
	End      bool
	Time     time.Time
	Revision tandem.Revision
}

// ParseMoment reads the form of Moment.
func ParseMoment(text string) (Moment, error) {
	service, when, ok := cutLast(text, "@")
	m := Moment{Service: service}
	bad := func() (Moment, error) {
		return m, &tandem.Error{Op: "read moment", Subject: fmt.Sprintf("%q", text), Kind: tandem.Invalid,
			Remedy: "write SERVICE@latest, SERVICE@end, SERVICE@2026-03-01T12:30:00Z, SERVICE@r123 or SERVICE@ and the id of a snapshot"}
	}
	if !ok || service == "" {
		return bad()
	}
	if when == "end" {
		m.End = true
		return m, nil
	}
	if digits, isRevision := strings.CutPrefix(when, "r"); isRevision {
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 1 {
			return bad()
		}
		m.Revision = tandem.Revision(n)
		return m, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, when); err == nil {
			if layout == time.DateOnly {
				t = t.AddDate(0, 0, 1).Add(-time.Nanosecond) // the end of that day
			}
			m.Time = t
			return m, nil
		}
	}
	if when == "" || strings.ContainsAny(when, ":/ ") {
		return bad()
	}
	m.ID = when
	return m, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// VaultState is a service at a moment.
type VaultState struct {
	Manifest  snapshot.Manifest // of the snapshot that it began with, with the revision that it has; without files
	Resources []snapshot.Resource
	Snapshot  repository.Name
	Segments  int       // of the journal, applied to the snapshot
	Until     time.Time // of the last change of the journal that is in it; zero: the snapshot alone
	Note      string    // what a person should know: how the state differs from what was asked for; may be empty
}

// FindService gives the folder of a service in a vault. Its name will do where it is the only one of that name.
func FindService(ctx context.Context, repo *repository.Repository, service string) (string, error) {
	if strings.Contains(service, "/") {
		return repository.ServiceFolder(service), nil
	}
	all, err := repo.Snapshots(ctx, "")
	if err != nil {
		return "", err
	}
	var found []string
	for _, n := range all {
		name, _, _ := cutLast(n.Service, "-")
		if (n.Service == service || strings.EqualFold(name, service)) && !slices.Contains(found, n.Service) {
			found = append(found, n.Service)
		}
	}
	fail := func(kind tandem.Kind, err error, remedy string) (string, error) {
		return "", &tandem.Error{Op: "find service in vault", Subject: service, Kind: kind, Err: err, Remedy: remedy}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return fail(tandem.NotFound, errors.New("the vault holds no snapshot of it"), "list what it holds with 'tandem snapshots'")
	}
	return fail(tandem.Invalid, fmt.Errorf("there are several: %s", strings.Join(found, ", ")), "name one of these")
}

// At gives a service at a moment, from a snapshot in the vault and, where one is needed, its journal. Nothing is given that is
// not the state that was asked for, but for a time at which no journal tells: then it is the newest snapshot before it, and Note
// says so.
func At(ctx context.Context, repo *repository.Repository, m Moment, identities []age.Identity) (VaultState, error) {
	folder, err := FindService(ctx, repo, m.Service)
	if err != nil {
		return VaultState{}, err
	}
	all, err := repo.Snapshots(ctx, folder)
	if err != nil {
		return VaultState{}, err
	}
	slices.Reverse(all) // the newest first
	name, rec, err := choose(ctx, repo, m, all)
	if err != nil {
		return VaultState{}, err
	}
	out := VaultState{Manifest: rec.Manifest(), Snapshot: name}
	if out.Resources, err = repo.Read(ctx, rec); err != nil {
		return VaultState{}, err
	}
	if m.ID != "" || m.Revision != 0 && m.Revision == rec.Revision {
		return out, nil
	}
	j := &Journal{Vault: repo.Vault, Prefix: repository.JournalPrefix(rec.Source.ID), Service: rec.Source.ID, Sealer: passing{}, Identities: identities}
	segments, err := j.Segments(ctx)
	if err != nil {
		return VaultState{}, err
	}
	if len(segments) == 0 || rec.Revision == 0 {
		if m.Revision != 0 {
			return VaultState{}, &tandem.Error{Op: "restore to a point", Subject: fmt.Sprintf("revision %d", m.Revision), Kind: tandem.NotFound, Err: fmt.Errorf("the newest snapshot before it is of revision %d, and the vault holds no journal of the service", rec.Revision), Remedy: "choose a snapshot"}
		}
		if !m.Time.IsZero() {
			out.Note = fmt.Sprintf("the vault holds no journal of the service: this is the snapshot of %s, and changes between then and %s are not in it", rec.Created.Format(time.RFC3339), m.Time.UTC().Format(time.RFC3339))
		}
		return out, nil
	}
	later, contents, err := j.Resources(ctx, Point{Revision: m.Revision, Time: m.Time}, apim.NewTable(), out.Manifest, out.Resources)
	if err != nil {
		return VaultState{}, err
	}
	out.Resources, out.Segments, out.Until = later, contents.Segments, contents.Time
	out.Manifest.Revision, out.Manifest.Generation = contents.Revision, contents.Generation
	out.Manifest.Counts = map[string]int{}
	for _, res := range later {
		out.Manifest.Counts[res.Kind()]++
	}
	if !contents.Time.IsZero() {
		out.Manifest.Created = contents.Time
	}
	if end := segments[len(segments)-1]; m.Revision == 0 && contents.Revision >= end.Last {
		out.Note = fmt.Sprintf("the journal ends at revision %d: what was committed after that is not in it", end.Last)
	}
	return out, nil
}

// choose finds the snapshot that a moment begins with; all are the newest first.
func choose(ctx context.Context, repo *repository.Repository, m Moment, all []repository.Name) (repository.Name, repository.Record, error) {
	for _, n := range all {
		switch {
		case m.ID != "" && m.ID != "latest" && n.ID != m.ID && !strings.HasPrefix(n.ID, m.ID):
			continue
		case !m.Time.IsZero() && n.Time().After(m.Time):
			continue
		}
		rec, err := repo.Record(ctx, n)
		if err != nil {
			return n, rec, err
		}
		if m.Revision != 0 && (rec.Revision == 0 || rec.Revision > m.Revision) {
			continue
		}
		return n, rec, nil
	}
	return repository.Name{}, repository.Record{}, &tandem.Error{Op: "find snapshot", Subject: m.Service, Kind: tandem.NotFound, Err: errors.New("the vault holds none at or before the moment"), Remedy: "list what it holds with 'tandem snapshots'"}
}

// passing takes the place of the master key where documents of a journal are in memory alone: nothing of it rests anywhere.
type passing struct{}

// Seal implements apim.Sealer.
func (passing) Seal(plain, _ []byte) (string, error) {
	return base64.StdEncoding.EncodeToString(plain), nil
}

// Open implements apim.Sealer.
func (passing) Open(sealed string, _ []byte) ([]byte, error) {
	return base64.StdEncoding.DecodeString(sealed)
}

package snapshot

import (
	"context"
	"io"
	"iter"

	"filippo.io/age"
)

// Report tells what a verification has proven.
type Report struct {
	Manifest  Manifest
	Resources int
	Files     int
	Bytes     int64
}

// Verify reads every byte of a snapshot: it decrypts, checks every hash and count, decodes every document, and checks that
// each file is exactly what the format gives for its resource. A nil error means that a restore will read all of it.
func Verify(ctx context.Context, r io.Reader, identities ...age.Identity) (Report, error) {
	s, err := Open(ctx, r, identities...)
	if err != nil {
		return Report{}, err
	}
	defer s.Close()
	return s.Verify(ctx)
}

// Verify is the function of that name for a snapshot that is open; it takes the place of Resources.
func (s *Reader) Verify(ctx context.Context) (Report, error) {
	report := Report{Manifest: s.manifest, Files: len(s.manifest.Files), Bytes: s.manifest.Bytes()}
	for _, err := range s.resources(ctx, checkFiles) {
		if err != nil {
			return report, err
		}
		report.Resources++
	}
	return report, nil
}

// Checked is Resources with all the checks of Verify.
func (s *Reader) Checked(ctx context.Context) iter.Seq2[Resource, error] {
	return s.resources(ctx, checkFiles)
}

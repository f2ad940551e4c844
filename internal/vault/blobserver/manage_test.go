package blobserver_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"tandem"
)

func TestManage(t *testing.T) {
	s, ctx := open(t, t.TempDir()), context.Background()
	defer s.Close()
	for _, c := range []struct {
		account, name string
		kind          tandem.Kind
	}{{"drstore1", "one", ""}, {"drstore1", "one", tandem.Exists}, {"drstore1", "Bad_name", tandem.Invalid}, {"../up", "one", tandem.Invalid}, {"drstore1", "..", tandem.Invalid}} {
		if err := s.CreateContainer(ctx, c.account, c.name); tandem.KindOf(err) != c.kind {
			t.Errorf("create %s/%s: %v", c.account, c.name, err)
		}
	}
	if w := direct(s, "PUT", "/drstore1/two?restype=container", nil, ""); w.Code != 201 {
		t.Fatal(w.Code)
	}
	if got, err := s.ListContainers(ctx, "drstore1"); err != nil || !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := s.ListContainers(ctx, ".."); !errors.Is(err, tandem.Invalid) {
		t.Error(err)
	}
	for _, kind := range []tandem.Kind{"", tandem.NotFound} {
		if err := s.DeleteContainer(ctx, "drstore1", "one"); tandem.KindOf(err) != kind {
			t.Errorf("delete: %v, want %q", err, kind)
		}
	}
	if err := s.DeleteContainer(ctx, "drstore1", "../two"); !errors.Is(err, tandem.Invalid) {
		t.Error(err)
	}
}

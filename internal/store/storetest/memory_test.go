package storetest

import (
	"testing"

	"go.uber.org/goleak"

	"tandem/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	Run(t, func(t *testing.T) store.Store {
		s := Memory()
		t.Cleanup(func() { s.Close() })
		return s
	})
}

package vaulttest_test

import (
	"testing"

	"tandem/internal/vault"
	"tandem/internal/vault/vaulttest"
)

func TestMemory(t *testing.T) {
	vaulttest.Run(t, func(*testing.T) vault.Vault { return &vaulttest.Memory{} })
}

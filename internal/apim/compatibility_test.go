package apim_test

import (
	"os"
	"strings"
	"testing"

	"tandem/internal/apim"
)

// TestCompatibility holds docs/compatibility.md to the table; -update writes it anew.
func TestCompatibility(t *testing.T) {
	const file = "../../docs/compatibility.md"
	want := apim.Compatibility(apim.NewTable())
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || strings.ReplaceAll(string(got), "\r\n", "\n") != want {
		t.Fatalf("docs/compatibility.md is not what the table says (%v); run this test with -update", err)
	}
}

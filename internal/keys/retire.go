package keys

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"tandem"
)

// retired stands in the key file for a key that is gone.
const retired = "retired"

// Versions are the versions of the master key that sealed what is in a text, such as a stored document: those of all parts
// of it that have the form of a sealed value.
func Versions(text []byte) []int {
	seen := map[int]bool{}
	for {
		i := bytes.Index(text, []byte(sealPrefix))
		if i < 0 {
			return slices.Sorted(maps.Keys(seen))
		}
		text = text[i+len(sealPrefix):]
		n := 0
		for n < len(text) && n < 9 && text[n] >= '0' && text[n] <= '9' {
			n++
		}
		if version, err := strconv.Atoi(string(text[:n])); err == nil && n < len(text) && text[n] == '.' {
			seen[version] = true
		}
	}
}

// Retire takes a version's key out of the file for good: what it sealed cannot be opened any more. uses gives what is still
// sealed with it, by name; while there is anything, Retire refuses with Precondition and names some. The newest version is
// never retired: rotate first, then reseal.
func (m *Master) Retire(version int, uses func(version int) ([]string, error)) error {
	refuse := func(kind tandem.Kind, why error, remedy string) error {
		return &tandem.Error{Op: "retire master key", Subject: fmt.Sprintf("version %d", version), Kind: kind, Err: why, Remedy: remedy}
	}
	if newest := m.Version(); version < 1 || version > newest {
		return refuse(tandem.NotFound, fmt.Errorf("versions are 1 to %d", newest), "name one of them")
	} else if version == newest {
		return refuse(tandem.Precondition, fmt.Errorf("it is the one that seals now"), "rotate the key and reseal what this version sealed first")
	}
	used, err := uses(version)
	if err != nil {
		return err
	}
	if n := len(used); n > 0 {
		return refuse(tandem.Precondition, fmt.Errorf("%d documents are sealed with it, %q among them", n, used[0]), "reseal first; what history keeps goes with its retention")
	}
	return m.change("retire master key", func(keys [][]byte, at []string) ([][]byte, []string, error) {
		if version >= len(keys) {
			return nil, nil, fmt.Errorf("the file ends at version %d", len(keys))
		}
		keys[version-1] = nil
		return keys, at, nil
	})
}

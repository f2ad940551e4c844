package repository

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"tandem/internal/snapshot"
)

// A snapshot is a tree of chunks. Leaves hold resources in the order of their paths, nodes hold entries of the level below.
// Where a leaf or node ends is told by hashes of paths and by sizes since the last end, so that the same resources give the same
// tree, however they came to be, and a change of one resource changes one chunk a level.

const (
	leafHeader = "tandem-leaf-1\n"
	nodeHeader = "tandem-node-1\n"
	// fanout: a leaf or node ends behind one in so many.
	fanout = 16
	// leafBytes: a leaf ends, too, when its lines have so many bytes.
	leafBytes = 256 << 10
	// maxHeight bounds a tree that is read.
	maxHeight = 16
)

// entry describes a chunk in the node above it.
type entry struct {
	chunk     string // its name
	resources int    // below it
	bytes     int64  // of their lines
	first     string // path of its first resource
}

// ends tells whether a chunk of the level ends behind the path: level 0 are leaves.
func ends(level int, path string) bool {
	sum := sha256.Sum256([]byte(path))
	return sum[level] < 256/fanout
}

// leafEnds tells whether a leaf that has so many bytes ends behind the resource.
func leafEnds(path string, size int64) bool { return size >= leafBytes || ends(0, path) }

// nodes groups entries of a level into nodes of the next: runs of at least two, each up to an entry whose first path ends it.
func nodes(level int, below []entry) (out [][]entry) {
	from := 0
	for i := range below {
		if i > from && ends(level, below[i].first) || i == len(below)-1 {
			out = append(out, below[from:i+1])
			from = i + 1
		}
	}
	return out
}

// node is the content of a node's chunk.
func node(below []entry) []byte {
	out := []byte(nodeHeader)
	for _, e := range below {
		out = append(append(out, e.chunk...), ' ')
		out = append(strconv.AppendInt(out, int64(e.resources), 10), ' ')
		out = append(strconv.AppendInt(out, e.bytes, 10), ' ')
		out = append(snapshot.AppendQuoted(out, e.first), '\n')
	}
	return out
}

// summary is a node's own entry, without its name.
func summary(below []entry) entry {
	out := entry{first: below[0].first}
	for _, e := range below {
		out.resources += e.resources
		out.bytes += e.bytes
	}
	return out
}

// parseNode reads a node's chunk: exactly what node gives.
func parseNode(plain []byte) ([]entry, error) {
	rest, ok := bytes.CutPrefix(plain, []byte(nodeHeader))
	if !ok {
		return nil, errors.New("it is not a node of a snapshot's tree")
	}
	var out []entry
	for len(rest) > 0 {
		var line []byte
		if line, rest, ok = bytes.Cut(rest, []byte("\n")); !ok {
			return nil, errors.New("its last line is cut off")
		}
		parts := strings.SplitN(string(line), " ", 4)
		if len(parts) != 4 {
			return nil, fmt.Errorf("its line %d is no entry", len(out)+1)
		}
		e := entry{chunk: parts[0]}
		if raw, err := hex.DecodeString(e.chunk); err != nil || len(raw) != sha256.Size || strings.ToLower(e.chunk) != e.chunk {
			return nil, fmt.Errorf("its line %d names no chunk", len(out)+1)
		}
		var err1, err2 error
		e.resources, err1 = strconv.Atoi(parts[1])
		e.bytes, err2 = strconv.ParseInt(parts[2], 10, 64)
		if err := json.Unmarshal([]byte(parts[3]), &e.first); errors.Join(err, err1, err2) != nil || e.resources < 1 || e.bytes < 1 {
			return nil, fmt.Errorf("its line %d is no entry", len(out)+1)
		}
		if n := len(out); n > 0 && out[n-1].first >= e.first {
			return nil, fmt.Errorf("its line %d is out of order", n+1)
		}
		out = append(out, e)
	}
	if len(out) == 0 || !bytes.Equal(node(out), plain) {
		return nil, errors.New("it is not in canonical form")
	}
	return out, nil
}

// parseLeaf gives the lines of a leaf's chunk, without their line feeds.
func parseLeaf(plain []byte) ([][]byte, error) {
	rest, ok := bytes.CutPrefix(plain, []byte(leafHeader))
	if !ok {
		return nil, errors.New("it is not a leaf of a snapshot's tree")
	}
	if len(rest) > 0 && rest[len(rest)-1] != '\n' {
		return nil, errors.New("its last line is cut off")
	}
	lines := bytes.Split(rest, []byte("\n"))
	return lines[:len(lines)-1], nil
}

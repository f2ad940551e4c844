package failover

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the traces in testdata")

// TestScenarios plays every text file in testdata. A file has comments, and blocks of a command line, a line of dashes and
// the trace that the command gives. Run with -update to write the traces anew, and read them in review.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(raw))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(raw) {
				t.Errorf("the trace differs; run with -update and read the change\n%s", firstDifference(string(raw), got))
			}
		})
	}
}

// play runs the commands of a file and gives the file with their traces.
func play(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	st := newStage(t)
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case line == "":
			continue
		case strings.HasPrefix(line, "#"):
			out.WriteString(line + "\n")
			if i+1 < len(lines) && !strings.HasPrefix(lines[i+1], "#") {
				out.WriteString("\n")
			}
			continue
		}
		out.WriteString(line + "\n----\n" + st.command(line) + "\n")
		if i+1 < len(lines) && lines[i+1] == "----" {
			for i+1 < len(lines) && lines[i+1] != "" {
				i++
			}
		}
	}
	return out.String()
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return "want: " + w[i] + "\ngot:  " + g[i]
		}
	}
	return "one is longer than the other"
}

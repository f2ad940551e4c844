package dotnet_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tandem"
	"tandem/internal/csharp"
	"tandem/internal/csharp/dotnet"
)

// library builds the library once per test; a mistake in a table fails here.
func library(t testing.TB) *csharp.Library {
	t.Helper()
	lib, err := dotnet.New()
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// fixed is a clock that stands at 2024-02-29T12:34:56.7890123Z.
type fixed struct{ tandem.SystemClock }

func (fixed) Now() time.Time { return time.Date(2024, 2, 29, 12, 34, 56, 789012300, time.UTC) }

// zeros is a source of randomness that gives zeros.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// run compiles and runs one expression and writes what comes of it: its text, or the kind of its failure.
func run(t testing.TB, lib *csharp.Library, src string) string {
	t.Helper()
	p, err := csharp.Compile(src, csharp.Options{Library: lib})
	var list csharp.Errors
	if errors.As(err, &list) {
		return "error " + list[0].Kind + ": " + list[0].Message
	}
	v, err := p.Run(&csharp.Env{Clock: fixed{}, Rand: zeros{}})
	var e *csharp.Exception
	if errors.As(err, &e) {
		return "throws " + strings.TrimPrefix(e.Name, "System.") + ": " + e.Message()
	}
	if err != nil {
		return "stopped: " + err.Error()
	}
	if p.Type().Reference() && csharp.Box(v, p.Type()) == nil {
		return "null"
	}
	return csharp.Text(v, p.Type())
}

// TestScenarios runs testdata/*.txt: an expression, maybe on several lines, then "=> result"; \r \n and \t are escaped.
func TestScenarios(t *testing.T) {
	lib := library(t)
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	escape := strings.NewReplacer("\r", `\r`, "\n", `\n`, "\t", `\t`)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var src []string
			for n, line := range strings.Split(string(data), "\n") {
				switch {
				case strings.HasPrefix(line, "#") || line == "" && len(src) == 0:
				case strings.HasPrefix(line, "=> ") || line == "=>":
					want := strings.TrimPrefix(strings.TrimPrefix(line, "=>"), " ")
					expression := strings.Join(src, "\n")
					src = nil
					if !strings.HasPrefix(expression, "@") {
						expression = "@(" + expression + ")"
					}
					if got := escape.Replace(run(t, lib, expression)); got != want {
						t.Errorf("%s:%d: %s\n got %s\nwant %s", file, n+1, expression, got, want)
					}
				default:
					src = append(src, line)
				}
			}
		})
	}
}

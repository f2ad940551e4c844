package dotnet_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tandem/internal/csharp"
)

// FuzzRun compiles and runs expressions over the whole library: nothing panics, hangs or escapes its limits.
func FuzzRun(f *testing.F) {
	lib := library(f)
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if !strings.HasPrefix(line, "=>") && !strings.HasPrefix(line, "#") {
				f.Add(strings.TrimSpace(line))
			}
		}
	}
	f.Fuzz(func(t *testing.T, src string) {
		if !strings.HasPrefix(src, "@") {
			src = "@(" + src + ")"
		}
		p, err := csharp.Compile(src, csharp.Options{Library: lib, Result: csharp.Object})
		if err != nil {
			return
		}
		_, err = p.Run(&csharp.Env{Limits: csharp.Limits{Steps: 50_000, Memory: 8 << 20, Time: time.Second}})
		var e *csharp.Exception
		if errors.As(err, &e) && strings.Contains(e.Msg, "internal fault") {
			t.Errorf("%s: %v", src, e)
		}
	})
}

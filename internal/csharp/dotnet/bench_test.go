package dotnet_test

import (
	"testing"

	"tandem/internal/csharp"
)

// BenchmarkCompile compiles an expression of middling size: six of them make a document.
func BenchmarkCompile(b *testing.B) {
	lib := library(b)
	src := `@{ var parts = "a,b,c".Split(','); var body = JObject.Parse("{}"); foreach (var p in parts.Where(x => x != "b")) { body[p] = p.ToUpper() + "-" + parts.Length; }
		return body.ToString(); }`
	b.ReportAllocs()
	for b.Loop() {
		if _, err := csharp.Compile(src, csharp.Options{Library: lib}); err != nil {
			b.Fatal(err)
		}
	}
}

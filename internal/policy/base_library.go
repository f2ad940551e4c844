package policy

import (
	"sync"

	"tandem/internal/csharp"
)

// baseLibrary is .NET's, made once.
var baseLibrary = sync.OnceValue(func() *csharp.Library {
	lib := csharp.Core()
	for _, name := range []string{"JObject", "JToken", "JArray", "X509Certificate2", "Uri", "IReadOnlyDictionary", "IDictionary"} {
		if _, err := lib.Type(name); err != nil {
			lib, _ = lib.With(csharp.TypeDef{Decl: map[bool]string{true: "interface " + name + "<K, V>", false: "class " + name}[name[0] == 'I']})
		}
	}
	return lib
})

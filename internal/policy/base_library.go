package policy

import (
	"sync"

	"tandem/internal/csharp"
	"tandem/internal/csharp/dotnet"
)

// baseLibrary is .NET's, made once.
var baseLibrary = sync.OnceValue(func() *csharp.Library {
	lib, err := dotnet.New()
	if err != nil {
		panic("the .NET library does not declare: " + err.Error()) // a fault in its own table, seen by every test
	}
	return lib
})

package workflow

import (
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"tandem/internal/workflow/value"
)

// noLoader refuses to fetch schemas from elsewhere.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("the schema refers to %q, and schemas are not fetched", url)
}

func compileSchema(v any) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.DefaultDraft(jsonschema.Draft4) // what the workflow service validates by
	const name = "mem:schema"
	if err := c.AddResource(name, value.Plain(v)); err != nil {
		return nil, err
	}
	return c.Compile(name)
}

// validate checks a value; the error names the first places that do not fit and what was expected there, never the value.
func validate(s *jsonschema.Schema, v any) error {
	err := s.Validate(value.Plain(v))
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return err
	}
	var out []string
	var walk func(e *jsonschema.ValidationError)
	english := message.NewPrinter(language.English)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 && len(out) < 5 {
			text := e.ErrorKind.LocalizedString(english)
			if path := e.ErrorKind.KeywordPath(); len(path) > 0 && (path[0] == "enum" || path[0] == "const" || path[0] == "pattern" || path[0] == "format") {
				text = "the value does not fit the schema's " + path[0] // the library's text would quote the value
			}
			out = append(out, fmt.Sprintf("at '%s': %s", strings.Join(e.InstanceLocation, "."), text))
		}
		for _, c := range e.Causes {
			walk(c)
		}
	}
	walk(invalid)
	return fmt.Errorf("%s", strings.Join(out, "; "))
}

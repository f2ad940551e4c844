package apim

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// graphQLSchema is the content type of a GraphQL API's schema.
const graphQLSchema = "application/vnd.ms-azure-apim.graphql.schema"

// importGraphQL makes a GraphQL API of its schema in the definition language.
func importGraphQL(_ *Write, content []byte, _ string) (*imported, error) {
	if err := checkGraphQL(string(content)); err != nil {
		return nil, err
	}
	return &imported{properties: map[string]any{"type": "graphql"},
		schemas: []importedChild{{name: "graphql", properties: map[string]any{"contentType": graphQLSchema, "document": map[string]any{"value": string(content)}}}}}, nil
}

// checkGraphQL validates a schema; errors tell line and column.
func checkGraphQL(text string) error {
	_, err := gqlparser.LoadSchema(&ast.Source{Name: "schema", Input: text})
	if err == nil {
		return nil
	}
	var ge *gqlerror.Error
	if errors.As(err, &ge) && len(ge.Locations) > 0 {
		return fmt.Errorf("line %d, column %d: %s", ge.Locations[0].Line, ge.Locations[0].Column, ge.Message)
	}
	return err
}

// schemaRules are for the schemas of an API.
type schemaRules struct{ noRules }

// Write validates GraphQL schemas, which the gateway runs.
func (schemaRules) Write(_ context.Context, w *Write) error {
	if !strings.EqualFold(w.Doc.String("contentType"), graphQLSchema) {
		return nil
	}
	if err := checkGraphQL(w.Doc.String("document.value")); err != nil {
		return invalid("document.value", "Parsing error(s): %v", err)
	}
	return nil
}

// View adds that a schema is ready as soon as it is written.
func (schemaRules) View(_ context.Context, v *View) error {
	v.Properties["provisioningState"] = "Succeeded"
	return nil
}

// Delete refuses while operations name the schema, unless the call forces it.
func (schemaRules) Delete(ctx context.Context, w *Write) error {
	if strings.EqualFold(w.Request.Query["force"], "true") {
		return nil
	}
	docs, err := w.Service.List(ctx, strings.TrimSuffix(w.Kind.typ, "schemas")+"operations", w.IDs[:len(w.IDs)-1])
	if err != nil {
		return err
	}
	for _, d := range docs {
		if mentions(d.Properties, w.Doc.Name()) {
			return inUse(w, d.Path(w.Service.Table.ByType(d.Type)))
		}
	}
	return nil
}

// mentions looks for a schemaId of a name at any depth.
func mentions(v any, name string) bool {
	switch v := v.(type) {
	case map[string]any:
		for member, inner := range v {
			if member == "schemaId" && strings.EqualFold(asString(inner), name) || mentions(inner, name) {
				return true
			}
		}
	case []any:
		for _, inner := range v {
			if mentions(inner, name) {
				return true
			}
		}
	}
	return false
}

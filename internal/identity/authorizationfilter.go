package identity

import (
	"net/http"
	"strings"

	"tandem/internal/arm"
)

// assignmentFilter reads the few filters that role assignments know: atScope(), assignedTo('id'), principalId eq 'id', and
// these joined by and. What it does not know it refuses.
func assignmentFilter(filter string) (atScope bool, object string, err error) {
	if strings.TrimSpace(filter) == "" {
		return false, "", nil
	}
	f, err := arm.ParseFilter(filter)
	if err != nil {
		return false, "", err
	}
	for _, term := range f.Conjuncts() {
		name, args, isCall := term.Call()
		field, value, isEqual := term.Equality()
		switch {
		case isCall && strings.EqualFold(name, "atScope") && len(args) == 0:
			atScope = true
		case isCall && strings.EqualFold(name, "assignedTo") && len(args) == 1:
			object, _ = args[0].(string)
		case isEqual && strings.EqualFold(field, "principalId"):
			object, _ = value.(string)
		default:
			return false, "", arm.Errorf(http.StatusBadRequest, "UnsupportedQuery",
				"The filter '%s' is not supported. Supported filters are atScope(), assignedTo('{value}') and principalId eq '{value}', joined by and.", filter)
		}
	}
	return atScope, object, nil
}

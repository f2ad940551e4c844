package arm

import (
	"net/http"
	"strings"
)

// noRoute says, in ARM's words, why a path is served by nothing.
func (s *Server) noRoute(segments []string, c *call, allowed []string) error {
	if len(allowed) > 0 {
		e := Errorf(http.StatusMethodNotAllowed, "MethodNotAllowed", "The requested resource does not support http method '%s'.", c.Method)
		e.Header = http.Header{"Allow": {strings.Join(allowed, ", ")}}
		return e
	}
	i := lastProviders(segments)
	if i < 0 || i+1 == len(segments) {
		if len(segments) < 2 || !strings.EqualFold(segments[0], "subscriptions") {
			return Errorf(http.StatusNotFound, "MissingSubscription",
				"The request did not have a subscription or a valid tenant level resource provider.")
		}
		return invalidType(strings.Join(typesOf(segments), "/"), "Microsoft.Resources", c.APIVersion)
	}
	namespace, known := s.known[lower(segments[i+1])]
	if !known {
		return Errorf(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", segments[i+1])
	}
	return invalidType(strings.Join(typesOf(segments[i+2:]), "/"), namespace, c.APIVersion)
}

func invalidType(typeName, namespace, version string) error {
	return Errorf(http.StatusNotFound, "InvalidResourceType",
		"The resource type '%s' could not be found in the namespace '%s' for api version '%s'.", typeName, namespace, version)
}

// typesOf picks the types out of type, name, type, name...
func typesOf(segments []string) []string {
	var types []string
	for i := 0; i < len(segments); i += 2 {
		types = append(types, segments[i])
	}
	return types
}

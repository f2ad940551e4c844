package tandem

import (
	"fmt"
	"strings"
)

// ResourceID is the name of a resource in Azure Resource Manager:
//
//	/subscriptions/{s}/resourceGroups/{g}/providers/{namespace}/{type}/{name}[/{type}/{name}...]
//
// A resource that extends another one (a role assignment) has the id of that one as Scope. Ids compare without regard
// to case; Key gives the form to compare by.
type ResourceID struct {
	Scope         string // for an extension resource, the id of what it extends, as written; else empty
	Subscription  string
	ResourceGroup string
	Provider      string // for example "Microsoft.ApiManagement"; empty for a subscription or a resource group
	Types         []string
	Names         []string
}

// ParseResourceID reads an id as clients write it: any case, with or without a slash at the end, doubled slashes in front.
func ParseResourceID(s string) (ResourceID, error) {
	bad := func(why string) (ResourceID, error) {
		return ResourceID{}, &Error{Op: "read resource id", Subject: fmt.Sprintf("%q", s), Kind: Invalid, Err: fmt.Errorf("%s", why),
			Remedy: "write /subscriptions/{id}/resourceGroups/{name}/providers/{namespace}/{type}/{name}"}
	}
	var id ResourceID
	rest := strings.Split(strings.Trim(s, "/"), "/")
	lastProvider := -1
	for i, part := range rest {
		if part == "" {
			return bad("it has an empty segment")
		}
		if strings.EqualFold(part, "providers") && i%2 == 0 {
			lastProvider = i
		}
	}
	scope := rest
	if lastProvider >= 0 {
		tail := rest[lastProvider+1:]
		if len(tail) < 1 || len(tail)%2 != 1 {
			return bad("after the provider's name, types and names must come in pairs")
		}
		id.Provider = tail[0]
		for i := 1; i < len(tail); i += 2 {
			id.Types = append(id.Types, tail[i])
			id.Names = append(id.Names, tail[i+1])
		}
		scope = rest[:lastProvider]
	}
	for i := 0; i < len(scope); i += 2 {
		if i+1 == len(scope) {
			return bad("the segment " + scope[i] + " has no name after it")
		}
		switch {
		case strings.EqualFold(scope[i], "subscriptions") && i == 0:
			id.Subscription = scope[1]
		case strings.EqualFold(scope[i], "resourceGroups") && i == 2:
			id.ResourceGroup = scope[3]
		case i >= 4 && strings.EqualFold(scope[4], "providers"):
			id.Scope = "/" + strings.Join(scope, "/")
			return id, nil
		default:
			return bad("the segment " + scope[i] + " is not expected there")
		}
	}
	if lastProvider < 0 && id.Subscription == "" {
		return bad("it names no subscription and no provider")
	}
	return id, nil
}

// Type is the full type name, for example "Microsoft.ApiManagement/service/apis".
func (id ResourceID) Type() string {
	switch {
	case id.Provider != "":
		return id.Provider + "/" + strings.Join(id.Types, "/")
	case id.ResourceGroup != "":
		return "Microsoft.Resources/resourceGroups"
	default:
		return "Microsoft.Resources/subscriptions"
	}
}

// Name is the last name of the id.
func (id ResourceID) Name() string {
	switch {
	case len(id.Names) > 0:
		return id.Names[len(id.Names)-1]
	case id.ResourceGroup != "":
		return id.ResourceGroup
	default:
		return id.Subscription
	}
}

// String writes the id as Azure does.
func (id ResourceID) String() string {
	var b strings.Builder
	switch {
	case id.Scope != "":
		b.WriteString(id.Scope)
	default:
		if id.Subscription != "" {
			b.WriteString("/subscriptions/" + id.Subscription)
		}
		if id.ResourceGroup != "" {
			b.WriteString("/resourceGroups/" + id.ResourceGroup)
		}
	}
	if id.Provider != "" {
		b.WriteString("/providers/" + id.Provider)
		for i := range id.Types {
			b.WriteString("/" + id.Types[i] + "/" + id.Names[i])
		}
	}
	return b.String()
}

// Key is the form to compare and to store by.
func (id ResourceID) Key() string { return strings.ToLower(id.String()) }

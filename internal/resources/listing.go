package resources

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"tandem"
	"tandem/internal/arm"
)

// tagFilter reads $filter of lists: fields beside the tags come from lookup.
func tagFilter(r *arm.Request) (func(tags map[string]string, lookup func(string) (any, bool)) (bool, error), error) {
	text := r.Query["$filter"]
	if text == "" {
		return func(map[string]string, func(string) (any, bool)) (bool, error) { return true, nil }, nil
	}
	f, err := arm.ParseFilter(text)
	if err != nil {
		return nil, err
	}
	name, value := "", ""
	for _, term := range f.Conjuncts() {
		field, v, ok := term.Equality()
		switch s, _ := v.(string); {
		case ok && strings.EqualFold(field, "tagName"):
			name = s
		case ok && strings.EqualFold(field, "tagValue"):
			value = s
		}
	}
	return func(tags map[string]string, lookup func(string) (any, bool)) (bool, error) {
		return f.Match(func(field string) (any, bool) {
			switch strings.ToLower(field) {
			// The pair is one condition: a tag of that name (and that value).
			case "tagname":
				for tag := range tags {
					if strings.EqualFold(tag, name) {
						return tag, true
					}
				}
				return nil, true
			case "tagvalue":
				for tag, v := range tags {
					if strings.EqualFold(tag, name) && strings.EqualFold(v, value) {
						return v, true
					}
				}
				return nil, true
			}
			if lookup == nil {
				return nil, false
			}
			return lookup(field)
		})
	}, nil
}

func (p provider) listResources(ctx context.Context, r *arm.Request) (*arm.Response, error) {
	filter, err := tagFilter(r)
	if err != nil {
		return nil, err
	}
	expand := strings.ToLower(r.Query["$expand"])
	for field := range strings.SplitSeq(expand, ",") {
		if field = strings.TrimSpace(field); field != "" && field != "provisioningstate" && field != "createdtime" && field != "changedtime" {
			return nil, arm.Errorf(http.StatusBadRequest, "InvalidExpand", "The $expand '%s' is not supported. Supported are createdTime, changedTime and provisioningState.", field)
		}
	}
	var all []Listed
	for _, c := range p.contents {
		some, err := c.ListResources(ctx, r.Params["subscriptionId"], r.Params["resourceGroupName"])
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b Listed) int { return strings.Compare(lower(a.ID), lower(b.ID)) })
	out := []Listed{}
	for _, item := range all {
		ok, err := filter(item.Tags, item.field)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if !strings.Contains(expand, "provisioningstate") {
			item.ProvisioningState = ""
		}
		if !strings.Contains(expand, "createdtime") {
			item.CreatedTime = ""
		}
		if !strings.Contains(expand, "changedtime") {
			item.ChangedTime = ""
		}
		item.Properties = nil
		out = append(out, item)
	}
	page, err := arm.Paginate(r, out, 1000)
	return &arm.Response{Body: page}, err
}

// field is what $filter may ask of a resource.
func (l Listed) field(name string) (any, bool) {
	switch strings.ToLower(name) {
	case "name":
		return l.Name, true
	case "resourcetype":
		return l.Type, true
	case "location":
		return l.Location, true
	case "id", "resourceid":
		return l.ID, true
	case "kind":
		return l.Kind, true
	case "resourcegroup":
		id, err := tandem.ParseResourceID(l.ID)
		return id.ResourceGroup, err == nil
	}
	return nil, false
}
